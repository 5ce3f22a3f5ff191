"""One look of the loop at many services, against the stand-in for AWS, and the share of it that is our own CPU time.

The loop runs in a process of its own, so that the stand-in's work is not counted as the loop's.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.decision import shipped_service
from demo.account import TABLE, Account
from demo.local_aws import LocalAws
from fastscaler.aws.cloudwatch import CloudWatch
from fastscaler.aws.dynamodb import Table
from fastscaler.aws.ecs import Ecs
from fastscaler.clock import SystemClock
from fastscaler.errors import AwsError
from fastscaler.look import Look
from fastscaler.loop import Ending, World, run
from fastscaler.pace import Pace
from fastscaler.scaling.observation import FailedLaunch
from fastscaler.scaling.policy import Service

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef

CLUSTER, LOOKS = "fast-scaling-cluster", 5


def looks_of_many_services(count: int) -> dict[str, Any]:
    """Median seconds of one look at `count` services, own CPU seconds in it, and its API calls."""
    with LocalAws() as aws:
        account = Account(aws)
        account.create_table()
        for number in range(count):
            account.create_service(CLUSTER, f"service-{number}", desired=4)
            publish(account, f"service-{number}")
        aws.calls.reset()
        command = [sys.executable, "-m", "benchmarks.look", str(count)]
        environment = os.environ | aws.environment
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        counts = aws.calls.counts()
    figures: dict[str, Any] = json.loads(output)
    return figures | {"calls_per_look": {name: calls / LOOKS for name, calls in counts.items()}}


def publish(account: Account, service: str) -> None:
    """A minute of buckets of four tasks with 60 requests/s each, and as much again ahead of the clock."""
    dimensions: list[DimensionTypeDef] = [
        {"Name": "Cluster", "Value": CLUSTER},
        {"Name": "Service", "Value": service},
    ]
    first = time.time() // 5 * 5 - 60
    data: list[MetricDatumTypeDef] = [
        {
            "MetricName": "RequestsPerSecond",
            "Dimensions": dimensions,
            "Timestamp": datetime.fromtimestamp(first + 5 * bucket, UTC),
            "StorageResolution": 1,
            "Values": [60.0],
            "Counts": [4.0],
        }
        for bucket in range(24)
    ]
    account.cloudwatch.put_metric_data(Namespace="FastScaling/Application", MetricData=data)


def services(count: int) -> list[Service]:
    """`count` services like the shipped one, each with metrics of its own."""
    template = shipped_service().model_dump(by_alias=True)
    made = []
    for number in range(count):
        name = f"service-{number}"
        metrics = {
            key: {**metric, "Dimensions": {"Cluster": CLUSTER, "Service": name}}
            for key, metric in template["Metrics"].items()
        }
        made.append(Service.model_validate({**template, "Service": name, "Metrics": metrics, "LoadBalancer": None}))
    return made


class _Quiet:
    """What is asked for in trouble and every few minutes only, and so in none of these looks."""

    def healthy(self, target_groups: Sequence[str]) -> int:
        return 0

    def failed_launches(self, service: str) -> Sequence[FailedLaunch]:
        return []

    def competitors(self, services: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(services, "")


class _Stopwatch:
    """The port `Report`: how long each look took, and the CPU time of this process in it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self.decided: list[int] = []
        self._cpu = 0.0

    def started(self, epoch: int, services: int) -> None:
        self._cpu = time.process_time()

    def failed(self, doing: str, error: AwsError) -> None:
        raise error

    def ended(self, epoch: int, why: Ending) -> None:
        pass

    def looked(self, look: Look) -> None:
        now = time.process_time()
        self.seconds.append(look.finished - look.at)
        self.cpu_seconds.append(now - self._cpu)
        self.decided.append(sum(bool(decision.loads) for decision in look.decisions.values()))
        self._cpu = now


def _measure(count: int) -> dict[str, Any]:
    watch = _Stopwatch()
    clock = SystemClock()
    quiet = _Quiet()
    world = World(Table.connect(TABLE), CloudWatch.connect(), Ecs.connect(), quiet, quiet, quiet, clock, watch)
    run(services(count), world, Pace(), clock.now() + 900, looks=LOOKS)
    # The first look opens the connections.
    seconds, cpu = median(watch.seconds[1:]), median(watch.cpu_seconds[1:])
    return {
        "services_with_data": min(watch.decided),
        "median_seconds": round(seconds, 3),
        "own_cpu_seconds": round(cpu, 3),
        "own_cpu_share": round(cpu / seconds, 2),
    }


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]))))
