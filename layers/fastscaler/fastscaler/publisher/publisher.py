"""Publishes a task's buckets from a background thread: no request ever waits for it, or fails because of it."""

import logging
import random
import threading
import time
from collections.abc import Callable
from math import inf

from fastscaler.publisher import process_events
from fastscaler.publisher.beats import Beats
from fastscaler.publisher.collect import Collector
from fastscaler.publisher.ecs_metadata import meeting_point
from fastscaler.publisher.outbox import Outbox
from fastscaler.publisher.sinks import Sink
from fastscaler.publisher.tally import Tally
from fastscaler.publisher.workers import Workers

_LOG = logging.getLogger("fastscaler.publisher")
_RESTART = 30.0  # Seconds until a thread that could not be started is tried again.


class Publisher:
    """Collects in this process; of all worker processes of the task, one sends each bucket once it has ended.

    A bucket that cannot be sent is tried again, together with newer ones, until it is `useful_for` seconds past its
    end (the scaler ignores data older than 30 s), then dropped and counted in `dropped`. The processes of a task find
    each other by the sink's destination; one that is `alone` looks for no others and passes for a task by itself.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        bucket_seconds: int = 5,
        useful_for: float = 30.0,
        alone: bool = False,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        rng = rng or random.Random()
        self.collector = Collector(bucket_seconds, clock=clock, stopwatch=stopwatch)
        self._tally = Tally(bucket_seconds)
        self._outbox = Outbox(sink, bucket_seconds, useful_for, clock, stopwatch, rng)
        self._destination = sink.destination
        self._alone = alone
        self._clock = clock
        # PutMetricData is limited per account, and the buckets of all tasks end at once: each task calls a little later
        # (up to 1 s, or a fifth of a short bucket), always by the same number of seconds. The timestamps do not move.
        self.spread = rng.uniform(0.0, min(1.0, bucket_seconds / 5))
        self._no_start_before = -inf
        # Re-entrant: a signal handler may close the publisher while this very thread starts it.
        self._lock = threading.RLock()
        self._finishing = threading.Lock()
        self._beats: Beats | None = None
        self._thread = threading.Thread()  # Never started; stands for one that has ended.
        process_events.attend(self)
        process_events.handle_sigterm(before_others=False)

    @property
    def dropped(self) -> int:
        """Buckets, or one process's parts of buckets, that were given up."""
        return self._outbox.dropped + self._tally.lost

    def start(self, *, closed_by_caller: bool = False) -> None:
        """Begin to publish, if not begun yet. Call it in the process that serves: threads do not survive a fork.

        Without `closed_by_caller`, SIGTERM ends publishing, ahead of whatever handler there is now. Raises nothing.
        """
        if self._beats is not None:
            return
        with self._lock:
            if self._beats is None and not self._thread.is_alive() and time.monotonic() >= self._no_start_before:
                try:
                    self._start()
                except (OSError, RuntimeError) as error:  # Out of file descriptors, or of threads.
                    self._no_start_before = time.monotonic() + _RESTART
                    _LOG.warning("metrics are not published, the publisher cannot start: %s", error)
                    return
                process_events.handle_sigterm(before_others=not closed_by_caller)

    def close(self, timeout: float = 5.0) -> None:
        """Send what there is, the unfinished bucket included, and end. Waits for `timeout` seconds at most.

        What arrived while the thread was already ending is sent after it, by the caller: one more call of the sink.
        """
        self.close_soon()
        if self._thread.ident is None or self._thread is threading.current_thread():
            return
        self._thread.join(timeout)
        with self._finishing:
            if self.collector.unfetched and not self._thread.is_alive():
                self._finish()

    def close_soon(self) -> None:
        """As `close`, but wait for nothing. For signal handlers."""
        with self._lock:
            beats, self._beats = self._beats, None
            if beats is not None:
                beats.stop()

    def forked(self) -> None:
        """Begin anew in a forked child: thread, sockets and what was counted are its parent's."""
        beats, self._beats = self._beats, None
        self._lock, self._finishing, self._thread = threading.RLock(), threading.Lock(), threading.Thread()
        self.collector.forget()
        self._outbox.forget()
        self._tally.forget(self._tally.parts, None)
        if beats is not None:
            beats.abandon()

    def _start(self) -> None:
        beats = self._new_beats()
        thread = threading.Thread(target=beats.run, name="fastscaler-publisher", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            beats.abandon()
            raise
        self._beats, self._thread = beats, thread

    def _finish(self) -> None:
        try:
            beats = self._new_beats()
        except OSError as error:
            _LOG.warning("the last metrics are not published: %s", error)
            return
        beats.stop()
        beats.run()

    def _new_beats(self) -> Beats:
        workers = Workers(self._tally, self.collector.bucket_seconds, self._meeting_point)
        return Beats(self.collector, workers, self._outbox, self._clock, self.spread)

    def _meeting_point(self) -> str | None:
        return None if self._alone else meeting_point(self._destination, self.collector.bucket_seconds)
