"""What the publishing thread does: hand in what this process counted, and send what is due."""

import logging
from collections.abc import Callable

from fastscaler.publisher.collect import Collector
from fastscaler.publisher.outbox import Outbox
from fastscaler.publisher.workers import Workers

_LOG = logging.getLogger("fastscaler.publisher")
_AFTER_DEFECT = 1.0  # Seconds until the next beat after one that failed in a way nobody thought of.


class Beats:
    """One beat for each bucket, and more while something is late. `spread` is in seconds past a bucket's end."""

    def __init__(
        self, collector: Collector, workers: Workers, outbox: Outbox, clock: Callable[[], float], spread: float
    ) -> None:
        self._collector = collector
        self._workers = workers
        self._outbox = outbox
        self._clock = clock
        self._spread = spread
        self._stopping = False

    def beat(self) -> float:
        """Returns the seconds until the next one."""
        self._workers.give(self._collector.ended())
        self._workers.meet(self._collector.counting)
        self._outbox.send(self._workers.due(self._clock(), self._spread))
        return min(self._workers.next_due(self._clock(), self._spread), self._outbox.retry_in)

    def finish(self) -> None:
        """Send or hand over what there is, the unfinished bucket included."""
        self._workers.give(self._collector.flush())
        self._outbox.send(self._workers.leave(self._clock()), last=True)

    def run(self) -> None:
        """Beat until `stop`, then finish. Never raises: the application must not see it."""
        while not self._stopping:
            self._workers.wait(self._safely(self.beat) or 0.0)
        self._safely(self.finish)
        self._workers.close()

    def stop(self) -> None:
        """Let `run` end. Takes no lock, so a signal handler may call it."""
        self._stopping = True
        self._workers.wake()

    def abandon(self) -> None:
        """Close what a forked child has inherited, or what no thread runs."""
        self._workers.close()

    def _safely(self, what: Callable[[], float | None]) -> float | None:
        try:
            return what()
        except Exception as error:
            _LOG.warning("metrics may be missing, the publisher met a defect: %s: %s", type(error).__name__, error)
            return _AFTER_DEFECT
