"""The tasks of one ECS service on Fargate: launched, RUNNING, healthy, draining, gone.

A change of the desired count is carried out by ECS's scheduler at the next whole second.
"""

from dataclasses import dataclass
from itertools import count
from math import exp, inf

from simulator.draws import Draws
from simulator.settings import Settings


@dataclass(slots=True, eq=False)
class Task:
    """One task. Times are seconds of the run.

    `joined` and `left` are the requests that one task would have had since the beginning of the run, at the moment at
    which this task began and ceased to take requests: their difference is what it has had. `queue` is what waits in it,
    `lost` what it has lost, in requests, as far as they are known: of a task that takes requests `Service` knows.
    """

    number: int
    launched: float
    running_at: float
    healthy_at: float
    stops_at: float = inf
    joined: float = inf
    left: float = inf
    queue: float = 0.0
    lost: float = 0.0


class Fleet:
    """The tasks by what they do: `pending`, `starting` (RUNNING, not healthy), `serving`, `draining`, `stopped`.

    `desired` is what DescribeServices says. `version` changes when a task changes from one list to another.
    """

    def __init__(self, settings: Settings, draws: Draws, tasks: int) -> None:
        self._settings, self._draws = settings, draws
        self._numbers = count()
        self._tokens = settings.launch_burst
        self._next_event = inf
        self.desired = tasks
        self.version = 0
        self.pending: list[Task] = []
        self.starting: list[Task] = []
        self.serving = [Task(next(self._numbers), 0.0, 0.0, 0.0) for _ in range(tasks)]
        self.draining: list[Task] = []
        self.stopped: list[Task] = []
        self._target = tasks  # What the scheduler works towards.
        self._kept = tasks  # Tasks that are not on their way out.
        self._updates: list[tuple[float, int]] = []

    @property
    def running(self) -> int:
        """ECS's runningCount: a draining task is DEACTIVATING, and not in it."""
        return len(self.starting) + len(self.serving)

    @property
    def billed(self) -> int:
        """Tasks that Fargate bills: "from the time you start to download your container image until it terminates"."""
        return len(self.pending) + len(self.starting) + len(self.serving) + len(self.draining)

    def publishing(self) -> list[Task]:
        """The tasks whose application runs, draining ones included."""
        return [*self.starting, *self.serving, *self.draining]

    def start_seconds(self, number: int) -> float:
        """Seconds from launch to RUNNING of the task `number`, the same for every controller."""
        chance = float(self._draws.normal("starts", number))
        return self._settings.start_median * exp(self._settings.start_sigma * chance)

    def update(self, desired: int, at: float) -> None:
        """The desired count is set at `at`."""
        self.desired = desired
        self._updates.append((at, desired))

    def step(self, now: float) -> None:
        """Brings the tasks to `now`: what is due happens, then the scheduler launches or stops."""
        while self._updates and self._updates[0][0] <= now:
            self._target = self._updates.pop(0)[1]
        self._tokens = min(self._settings.launch_burst, self._tokens + self._settings.launch_rate)
        if now >= self._next_event:
            self._advance(now)
        if self._kept < self._target:
            self._launch(now)
        elif self._kept > self._target:
            self._stop(now)

    def _advance(self, now: float) -> None:
        self.version += 1
        self.starting += [task for task in self.pending if task.running_at <= now]
        self.pending = [task for task in self.pending if task.running_at > now]
        # In the order in which the checks pass, so that who serves longest comes first.
        self.serving += sorted((t for t in self.starting if t.healthy_at <= now), key=lambda task: task.healthy_at)
        self.starting = [task for task in self.starting if task.healthy_at > now]
        self.stopped += [task for task in self.draining if task.stops_at <= now]
        self.draining = [task for task in self.draining if task.stops_at > now]
        self._plan()

    def _plan(self) -> None:
        events = [task.running_at for task in self.pending]
        events += [task.healthy_at for task in self.starting]
        events += [task.stops_at for task in self.draining]
        self._next_event = min(events, default=inf)

    def _launch(self, now: float) -> None:
        self.version += 1
        settings = self._settings
        for _ in range(min(self._target - self._kept, int(self._tokens))):
            number = next(self._numbers)
            running_at = now + self.start_seconds(number)
            self.pending.append(Task(number, now, running_at, running_at + settings.health_seconds))
            self._tokens -= 1
            self._kept += 1
        self._plan()

    def _stop(self, now: float) -> None:
        """Stops what has not started yet, the newest first, then the newest of those that run."""
        self.version += 1
        surplus = self._kept - self._target
        self._kept = self._target
        kept = max(0, len(self.pending) - surplus)
        for task in self.pending[kept:]:
            task.stops_at = now
            self.stopped.append(task)
            surplus -= 1
        del self.pending[kept:]
        if surplus > 0:
            newest = sorted([*self.starting, *self.serving], key=lambda task: task.number)[-surplus:]
            for task in newest:
                task.stops_at = now + self._settings.deregistration
            leaving = set(newest)
            self.starting = [task for task in self.starting if task not in leaving]
            self.serving = [task for task in self.serving if task not in leaving]
            self.draining += newest
        self._plan()
