"""The application's own metrics: buckets that every task publishes by itself, each with a delay of its own."""

from bisect import bisect_right
from collections import deque

import numpy as np

from fastscaler.scaling.observation import Datapoint
from simulator.draws import Floats
from simulator.fleet import Task
from simulator.world import START, World

KEPT_SECONDS = 600  # Of buckets that are kept: more than any reader looks back.


class Bucket:
    """One bucket of RequestsPerSecond: the values of the tasks in the order in which they appear."""

    __slots__ = ("_samples", "_shown", "_sums", "_visible", "start")

    def __init__(self, start: int, visible: Floats, values: Floats) -> None:
        order = np.argsort(visible, kind="stable")
        self.start = start
        self._visible: list[float] = visible[order].tolist()
        self._sums: list[float] = values[order].cumsum().tolist()
        self._samples = 0
        self._shown: Datapoint | None = None

    def at(self, now: float) -> Datapoint | None:
        """What can be seen at `now`; None for nothing yet. `now` must not go back."""
        if self._samples == len(self._visible):
            return self._shown
        samples = bisect_right(self._visible, now)
        if samples > self._samples:
            self._samples = samples
            self._shown = Datapoint(START + self.start, self._sums[samples - 1], samples)
        return self._shown


class RequestsPerSecond:
    """The metric RequestsPerSecond of every task, in buckets of `period` seconds.

    A task publishes every bucket in which it ran, zeros while it has no requests, as `fastscaler.publisher` does.
    """

    def __init__(self, world: World, period: int) -> None:
        self._world, self._settings, self.period = world, world.settings, period
        self._buckets: deque[Bucket] = deque(maxlen=KEPT_SECONDS // period)
        self._share = 0.0
        self._finished: dict[int, float] = {}
        self._version, self._stopped = -1, 0
        self._tasks: list[Task] = []
        self._numbers = np.zeros(0, dtype=np.int64)
        self._jitter = self._joined = self._left = np.zeros(0)
        world.every(period, self._close)

    def datapoints(self, now: float, window: float) -> list[Datapoint]:
        """The buckets of the last `window` seconds, as far as they have appeared, newest first."""
        found, oldest = [], now - window
        for bucket in reversed(self._buckets):
            if bucket.start < oldest:
                break
            if (shown := bucket.at(now)) is not None:
                found.append(shown)
        return found

    def averages(self, now: float, period: int, window: float) -> list[tuple[float, float]]:
        """(start, Average) of the ended periods of the last `window` seconds, each of several buckets, oldest first."""
        sums: dict[int, tuple[float, float]] = {}
        for shown in reversed(self.datapoints(now, window)):
            begin = int(shown.timestamp - START) // period * period
            total, samples = sums.get(begin, (0.0, 0.0))
            sums[begin] = total + shown.value, samples + (shown.samples or 0.0)
        return [(begin, total / samples) for begin, (total, samples) in sums.items() if begin + period <= now]

    def _close(self, now: int) -> None:
        self._regroup()
        share = self._world.service.share
        if self._settings.completions:
            values = self._completed() / self.period
        else:
            since = np.maximum(self._joined, self._share)
            values = np.maximum(np.minimum(self._left, share) - since, 0.0) / self.period
        self._share = share
        bucket = now // self.period
        delays = self._settings.visibility_sigma * self._world.draws.normal("visibility", self._numbers, bucket)
        visible = now + self._jitter + self._settings.visibility_median * np.exp(delays)
        self._buckets.append(Bucket(now - self.period, visible, values))
        self._world.usage.published += len(self._tasks)

    def _regroup(self) -> None:
        """Takes note of the tasks that publish this bucket."""
        fleet, draws = self._world.fleet, self._world.draws
        if fleet.version == self._version:
            return
        # Stopped ones once more: a publisher sends its last bucket when it is closed.
        gone = [task for task in fleet.stopped[self._stopped :] if task.running_at < task.stops_at]
        self._stopped, self._version = len(fleet.stopped), -1 if gone else fleet.version
        tasks = [*fleet.publishing(), *gone]
        if self._settings.silent_share:
            silent = self._settings.silent_share
            tasks = [task for task in tasks if draws.uniform("silence", task.number) >= silent]
        self._tasks = tasks
        self._numbers = np.array([task.number for task in tasks], dtype=np.int64)
        self._jitter = self._settings.publish_jitter * draws.uniform("jitter", self._numbers)
        self._joined = np.array([task.joined for task in tasks])
        self._left = np.array([task.left for task in tasks])

    def _completed(self) -> Floats:
        finished = self._world.service.finished()
        before, self._finished = self._finished, finished
        done = [max(0.0, finished.get(task.number, 0.0) - before.get(task.number, 0.0)) for task in self._tasks]
        return np.array(done)
