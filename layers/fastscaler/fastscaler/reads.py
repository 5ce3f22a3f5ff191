"""Counts what the loop reads in an hour. The gatherer itself says what is due, look by look: no rule is repeated."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.gather import Gatherer
from fastscaler.pace import Pace, newest_bucket_end
from fastscaler.scaling.observation import MINUTE, ServiceState
from fastscaler.scaling.policy import Service

PER_HOUR = 60  # Invocations: EventBridge's rate(1 minute), each taking over from the one before.
PHASES = 29  # A hand-over may come anywhere within a minute; the figures are means over so many places.
# Repeated looks in an hour at a service that is busy all the time: the most that benchmarks/billing.py counts for 1 to
# 50 tasks, whose datapoints become visible after 2 s (median, log-normal, sigma 0.3).
REPEATED_LOOKS = 480.0


@dataclass(frozen=True, slots=True)
class ReadCount:
    """How often one metric is read in an hour, how often again where its service is busy, and as how many metrics."""

    per_hour: float
    repeated_per_hour: float
    metrics: int


@dataclass(frozen=True, slots=True)
class Reads:
    """The looks in an hour, without repeated ones, and what they read."""

    looks_per_hour: float
    counts: Mapping[MetricName, ReadCount]


class _Counting:
    """The ports `MetricSource` and `ServiceApi` of an account without any data; remembers what was asked for."""

    def __init__(self) -> None:
        self.times: Counter[MetricName] = Counter()
        self.metrics: dict[MetricName, int] = {}

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        self.times.update(read.name for read in reads)
        self.metrics.update({read.name: max(1, len(read.components)) for read in reads})
        return {read.name: [] for read in reads}

    def describe(self, services: Sequence[str]) -> dict[str, ServiceState]:
        return dict.fromkeys(services, ServiceState(desired=1, running=1))

    def update(self, service: str, desired: int) -> None:
        raise AssertionError("nothing is scaled")


def count_reads(services: Sequence[Service]) -> Reads:
    """What the loop reads in an hour for `services`, with a hand-over each minute."""
    account, looks = _Counting(), 0
    for phase in range(PHASES):
        started = (phase + 0.5) * MINUTE / PHASES
        looks += _look_for_a_minute(Gatherer(services, account, account, started), services, started)
    late, keys = _Counting(), [service.key for service in services]
    gatherer = Gatherer(services, late, late, 0.0)
    gatherer.describe(keys, keys, 0.0)
    gatherer.read_late(services, 0.0)  # With no datapoint, all that may ever be late is.
    hours = PHASES / PER_HOUR
    counts = {
        name: ReadCount(times / hours, REPEATED_LOOKS * late.times[name], account.metrics[name])
        for name, times in account.times.items()
    }
    return Reads(looks / hours, counts)


def _look_for_a_minute(gatherer: Gatherer, services: Sequence[Service], started: float) -> int:
    """The looks of one invocation, as `loop.run` paces them; how many they were."""
    pace, now, looked_at, looks = Pace(), started, -inf, 0
    while now < started + MINUTE:
        gatherer.read_due(services, now)
        looks += 1
        now, looked_at = pace.next_look(now, looked_at), newest_bucket_end(now)
    return looks
