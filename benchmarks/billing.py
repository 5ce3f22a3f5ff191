"""What GetMetricData bills for in an hour, second looks included: the real loop in simulated time."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.decision import shipped_service
from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.aws.dynamodb import Head, Takeover
from fastscaler.errors import AwsError
from fastscaler.look import Look
from fastscaler.loop import MARGIN, Ending, World, run
from fastscaler.pace import BUCKET, Pace
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import Datapoint, FailedLaunch, ServiceState

TASKS, HOUR, BEAT = 4, 3600.0, 60.0
VISIBILITY_MEDIAN, VISIBILITY_SIGMA = 2.0, 0.3  # Seconds, log-normal, per PutMetricData call (design, section 3).


class _World:
    """Clock, metrics, services and state in one: `load` requests/s per task, published by tasks one by one."""

    def __init__(self, load: float) -> None:
        self.load, self.time = load, 1_000_000.0
        self.billed = self.calls = 0
        self._random = random.Random(1)
        self._visible: dict[float, list[float]] = {}
        self._memories: dict[str, Memory] = {}

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        self.calls += 1
        self.billed += len(reads)
        return {read.name: self._datapoints(read, now) if read.metric.per_task else [] for read in reads}

    def _datapoints(self, read: MetricRead, now: float) -> list[Datapoint]:
        points = []
        start = now // BUCKET * BUCKET - BUCKET
        while start > now - read.window:
            delays = self._visible.setdefault(
                start, [self._random.lognormvariate(0, VISIBILITY_SIGMA) * VISIBILITY_MEDIAN for _ in range(TASKS)]
            )
            arrived = sum(start + BUCKET + delay <= now for delay in delays)
            if arrived:
                points.append(Datapoint(start, arrived * self.load, arrived))
            start -= BUCKET
        return points

    def describe(self, services: Sequence[str]) -> Mapping[str, ServiceState | AwsError]:
        return dict.fromkeys(services, ServiceState(desired=TASKS, running=TASKS))

    def update(self, service: str, desired: int) -> None:
        raise AssertionError("nothing is called for an observed service")

    def healthy(self, target_groups: Sequence[str]) -> int:
        return TASKS

    def failed_launches(self, service: str) -> Sequence[FailedLaunch]:
        return []

    def competitors(self, services: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(services, "")

    def take_over(self) -> int:
        return 1

    def read_all(self) -> Takeover:
        return Takeover(1, (), self._memories)

    def poll(self) -> Head:
        return Head(1, ())

    def save(self, epoch: int, memories: Mapping[str, Memory]) -> None:
        self._memories.update(memories)

    def started(self, epoch: int, services: int) -> None: ...
    def looked(self, look: Look) -> None: ...
    def failed(self, doing: str, error: AwsError) -> None: ...
    def ended(self, epoch: int, why: Ending) -> None: ...


def billed_per_hour() -> dict[str, Any]:
    """Metrics billed and calls made in an hour for one service: idle, busy (second looks), and in a lasting surge."""
    return {name: _hour(load) for name, load in (("idle", 20.0), ("busy", 60.0), ("surge", 300.0))}


def _hour(load: float) -> dict[str, Any]:
    simulated = _World(load)
    service = shipped_service()
    world = World(*[simulated] * 8)
    pace, end = Pace(), simulated.time + HOUR
    while simulated.time < end:
        run([service], world, pace, simulated.time + BEAT + MARGIN, observed=frozenset([service.key]))
    return {"metrics_billed": simulated.billed, "usd_a_month": round(simulated.billed * 720 * 0.01 / 1000, 2)}
