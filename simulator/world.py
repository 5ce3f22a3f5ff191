"""The simulated world: the fleet, its requests, and a record of both, second by second."""

from collections.abc import Callable

import numpy as np

from simulator.draws import Draws
from simulator.fleet import Fleet
from simulator.run import Call, Trace, Usage
from simulator.service import Service
from simulator.settings import Settings

START = 1_800_000_000.0  # Epoch seconds at which every run begins: a whole minute, so a bucket boundary too.
PROGRESS_EVERY = 600  # Simulated seconds between two reports of progress.


class World:
    """One service under the load of a trace. `now` is the seconds that have passed; nothing happens between them.

    The lists hold a figure per second that has passed; see `Run`.
    """

    def __init__(
        self, trace: Trace, settings: Settings, seed: int, progress: Callable[[int], None] = lambda second: None
    ) -> None:
        self.settings, self.draws = settings, Draws(seed)
        self.coming = [float(one) for one in trace.load]  # Requests/s. Only the oracle may look ahead.
        self.fleet = Fleet(settings, self.draws, settings.first_tasks(self.coming[0]))
        self.service = Service(settings, self.fleet)
        self.calls: list[Call] = []
        self.usage = Usage()
        self.now = 0
        self.end = len(self.coming)
        self.load: list[float] = []
        self.served: list[float] = []
        self.late: list[float] = []
        self.lost: list[float] = []
        self.queue: list[float] = []
        self.desired: list[int] = []
        self.running: list[int] = []
        self.healthy: list[int] = []
        self.billed: list[int] = []
        self.working: list[int] = []  # Tasks whose application runs, draining ones included.
        self._version = -1  # Of the fleet when its tasks were last counted.
        self._billed = self._running = self._healthy = self._working = 0
        self._progress = progress
        self._every: list[tuple[int, int, Callable[[int], None]]] = []

    def every(self, seconds: int, action: Callable[[int], None], phase: int = 0) -> None:
        """Has `action` called with the time whenever `phase` seconds more than a multiple of `seconds` have passed."""
        self._every.append((seconds, phase, action))

    def update_service(self, desired: int, at: float, reason: str = "") -> None:
        """Calls UpdateService at `at` (seconds of the run)."""
        returned = at + self.settings.update_seconds
        self.usage.updates += 1
        self.calls.append(Call(returned, self.fleet.desired, desired, reason))
        self.fleet.update(desired, returned)

    def advance(self, until: float) -> None:
        """Lets time pass: every whole second before `until`, and before the end of the trace, happens."""
        last = min(int(until), self.end)
        while self.now < last:
            self._step()

    def _step(self) -> None:
        now, fleet = self.now, self.fleet
        load = self.coming[now]
        fleet.step(now)
        second = self.service.serve(load)
        if fleet.version != self._version:
            self._version = fleet.version
            self._billed, self._running, self._healthy = fleet.billed, fleet.running, len(fleet.serving)
            self._working = fleet.billed - len(fleet.pending)
        self.load.append(load)
        self.served.append(second.served)
        self.late.append(second.late)
        self.lost.append(second.lost)
        self.queue.append(second.queue)
        self.desired.append(fleet.desired)
        self.running.append(self._running)
        self.healthy.append(self._healthy)
        self.billed.append(self._billed)
        self.working.append(self._working)
        self.now = now = now + 1
        for seconds, phase, action in self._every:
            if now % seconds == phase:
                action(now)
        if now % PROGRESS_EVERY == 0:
            self._progress(now)


def arrays(world: World) -> dict[str, np.ndarray]:
    """The record of `world` by its names in `Run`."""
    floats = {name: np.array(getattr(world, name), dtype=float) for name in ("load", "served", "late", "lost", "queue")}
    counts = {name: np.array(getattr(world, name), dtype=int) for name in ("desired", "running", "healthy", "billed")}
    return floats | counts
