"""Counts what happens inside one process, in buckets that are aligned to the wall clock.

Every event falls into the bucket of its own time, so a publishing thread that comes late loses and shifts nothing.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fastscaler.publisher.distribution import Distribution
from fastscaler.publisher.metrics import (
    ACTIVE_CONNECTIONS,
    AVERAGE_RESPONSE_TIME,
    REQUESTS_PER_SECOND,
    BucketMetrics,
    Metric,
    Sample,
)

_CLOCK_WOBBLE = 1.0  # Seconds. A clock that goes back no further keeps its bucket: no bucket is published twice for it.
_LONGEST_GAP = (
    60  # Seconds. A longer time without an event or a fetch is a clock step or a frozen process, not idleness.
)
_KEPT_BUCKETS = 120  # Ended buckets that wait to be fetched; bounds memory when nobody fetches them.


def bucket_start(at: float, seconds: int) -> int:
    """Start of the bucket that contains `at`, both in epoch seconds. Buckets of all tasks begin at the same moments."""
    return int(at // seconds) * seconds


@dataclass(frozen=True, slots=True)
class Bucket:
    """One ended bucket. `arrivals` in requests; `active` is the mean number of open requests and connections."""

    start: int
    seconds: int
    arrivals: int
    active: float
    response_times: tuple[Sample, ...]

    def metrics(self) -> BucketMetrics:
        """The metrics to publish. Load and connections are published while idle too: only a broken task is silent.

        Response time is left out of a bucket without responses: a zero would be a measurement that nobody made.
        """
        per_task = (
            Metric(REQUESTS_PER_SECOND, (Sample(self.arrivals / self.seconds),)),
            Metric(ACTIVE_CONNECTIONS, (Sample(self.active),)),
        )
        if not self.response_times:
            return BucketMetrics(self.start, per_task)
        return BucketMetrics(self.start, (*per_task, Metric(AVERAGE_RESPONSE_TIME, self.response_times)))


class Collector:
    """Thread-safe counters of one process.

    `bucket_seconds` is 1 to 60; CloudWatch reads back periods of 1, 5, 10, 20, 30 and 60 s. `clock` gives epoch
    seconds, `stopwatch` seconds that never go back.
    """

    def __init__(
        self,
        bucket_seconds: int = 5,
        *,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not isinstance(bucket_seconds, int) or not 1 <= bucket_seconds <= 60:
            raise ValueError(f"bucket_seconds = {bucket_seconds}: must be a whole number from 1 to 60")
        self.bucket_seconds = bucket_seconds
        self._clock = clock
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._open: _OpenBucket | None = None
        self._ended: deque[Bucket] = deque(maxlen=_KEPT_BUCKETS)
        self._active = 0

    @property
    def active(self) -> int:
        """Requests and connections that are open now."""
        return self._active

    def request(self) -> "InFlight":
        """A request has arrived: counted at once, active until the result is finished (use it as a context manager)."""
        return self._arrive(timed=True)

    def connection(self) -> "InFlight":
        """A websocket has been opened. It arrives and is active like a request, but its life is no response time."""
        return self._arrive(timed=False)

    def ended(self) -> list[Bucket]:
        """The buckets that have ended since the last call, oldest first; idle ones with zeros."""
        with self._lock:
            self._at(self._clock())
            return self._fetch()

    def flush(self) -> list[Bucket]:
        """All buckets not fetched yet, and the open one as far as it got. Counting goes on in a new bucket."""
        with self._lock:
            self._ended.append(self._at(self._clock()).close())
            self._open = None
            return self._fetch()

    def _fetch(self) -> list[Bucket]:
        buckets = list(self._ended)
        self._ended.clear()
        return buckets

    def _arrive(self, timed: bool) -> "InFlight":
        with self._lock:
            self._at(self._clock()).arrivals += 1
            self._active += 1
        return InFlight(self, self._stopwatch() if timed else None)

    def _leave(self, one: "InFlight") -> None:
        with self._lock:
            self._at(self._clock())
            self._active -= one.open
            one.open = False

    def _respond(self, one: "InFlight") -> None:
        now = self._stopwatch()
        with self._lock:
            bucket = self._at(self._clock())
            if one.open and one.since is not None:
                bucket.response_times.add(now - one.since)
                one.since = None

    def _at(self, now: float) -> "_OpenBucket":
        """The bucket of this moment, with the gauge accounted for until now. The lock is held."""
        bucket = self._open
        if bucket is None:
            bucket = self._open = _OpenBucket(bucket_start(now, self.bucket_seconds), self.bucket_seconds, now)
        elif not bucket.earliest <= now < bucket.end:
            bucket = self._open = self._turn(bucket, now)
        bucket.account(now, self._active)
        return bucket

    def _turn(self, bucket: "_OpenBucket", now: float) -> "_OpenBucket":
        """End `bucket`, fill the idle time since with zeros, and open the bucket of `now`."""
        seconds = self.bucket_seconds
        start = bucket_start(now, seconds)
        bucket.account(min(now, bucket.end), self._active)
        self._ended.append(bucket.close())
        if start - bucket.start <= _LONGEST_GAP + seconds:
            for idle in range(bucket.start + seconds, start, seconds):
                self._ended.append(Bucket(idle, seconds, arrivals=0, active=float(self._active), response_times=()))
        return _OpenBucket(start, seconds, float(start))


class InFlight:
    """One open request or connection. Finishing it twice changes nothing, so the gauge cannot leak or go below zero."""

    __slots__ = ("_collector", "open", "since")

    def __init__(self, collector: Collector, since: float | None) -> None:
        self._collector = collector
        self.since = since  # Stopwatch seconds; None when there is no response time to wait for.
        self.open = True

    def responded(self) -> None:
        """The response begins: its time counts, once. What a client takes to read the rest is not the task's time."""
        self._collector._respond(self)

    def finish(self) -> None:
        """The request or connection is over, whether answered or aborted."""
        self._collector._leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The server answers an Exception with a 500. It answers no cancellation: no response, no response time.
        if self.since is not None and (kind is None or issubclass(kind, Exception)):
            self.responded()
        self.finish()


class _OpenBucket:
    """The bucket that is being counted. `area` is active requests integrated over time, in request-seconds."""

    __slots__ = ("area", "arrivals", "earliest", "end", "last", "response_times", "seconds", "start")

    def __init__(self, start: int, seconds: int, since: float) -> None:
        self.start = start
        self.end = start + seconds
        self.earliest = start - _CLOCK_WOBBLE
        self.seconds = seconds
        self.arrivals = 0
        self.area = 0.0
        self.last = since
        self.response_times = Distribution()

    def account(self, now: float, active: int) -> None:
        if now > self.last:
            self.area += active * (now - self.last)
            self.last = now

    def close(self) -> Bucket:
        mean_active = round(self.area / self.seconds, 3)
        return Bucket(self.start, self.seconds, self.arrivals, mean_active, self.response_times.samples())
