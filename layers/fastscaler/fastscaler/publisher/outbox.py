"""Buckets that wait to be sent: tried again for as long as they are useful, then dropped and counted."""

import logging
import random
from collections import deque
from collections.abc import Callable, Iterable
from math import inf

from fastscaler.publisher.bucket import Bucket
from fastscaler.publisher.metrics import BucketMetrics
from fastscaler.publisher.sinks import Sink, SinkError

_LOG = logging.getLogger("fastscaler.publisher")
_SHORTEST_RETRY, _LONGEST_RETRY = 0.5, 4.0  # Seconds; the spread and the doubling keep a fleet from retrying in step.
_REPORTED_REASONS = 10  # Different reasons logged within one outage; the rest would only repeat them.


class Outbox:
    """Sends to one sink, and warns once per reason and outage. `clock` gives epoch seconds, `stopwatch` steady ones."""

    def __init__(
        self,
        sink: Sink,
        bucket_seconds: int,
        useful_for: float,
        clock: Callable[[], float],
        stopwatch: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.dropped = 0  # Buckets that were given up.
        self._sink = sink
        self._bucket_seconds = bucket_seconds
        self._useful_for = useful_for
        self._clock = clock
        self._stopwatch = stopwatch
        self._rng = rng
        self._pending: deque[BucketMetrics] = deque()
        self._failures = 0
        self._retry_at = -inf  # On the stopwatch.
        self._reasons: set[str] = set()

    @property
    def retry_in(self) -> float:
        """Seconds until what is pending should be tried again; endless when nothing is."""
        return max(0.0, self._retry_at - self._stopwatch()) if self._pending else inf

    def send(self, buckets: Iterable[Bucket], *, last: bool = False) -> None:
        """Send these buckets with what is pending; what is pending alone only when it is time, or at the `last`."""
        fresh = [bucket.metrics() for bucket in buckets]
        self._pending.extend(fresh)
        self._forget_useless()
        if not self._pending or not (fresh or last or self._stopwatch() >= self._retry_at):
            return
        try:
            self._sink.send(tuple(self._pending))
        except Exception as error:  # A sink of the user's own may raise anything; the thread must outlive it.
            self._failed(str(error) or type(error).__name__, isinstance(error, SinkError) and error.retryable)
        else:
            self._succeeded()
        if last:
            self.dropped += len(self._pending)
            self._pending.clear()

    def forget(self) -> None:
        """Drop what is pending, uncounted: in a forked child it is the parent's to send."""
        self._pending.clear()

    def _forget_useless(self) -> None:
        oldest = self._clock() - self._useful_for - self._bucket_seconds
        # The second condition bounds memory should the clock be set back while nothing can be sent.
        most = self._useful_for // self._bucket_seconds + 2
        while self._pending and (self._pending[0].start < oldest or len(self._pending) > most):
            self._pending.popleft()
            self.dropped += 1

    def _succeeded(self) -> None:
        self._pending.clear()
        if self._reasons:
            _LOG.warning("metrics are published again; %d buckets dropped since the start", self.dropped)
        self._reasons.clear()
        self._failures = 0

    def _failed(self, reason: str, retryable: bool) -> None:
        self._failures += 1
        longest = min(_LONGEST_RETRY, _SHORTEST_RETRY * 2.0 ** min(self._failures, 10))
        self._retry_at = self._stopwatch() + self._rng.uniform(_SHORTEST_RETRY / 2, longest)
        if not retryable:
            self.dropped += len(self._pending)
            self._pending.clear()
        if reason not in self._reasons and len(self._reasons) < _REPORTED_REASONS:
            self._reasons.add(reason)
            _LOG.warning("metrics are not published, the scaler cannot see this task: %s", reason)
