"""What one tick has seen of a service, with "no data" as a value of its own.

A datapoint is judged by who reported it: a 5 s bucket is published by every task by itself, so the newest one is often
only partly there. `read_metric` turns raw datapoints into readings that say how complete and how old they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import isfinite

from fastscaler.scaling.metric import Metric, MetricExpression
from fastscaler.scaling.policy import Direction

COMPLETE_COVERAGE = 0.8  # Share of the expected reporters that makes a bucket complete (design: 80%).
REPRESENTATIVE_COVERAGE = 0.5  # Share of the expected reporters that may speak for those that are missing.
PARTIAL_SCALES_AFTER = 5.0  # Seconds after which an incomplete bucket is scaled up by its coverage.
RECENT_REPORTERS = 30.0  # Seconds in which a task must have reported to be expected to report again.
MINUTE = 60.0  # Period of the load balancer's counters, the finest that AWS/ApplicationELB has.
RECENT_MINUTES = 4  # The minute that goes on, one that may be incomplete, and the last two complete ones.


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One bucket of CloudWatch's. `value` is the Sum of a per-task metric, else the metric's own statistic."""

    timestamp: float
    value: float
    samples: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a metric says. Times in seconds.

    `value` is what one task carries (per-task metrics) or the statistic itself; `total` is the load of the whole
    service, None where the metric is not per task. `age` counts from the end of the bucket. `reporters` are the
    tasks in the bucket, `expected` those that should be, `coverage` the share that is; all three are None for metrics
    that are not one sample per task.
    """

    value: float
    timestamp: float
    age: float
    complete: bool = True
    total: float | None = None
    reporters: int | None = None
    expected: int | None = None
    coverage: float | None = None


@dataclass(frozen=True, slots=True)
class NoData:
    """The absence of a reading. `age` is how long ago the newest bucket ended, infinite where there was none.

    `failed`: the metric could not be read, so that its silence says nothing.
    """

    reason: str
    age: float = float("inf")
    failed: bool = False


@dataclass(frozen=True, slots=True)
class MetricReading:
    """The newest complete bucket of a metric and, where newer ones are incomplete, the one that shows most load."""

    complete: Reading | NoData
    partial: Reading | None = None


@dataclass(frozen=True, slots=True)
class LoadBalancerReading:
    """The load balancer's counters of the last minutes.

    `requests_per_second` is the latest rate, `peak_requests_per_second` the highest of the last two complete minutes;
    both are None where there was no datapoint: an idle load balancer reports nothing. `timestamp` is the start of the
    newest minute, epoch seconds.
    """

    requests_per_second: float | None = None
    peak_requests_per_second: float | None = None
    timestamp: float = 0.0
    rejected_connections: float = 0.0
    error_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Floor:
    """A minimum that a pre-warm directive set for `service` (`cluster/service`): whose, why, until when (epoch s)."""

    service: str
    owner: str
    min_capacity: int
    expires_at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """One direction in which `service` (`cluster/service`) must not move until `expires_at` (epoch seconds)."""

    service: str
    direction: Direction
    expires_at: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What DescribeServices says of the service. Counts are tasks, `target_groups` are ARNs.

    `deployment` is the id of the deployment that new tasks belong to; empty where ECS names none.
    """

    desired: int
    running: int
    pending: int = 0
    status: str = "ACTIVE"
    scheduling_strategy: str = "REPLICA"
    express_managed: bool = False
    deployment_in_progress: bool = False
    target_groups: tuple[str, ...] = ()
    deployment: str = ""


@dataclass(frozen=True, slots=True)
class FailedLaunch:
    """A task that stopped before it was RUNNING: when (epoch seconds), and ECS's reason in one line."""

    stopped_at: float
    reason: str


@dataclass(frozen=True, slots=True)
class LaunchCheck:
    """What was asked at `at` (epoch seconds): the launches that failed lately, None where ECS did not tell."""

    at: float
    failed: Sequence[FailedLaunch] | None


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that one decision is made from, besides policy, memory and time.

    `launches` is the last answer about failed launches, None where nobody has asked.
    """

    state: ServiceState
    metrics: Mapping[str, MetricReading]
    load_balancer: LoadBalancerReading | NoData | None = None
    floors: Sequence[Floor] = ()
    paused: frozenset[Direction] = field(default_factory=frozenset)
    launches: LaunchCheck | None = None


def read_metric(
    metric: Metric | MetricExpression,
    datapoints: Sequence[Datapoint],
    running: int,
    stale_after: float,
    now: float,
    *,
    read_at: float | None = None,
    settles_after: float = PARTIAL_SCALES_AFTER,
) -> MetricReading:
    """The readings of one metric at `now` (epoch seconds).

    `datapoints` come in any order, as they were at `read_at` (default: now); those that are not numbers, or whose
    bucket has not ended, do not count. A load that tasks share is no load below zero. `running` bounds how many tasks
    can be expected to report. `settles_after`: seconds in which a datapoint without a sample per task still changes.
    """
    read_at = now if read_at is None else read_at
    usable = sorted(
        (point for point in datapoints if point.timestamp + metric.period <= now and _is_valid(point, metric)),
        key=lambda point: point.timestamp,
        reverse=True,
    )
    if not usable:
        return MetricReading(NoData("no datapoints"))
    newest_age = now - usable[0].timestamp - metric.period
    if newest_age > stale_after:
        return MetricReading(NoData("stale", newest_age))
    if not metric.per_task:
        return _by_age(metric, usable, stale_after, now, read_at - settles_after)
    expected = _expected_reporters(usable, running)
    incomplete: list[Reading] = []
    for point in usable:
        reading = _per_task_reading(point, metric.period, expected, now, read_at)
        if reading.age > stale_after:
            break
        if reading.complete:
            return MetricReading(reading, _partial(incomplete))
        incomplete.append(reading)
    return MetricReading(NoData("incomplete", newest_age), _partial(incomplete))


def _by_age(
    metric: Metric | MetricExpression, points: Sequence[Datapoint], stale_after: float, now: float, settled: float
) -> MetricReading:
    """Without a sample per task nothing tells who has reported, so a young bucket may only add tasks.

    Young is one that had not ended at `settled` (epoch seconds): what it was when it was read may have been a part.
    """
    readings = [Reading(point.value, point.timestamp, now - point.timestamp - metric.period) for point in points]
    complete = next((one for one in readings if one.timestamp + metric.period <= settled), None)
    young = [one for one in readings if one.age <= stale_after and (not complete or one.timestamp > complete.timestamp)]
    # The newest may have hardly begun to fill, so the one before it speaks as well.
    most = max(young[:2], key=lambda one: one.value, default=None)
    partial = None if most is None else replace(most, complete=False)
    if complete is not None and complete.age <= stale_after:
        return MetricReading(complete, partial)
    return MetricReading(NoData("incomplete", readings[0].age), partial)


def _is_valid(point: Datapoint, metric: Metric | MetricExpression) -> bool:
    if not isfinite(point.value) or (metric.is_shared_load and point.value < 0):
        return False
    if not metric.per_task:
        return True
    return point.samples is not None and isfinite(point.samples) and point.samples >= 1


def _expected_reporters(points: Sequence[Datapoint], running: int) -> float:
    """Tasks that reported recently and still run. Not every running task: one silent task must not blind the scaler."""
    horizon = points[0].timestamp - RECENT_REPORTERS
    recent = max(point.samples or 0.0 for point in points if point.timestamp >= horizon)
    return min(recent, running) if running else recent


def _partial(incomplete: Sequence[Reading]) -> Reading | None:
    """Of incomplete buckets, newest first, the one with more load: the newest, or the newest that nobody adds to."""
    settled = (reading for reading in incomplete if reading.age > PARTIAL_SCALES_AFTER)
    candidates = [*incomplete[:1], *islice(settled, 1)]
    return max(candidates, key=lambda reading: reading.total or 0.0, default=None)


def _per_task_reading(point: Datapoint, period: int, expected: float, now: float, read_at: float) -> Reading:
    samples = point.samples or 1.0
    coverage = min(1.0, samples / expected)
    age = now - point.timestamp - period
    complete = coverage >= COMPLETE_COVERAGE
    # A young incomplete bucket counts for what is there and no more: its Sum can only grow.
    # So does an old one with few reporters: one hot task must not be taken for all of them.
    settled = read_at - point.timestamp - period > PARTIAL_SCALES_AFTER
    representative = complete or (settled and coverage >= REPRESENTATIVE_COVERAGE)
    total = point.value / coverage if representative else point.value
    return Reading(
        value=point.value / samples,
        timestamp=point.timestamp,
        age=age,
        complete=complete,
        total=total,
        reporters=int(samples),
        expected=int(expected),
        coverage=coverage,
    )


def read_load_balancer(
    requests: Sequence[Datapoint],
    rejected: Sequence[Datapoint],
    errors: Sequence[Datapoint],
    now: float,
    all_requests: Sequence[Datapoint] = (),
) -> LoadBalancerReading:
    """The load balancer's counters at `now`, from one-minute Sums.

    The newest minute is always incomplete until a minute has passed over its end, so its rate is a lower bound and
    only the minutes before it are taken at their word. `requests` are the service's own; `errors` and `all_requests`
    are of the whole load balancer. Where the latter are not known, all errors are taken to be of the service.
    """
    by_minute = {point.timestamp: point.value for point in requests if isfinite(point.value) and point.value >= 0}
    error_share = min(1.0, _sum(errors) / max(1.0, sum(by_minute.values()), _sum(all_requests)))
    # A counter without requests has no datapoint, so the newest ones may be of long ago.
    minutes = sorted((minute for minute in by_minute if minute > now - RECENT_MINUTES * MINUTE), reverse=True)
    if not minutes:
        return LoadBalancerReading(rejected_connections=_sum(rejected), error_share=error_share)
    settled = minutes if minutes[0] + 2 * MINUTE <= now else minutes[1:]
    latest = [by_minute[minutes[0]], *(by_minute[minute] for minute in settled[:1])]
    peak = [by_minute[minutes[0]], *(by_minute[minute] for minute in settled[:2])]
    return LoadBalancerReading(
        requests_per_second=max(latest) / MINUTE,
        peak_requests_per_second=max(peak) / MINUTE,
        timestamp=minutes[0],
        rejected_connections=_sum(rejected),
        error_share=error_share,
    )


def _sum(points: Sequence[Datapoint]) -> float:
    return sum(point.value for point in points if isfinite(point.value))
