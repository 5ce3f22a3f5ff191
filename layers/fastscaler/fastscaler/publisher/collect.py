"""Counts what happens inside one process, in buckets that are aligned to the wall clock.

Every event falls into the bucket of its own time, so a publishing thread that comes late loses and shifts nothing.
Within a bucket only the stopwatch is read, which never steps; the wall clock is asked where a bucket begins.

What runs for every request takes its lock by `acquire` and `release`: `with` costs twice as much, and there are three.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from math import inf

from fastscaler.publisher.bucket import Bucket, bucket_start
from fastscaler.publisher.distribution import Distribution

_CLOCK_STEP = 1.0  # Seconds by which wall clock and stopwatch may disagree before it counts as a step of the clock.
_LONGEST_GAP = 60  # Seconds. Longer without an event or a fetch is a clock step or a frozen process, not idleness.
_KEPT_BUCKETS = 120  # Ended buckets that wait to be fetched; bounds memory when nobody fetches them.


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
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(bucket_seconds, int) or not 1 <= bucket_seconds <= 60:
            raise ValueError(f"bucket_seconds = {bucket_seconds}: must be a whole number from 1 to 60")
        self.bucket_seconds = bucket_seconds
        self._clock = clock
        self._stopwatch = stopwatch
        self.forget()

    def forget(self) -> None:
        """Begin anew, at zero: what a fork leaves in the child was counted by the parent, which publishes it."""
        # Re-entrant: the garbage collector may close an abandoned request while this very thread holds the lock.
        self._lock = threading.RLock()
        self._open = _OpenBucket(-1, -inf, self.bucket_seconds)
        self._ended: deque[Bucket] = deque(maxlen=_KEPT_BUCKETS)
        self._active = 0
        self._life = object()  # Requests of an earlier life change nothing any more.

    @property
    def active(self) -> int:
        """Requests and connections that are open now."""
        return self._active

    @property
    def counting(self) -> int:
        """Start of the bucket that is counted in now, as far as `ended` knows."""
        return self._open.start

    @property
    def unfetched(self) -> int:
        """Requests that have arrived in buckets which were not fetched yet, the open one included."""
        with self._lock:
            return self._open.arrivals + sum(bucket.arrivals for bucket in self._ended)

    def request(self) -> "InFlight":
        """A request has arrived, or a websocket: counted at once, active until the result's `end`."""
        now = self._stopwatch()
        lock = self._lock
        lock.acquire()
        try:
            bucket = self._open
            if now >= bucket.ends:
                bucket = self._turn(now)
            bucket.arrivals += 1
            bucket.area += bucket.ends - now
            self._active += 1
            return InFlight(self, self._life, now)
        finally:
            lock.release()

    def ended(self) -> list[Bucket]:
        """The buckets that have ended since the last call, oldest first; idle ones with zeros."""
        now = self._stopwatch()
        with self._lock:
            if now >= self._open.ends or self._stepped(now):
                self._turn(now)
            return self._fetch()

    def flush(self) -> list[Bucket]:
        """All buckets not fetched yet, and the open one as far as it got. Counting goes on in the rest of it.

        An open bucket in which nothing has happened is left out: at the end of a process it would say nothing, and
        beside that of a worker which ended a moment earlier it would pass for another task.
        """
        now = self._stopwatch()
        with self._lock:
            if now >= self._open.ends or self._stepped(now):
                self._turn(now)
            begun = self._open.close(now, self._active, self.bucket_seconds)
            if not begun.idle:
                self._ended.append(begun)
            self._open = _OpenBucket(-1, -inf, self.bucket_seconds)
            self._turn(now)
            return self._fetch()

    def _fetch(self) -> list[Bucket]:
        buckets = list(self._ended)
        self._ended.clear()
        return buckets

    def _stepped(self, now: float) -> bool:
        expected = self._open.start + self.bucket_seconds - (self._open.ends - now)
        return abs(self._clock() - expected) > _CLOCK_STEP

    def _turn(self, now: float) -> "_OpenBucket":
        """End the open bucket, fill the idle time since with zeros, and open the bucket of `now`. The lock is held."""
        old, wall, seconds = self._open, self._clock(), self.bucket_seconds
        start = bucket_start(wall, seconds)
        ends = now + start + seconds - wall
        if start == old.start:  # The wall clock runs behind the stopwatch: the bucket is not over yet.
            old.area += self._active * (ends - old.ends)
            old.length += ends - old.ends
            old.ends = ends
            return old
        gap = start - old.start
        follows = old.start >= 0 and 0 < gap <= _LONGEST_GAP + seconds
        new = _OpenBucket(start, ends, seconds)
        new.area = self._active * (seconds if follows else ends - now)
        ended = [] if old.start < 0 else [old.close(now, self._active, seconds)]
        if follows:
            idle = range(old.start + seconds, start, seconds)
            ended += [Bucket(begin, seconds, arrivals=0, active=float(self._active)) for begin in idle]
        if self._open is not old:  # A request closed by the garbage collector just now, in this thread, was here first.
            return self._open
        self._open = new
        self._ended.extend(ended)
        return new


class InFlight:
    """One open request or connection. Ending it twice changes nothing, so the gauge cannot leak or go below zero."""

    __slots__ = ("_collector", "_life", "_since")

    def __init__(self, collector: Collector, life: object, since: float) -> None:
        self._collector = collector
        self._life: object | None = life  # None once it is over.
        self._since: float | None = since  # Stopwatch seconds; None once it is answered.

    def responded(self, status: int = 200) -> None:
        """The response begins: its time counts, once. What a client takes to read the rest is not the task's time."""
        since, collector = self._since, self._collector
        if since is None:
            return
        self._since = None
        now = collector._stopwatch()
        lock = collector._lock
        lock.acquire()
        try:
            if self._life is not collector._life:
                return
            bucket = collector._open
            if now >= bucket.ends:
                bucket = collector._turn(now)
            bucket.response_times.add(now - since)
            if status >= 500:
                bucket.errors += 1
        finally:
            lock.release()

    def end(self, error: BaseException | None = None) -> None:
        """The request or connection is over, whether answered, failed with `error`, or aborted."""
        # The server answers an Exception, and silence, with a 500. It answers no cancellation: no response time.
        if self._since is not None and (error is None or isinstance(error, Exception)):
            self.responded(500)
        life, self._life = self._life, None
        collector = self._collector
        now = collector._stopwatch()
        lock = collector._lock
        lock.acquire()
        try:
            if life is not collector._life:
                return
            bucket = collector._open
            if now >= bucket.ends:
                bucket = collector._turn(now)
            bucket.area -= bucket.ends - now
            collector._active -= 1
        finally:
            lock.release()


class _OpenBucket:
    """The bucket that is being counted. `start` is in epoch seconds, `ends` on the stopwatch.

    `area` is active requests integrated over time, in request-seconds, as if what is active stayed so until `ends`.
    """

    __slots__ = ("area", "arrivals", "ends", "errors", "length", "response_times", "start")

    def __init__(self, start: int, ends: float, length: float) -> None:
        self.start = start  # Below 0 where nothing is counted yet.
        self.ends = ends
        self.length = length  # Seconds; a clock that is set back by a little makes it longer than its name says.
        self.arrivals = 0
        self.area = 0.0
        self.errors = 0
        self.response_times = Distribution()

    def close(self, now: float, active: int, seconds: int) -> Bucket:
        area = self.area - active * max(0.0, self.ends - now)
        return Bucket(
            self.start, seconds, self.arrivals, max(0.0, area) / self.length, self.errors, self.response_times.bins()
        )
