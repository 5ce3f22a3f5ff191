"""The run: at the end of every bucket, publish what the tasks would have published."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Literal, Protocol

from aws_lambda_powertools import Logger
from load_profile import LoadProfile, ThenRest, mean_rate
from synthetic_event import SyntheticEvent
from task_count import TaskCountUnknown
from virtual_tasks import VirtualTasks

from fastscaler.publisher.metrics import BucketMetrics
from fastscaler.publisher.sinks import SinkError

BUCKET_SECONDS = 5
# Seconds kept free before the deadline: a beat's two calls to PutMetricData (3 + 2 s each), one to DescribeServices
# (at most 6 s with its retry), and a little to return.
_RESERVE = 18.0
_PAUSE = 0.5  # Seconds before a failed call is tried once more.


class Clock(Protocol):
    """Wall-clock time in epoch seconds."""

    def now(self) -> float: ...

    def sleep_until(self, at: float) -> None:
        """Return at `at`, or at once where that is past."""


class TaskCount(Protocol):
    """The number of tasks that share the load; `read` raises `TaskCountUnknown`."""

    def read(self) -> int: ...


class MetricSink(Protocol):
    """Where a bucket goes; `send` raises `SinkError`. `calls` counts the PutMetricData calls that succeeded."""

    calls: int

    def send(self, buckets: Sequence[BucketMetrics]) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def sleep_until(self, at: float) -> None:
        time.sleep(max(0.0, at - time.time()))


@dataclass(slots=True)
class Summary:
    """What a run did. Times are epoch seconds; None where there was nothing."""

    profile: str
    beats: int = 0  # Buckets published.
    values_published: int = 0  # Entries of Values arrays, over all metrics.
    put_calls: int = 0
    peak_requests_per_second: float = 0.0  # Highest mean of one published bucket, of the whole service.
    first_bucket: int | None = None  # Start of the first bucket published.
    last_bucket: int | None = None
    surge_at: float | None = None  # When the load jumped; None also where the run ended before it.
    surge_published_at: float | None = None  # When the bucket of the jump had been published.
    beats_without_tasks: int = 0  # Buckets not published because no task was running.
    beats_failed: int = 0  # Buckets that could not be published.
    ended_by: Literal["profile", "deadline"] = "profile"


def run(
    event: SyntheticEvent, sink: MetricSink, tasks: TaskCount, clock: Clock, deadline: float, log: Logger
) -> Summary:
    """Publish the whole profile in real time, and end well before `deadline` (epoch seconds).

    Second 0 of the profile is the next bucket boundary. Raises `TaskCountUnknown` if the number of tasks was never
    known, and `SinkError` if the first bucket cannot be published: such a run would be of no use to its end.
    """
    profile: LoadProfile = event.load()
    if event.rest_seconds:
        profile = ThenRest(profile, event.duration_seconds - event.rest_seconds, event.rest_load)
    virtual = VirtualTasks(event.task_capacity, event.base_response_time_seconds, event.spread, event.seed)
    origin = ceil(clock.now() / BUCKET_SECONDS) * BUCKET_SECONDS
    surge_at = None if profile.jump is None else origin + profile.jump
    log.info("profile begins", profile=event.profile, origin=origin, surge_at=surge_at)
    summary = Summary(event.profile)
    count: int | None = None
    for beat in range(ceil(event.duration_seconds / BUCKET_SECONDS)):
        start = origin + beat * BUCKET_SECONDS
        end = start + BUCKET_SECONDS
        if end + _RESERVE > deadline:
            summary.ended_by = "deadline"
            break
        # Read while the bucket still runs: the call must not delay what is published at its end.
        count = _count(tasks, count, log)
        clock.sleep_until(end)
        if surge_at is not None and surge_at < end:
            summary.surge_at = surge_at
        if count == 0:
            log.warning("no task is running: nothing is published", bucket=start)
            summary.beats_without_tasks += 1
            continue
        load = mean_rate(profile, start - origin, end - origin)
        _publish(virtual.publish(load, count, start, BUCKET_SECONDS, beat), load, sink, clock, log, summary)
        if summary.surge_at is not None and start <= summary.surge_at < end and summary.last_bucket == start:
            summary.surge_published_at = clock.now()
    summary.put_calls = sink.calls
    log.info("profile ends", summary=asdict(summary))
    return summary


def _count(tasks: TaskCount, last: int | None, log: Logger) -> int:
    """The number of tasks now; the last known one where ECS does not answer."""
    try:
        return tasks.read()
    except TaskCountUnknown as error:
        if last is None:
            raise
        log.warning("the last known number of tasks is used", tasks=last, reason=str(error))
        return last


def _publish(bucket: BucketMetrics, load: float, sink: MetricSink, clock: Clock, log: Logger, summary: Summary) -> None:
    try:
        _send(bucket, sink, clock)
    except SinkError as error:
        if summary.beats == 0:
            raise
        log.warning("bucket not published", bucket=bucket.start, reason=str(error))
        summary.beats_failed += 1
        return
    log.debug("bucket published", bucket=bucket.start, requests_per_second=load)
    summary.beats += 1
    summary.values_published += sum(len({sample.value for sample in metric.samples}) for metric in bucket.metrics)
    summary.peak_requests_per_second = max(summary.peak_requests_per_second, load)
    summary.first_bucket = bucket.start if summary.first_bucket is None else summary.first_bucket
    summary.last_bucket = bucket.start


def _send(bucket: BucketMetrics, sink: MetricSink, clock: Clock) -> None:
    try:
        sink.send((bucket,))
    except SinkError as error:
        if not error.retryable:
            raise
        clock.sleep_until(clock.now() + _PAUSE)
        sink.send((bucket,))
