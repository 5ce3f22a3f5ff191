"""What happens to the requests: shared among healthy tasks, answered in time, late, or lost.

The load is a fluid: a second brings `load` requests, which the load balancer spreads evenly (round robin) whatever a
task has waiting. What a task cannot finish waits in its queue, and what would wait longer than the time-out is lost at
once; a real server would go on working on some of those, so a saturated task is a little kinder here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.draws import Floats
from simulator.fleet import Fleet, Task
from simulator.settings import ROUNDING, Settings


@dataclass(frozen=True, slots=True)
class Second:
    """What one second did, in requests; `queue` is what waits at its end."""

    served: float
    late: float
    lost: float
    queue: float


class Service:
    """The requests of one service. Each second calls `serve` once, after the fleet has been brought to it.

    `share` is what every serving task has had since the beginning of the run; `responses` are seconds, one per serving
    task or one for all of them, of the requests that came in the last second.
    """

    def __init__(self, settings: Settings, fleet: Fleet) -> None:
        self._fleet, self._capacity = fleet, settings.task_capacity
        self._service_time = settings.service_time
        self._objective = settings.objective * (1 + ROUNDING)
        self._busiest, self._most = settings.busiest, settings.time_out * settings.task_capacity
        self.share = 0.0
        self.responses: Floats | float = settings.service_time
        self._version = -1
        self._serving: Sequence[Task] = ()
        self._queues = self._lost = np.zeros(0)
        self._queued = False
        self._in_service = 0.0  # Requests at work in each task.

    def serve(self, load: float) -> Second:
        """Takes in the requests of one second."""
        fleet = self._fleet
        if fleet.version != self._version:
            self._regroup()
        leaving = self._drain() if fleet.draining else 0.0
        tasks = len(self._serving)
        if not tasks:
            # No target: the load balancer answers 503.
            self._in_service = 0.0
            return Second(leaving, 0.0, load, self._waiting())
        share = load / tasks
        self.share += share
        utilisation = min(share / self._capacity, self._busiest)
        response = self._service_time / (1 - utilisation)
        self._in_service = min(share, self._capacity) * response
        if not self._queued and share <= self._capacity:
            self.responses = response
            late = load if response > self._objective else 0.0
            return Second(load + leaving, late, 0.0, self._waiting())
        return self._overloaded(share, response, leaving)

    def _overloaded(self, share: float, response: float, leaving: float) -> Second:
        before = self._queues
        work = before + share
        done = np.minimum(work, self._capacity)
        over = np.maximum(work - done - self._most, 0.0)
        self._queues = work - done - over
        self._lost += over
        self.responses = response + (before + self._queues) / (2 * self._capacity)
        late = float((share - over)[self.responses > self._objective].sum())
        queue = float(self._queues.sum())
        self._queued = queue > 0
        return Second(float(done.sum()) + leaving, late, float(over.sum()), queue + self._waiting_in_leaving())

    def _drain(self) -> float:
        """What draining tasks finish in this second."""
        done = 0.0
        for task in self._fleet.draining:
            if task.queue:
                served = min(task.queue, self._capacity)
                task.queue -= served
                done += served
        return done

    def _waiting(self) -> float:
        return (float(self._queues.sum()) if self._queued else 0.0) + self._waiting_in_leaving()

    def _waiting_in_leaving(self) -> float:
        return sum(task.queue for task in self._fleet.draining)

    def _regroup(self) -> None:
        """Tasks have come or gone: those that come begin without a queue, those that go take theirs along."""
        self._version = self._fleet.version
        if self._serving == self._fleet.serving:
            return
        for place, task in enumerate(self._serving):
            task.queue, task.lost = float(self._queues[place]), float(self._lost[place])
            if task.stops_at < np.inf:
                task.left = self.share
        self._serving = list(self._fleet.serving)
        for task in self._serving:
            if task.joined == np.inf:
                task.joined = self.share
        self._queues = np.array([task.queue for task in self._serving])
        self._lost = np.array([task.lost for task in self._serving])
        self._queued = bool(self._queues.any())

    def arrived(self, task: Task) -> float:
        """Requests that `task` has been sent so far."""
        return max(0.0, min(self.share, task.left) - task.joined)

    def finished(self) -> dict[int, float]:
        """Requests that each publishing task has finished so far, by its number."""
        for place, task in enumerate(self._serving):
            task.queue, task.lost = float(self._queues[place]), float(self._lost[place])
        tasks = self._fleet.publishing()
        return {task.number: self.arrived(task) - task.queue - task.lost for task in tasks}

    def in_flight(self, tasks: int) -> list[float]:
        """Requests in each of the `tasks` that have served longest: at work (Little's law) and waiting."""
        return [self._in_service + float(queue) for queue in self._queues[:tasks]]
