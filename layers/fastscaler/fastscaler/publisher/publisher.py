"""Publishes a process's buckets from a background thread: no request ever waits for it, or fails because of it."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable

from fastscaler.publisher.collect import Collector, bucket_start
from fastscaler.publisher.metrics import BucketMetrics
from fastscaler.publisher.sinks import Sink, SinkError

_LOG = logging.getLogger("fastscaler.publisher")
_SHORTEST_RETRY, _LONGEST_RETRY = 0.5, 4.0  # Seconds; the spread and the doubling keep a fleet from retrying in step.
_REPORTED_REASONS = 10  # Different reasons logged within one outage; the rest would only repeat them.


class Publisher:
    """Collects in one process and sends each bucket once it has ended.

    A bucket that cannot be sent is tried again, together with newer ones, until it is `useful_for` seconds past its
    end (the scaler ignores data older than 30 s), then dropped and counted in `dropped`. One publisher per task: two
    processes that publish for the same task would each pass for a task.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        bucket_seconds: int = 5,
        useful_for: float = 30.0,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.collector = Collector(bucket_seconds, clock=clock)
        self.dropped = 0  # Buckets that were given up.
        self._sink = sink
        self._useful_for = useful_for
        self._clock = clock
        self._rng = rng or random.Random()
        # PutMetricData is limited per account, and the buckets of all tasks end at once: each task calls a little later
        # (up to 1 s, or a fifth of a short bucket), always by the same amount. The timestamps do not move.
        self._jitter = self._rng.uniform(0.0, min(1.0, bucket_seconds / 5))
        self._pending: deque[BucketMetrics] = deque()
        self._failures = 0
        self._reasons: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to publish, if not begun yet. Call it in the process that serves: threads do not survive a fork."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._stop.clear()
                self._thread = threading.Thread(target=self._run, name="fastscaler-publisher", daemon=True)
                self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Send what there is, the unfinished bucket included, and end. Waits for `timeout` seconds at most."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join(timeout)

    def beat(self) -> float:
        """Send every bucket that has ended; what the thread does each time. Returns the seconds until the next beat."""
        self._pending.extend(bucket.metrics() for bucket in self.collector.ended())
        self._forget_useless()
        sent = self._send()
        now, seconds = self._clock(), self.collector.bucket_seconds
        next_bucket = bucket_start(now, seconds) + seconds + self._jitter - now
        return next_bucket if sent else min(next_bucket, self._backoff())

    def _run(self) -> None:
        delay = self.beat()
        while not self._stop.wait(delay):
            delay = self.beat()
        self._pending.extend(bucket.metrics() for bucket in self.collector.flush())
        self._send()

    def _forget_useless(self) -> None:
        oldest = self._clock() - self._useful_for - self.collector.bucket_seconds
        # The second condition bounds memory should the clock be set back while nothing can be sent.
        most = self._useful_for // self.collector.bucket_seconds + 2
        while self._pending and (self._pending[0].start < oldest or len(self._pending) > most):
            self._pending.popleft()
            self.dropped += 1

    def _send(self) -> bool:
        """Whether nothing is left to send."""
        if not self._pending:
            return True
        try:
            self._sink.send(tuple(self._pending))
        except Exception as error:  # A sink of the user's own may raise anything; the thread must outlive it.
            retryable = isinstance(error, SinkError) and error.retryable
            self._failed(str(error) or type(error).__name__, retryable)
            return not retryable
        self._pending.clear()
        if self._reasons:
            _LOG.warning("metrics are published again; %d buckets dropped since the start", self.dropped)
        self._reasons.clear()
        self._failures = 0
        return True

    def _failed(self, reason: str, retryable: bool) -> None:
        self._failures += 1
        if not retryable:
            self.dropped += len(self._pending)
            self._pending.clear()
        if reason not in self._reasons and len(self._reasons) < _REPORTED_REASONS:
            self._reasons.add(reason)
            _LOG.warning("metrics are not published, the scaler cannot see this task: %s", reason)

    def _backoff(self) -> float:
        longest = min(_LONGEST_RETRY, _SHORTEST_RETRY * 2.0 ** min(self._failures, 10))
        return self._rng.uniform(_SHORTEST_RETRY / 2, longest)
