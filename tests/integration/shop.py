"""A service under load in the stand-in for AWS, and the adapters that read and scale it through boto3.

`Shop` runs in simulated time: the stand-in and the loop read the same clock, only the calls between them are real.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger

from demo.account import CLUSTER, SERVICE, TABLE, Account
from demo.fleet import Fleet
from demo.local_aws import REGION, LocalAws
from fastscaler import loop
from fastscaler.aws.autoscaling import ApplicationAutoScaling
from fastscaler.aws.calls import BRIEF
from fastscaler.aws.cloudwatch import CloudWatch
from fastscaler.aws.dynamodb import Table
from fastscaler.aws.ecs import Ecs
from fastscaler.aws.elbv2 import TargetGroups
from fastscaler.aws.stopped_tasks import EcsStoppedTasks
from fastscaler.invocation import Adapters, handle
from fastscaler.pace import Pace
from fastscaler.ports import Clock
from tests.unit.loop.fakes import EPOCH, FakeClock

NAMESPACE = "FastScaling/Application"
TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
BUCKET = 5
_numbers = count()
# Service models are read and parsed once per session, which takes longer than most of the tests.
_session = boto3.Session("local", "local", region_name=REGION)


@contextmanager
def sdk_of(aws: LocalAws) -> Iterator[None]:
    """Points every client that boto3 makes meanwhile at the stand-in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3, "DEFAULT_SESSION", _session)
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield


def adapters(clock: Clock, policies: Path) -> Adapters:
    """What the handler wires, with another clock; inside `sdk_of`."""
    return Adapters(
        table=Table.connect(TABLE),
        metrics=CloudWatch.connect(),
        ecs=Ecs.connect(),
        # Clients of their own as well, though these are made when first needed: by then the SDK may point elsewhere.
        stopped=EcsStoppedTasks(boto3.client("ecs", config=BRIEF)),
        scalable=ApplicationAutoScaling(boto3.client("application-autoscaling", config=BRIEF)),
        targets=TargetGroups(),
        clock=clock,
        pace=Pace(),
        # Powertools keeps a logger, and the stream it began with, by its name.
        logger=Logger(service=f"scaler {next(_numbers)}"),
        policies_file=str(policies),
        metrics_namespace="FastScaler",
    )


def policies(*services: str, cluster: str = CLUSTER, **keys: object) -> str:
    """A policy document in JSON: a task per 100 requests/s for each service; `keys` add to each of their blocks."""
    blocks = [
        {
            "Cluster": cluster,
            "Service": service,
            "MinCapacity": 1,
            "MaxCapacity": 100,
            "Metrics": {
                "Load": {
                    "Namespace": NAMESPACE,
                    "MetricName": "RequestsPerSecond",
                    "PerTask": True,
                    "Dimensions": {"Cluster": cluster, "Service": service},
                }
            },
            "Policies": [{"Name": "track", "PolicyType": "TargetTracking", "Metric": "Load", "TargetValue": 100}],
        }
        | keys
        for service in services or (SERVICE,)
    ]
    return json.dumps({"Services": blocks})


def datum(at: float, values: list[float], service: str = SERVICE, cluster: str = CLUSTER) -> Any:
    """One MetricDatum: what one task each published at `at` (epoch seconds)."""
    return {
        "MetricName": "RequestsPerSecond",
        "Dimensions": [{"Name": "Cluster", "Value": cluster}, {"Name": "Service", "Value": service}],
        "Timestamp": at,
        "Values": values,
        "StorageResolution": 1,
    }


def publish(
    account: Account,
    load: Callable[[float], float],
    *,
    tasks: int,
    start: float,
    end: float,
    service: str = SERVICE,
) -> None:
    """What `tasks` tasks publish from `start` to `end` (epoch seconds) under `load` (requests/s of all, by second)."""
    buckets = range(int(start // BUCKET) * BUCKET, int(end), BUCKET)
    data = [datum(bucket, [load(bucket) / tasks] * tasks, service) for bucket in buckets]
    account.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)


class SimulatedTime:
    """The stand-in's clock, which every test sets to its own."""

    clock = FakeClock()

    def now(self) -> float:
        return self.clock.now()


class Shop:
    """One service of four running tasks in simulated time; `t` is in seconds since it began."""

    tasks = 4

    def __init__(self, aws: LocalAws, clock: FakeClock, folder: Path) -> None:
        self.aws, self.clock, self.folder = aws, clock, folder
        self.account = Account(aws)
        self.account.create_table()
        self.account.create_service(CLUSTER, SERVICE, desired=self.tasks)

    def publish(self, load: Callable[[float], float], *, start: float = -60.0, end: float = 120.0) -> None:
        """Publishes ahead: a bucket that has not ended yet is not read."""
        publish(self.account, lambda at: load(at - EPOCH), tasks=self.tasks, start=EPOCH + start, end=EPOCH + end)

    def publish_bucket(self, t: float, values: list[float]) -> None:
        """One bucket that begins at `t`."""
        self.account.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum(EPOCH + t, values)])

    def fail(self, operation: str, code: str, status: int, *, start: float, end: float) -> None:
        """Has the calls of one operation fail from `start` until `end`."""
        self.clock.at(start, lambda: self.aws.fail(operation, code, status=status))
        self.clock.at(end, lambda: self.aws.clear(operation))

    def scale(self, *, until: float, clock: Clock | None = None, document: str = "") -> dict[str, Any]:
        """One invocation of the scaler, until about `until` seconds."""
        path = self.folder / "policies.json"
        path.write_text(document or policies())
        clock = clock or self.clock
        with sdk_of(self.aws):
            wired = adapters(clock, path)
        seconds_left = EPOCH + until + loop.MARGIN - clock.now()
        return handle(TICK, wired, seconds_left=seconds_left, request_id=f"request at {self.clock.t}")

    @property
    def fleet(self) -> Fleet:
        return self.aws.fleet(CLUSTER, SERVICE)

    @property
    def changes(self) -> list[tuple[float, int]]:
        """When the desired count changed, in seconds, and to what."""
        return [(change.at - EPOCH, change.after) for change in self.fleet.changes]
