"""The tasks of one ECS service as a function of time: what was asked for, what runs, what is healthy.

moto runs every task at once; on Fargate a task is PENDING for some tens of seconds. Nothing here reads a clock.
"""

from dataclasses import dataclass, field, replace
from itertools import count
from math import inf
from threading import RLock
from typing import Literal

TargetState = Literal["initial", "healthy"]


@dataclass(frozen=True)
class DesiredChange:
    """One UpdateService call that changed the desired count; `at` is the epoch second of its effect."""

    at: float
    before: int
    after: int


@dataclass(frozen=True)
class Task:
    """One task; both times are epoch seconds."""

    address: str
    running_at: float
    healthy_at: float


@dataclass
class Fleet:
    """The tasks of one service. The ones it is created with run and are healthy from the start.

    With a `start_seconds` of infinity tasks do not run by themselves: `observe` says what is seen of real ones.
    """

    desired: int
    start_seconds: float
    health_seconds: float
    target_groups: tuple[tuple[str, int], ...] = ()
    deploying: bool = False
    changes: list[DesiredChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = RLock()
        self._numbers = count(1)
        self._tasks = [self._task(0.0, 0.0) for _ in range(self.desired)]

    def set_desired(self, desired: int, now: float) -> None:
        """Starts the tasks that are missing, or removes the newest ones at once."""
        with self._lock:
            if desired == self.desired:
                return
            self.changes.append(DesiredChange(now, self.desired, desired))
            self.desired = desired
            del self._tasks[desired:]
            running_at = now + self.start_seconds
            while len(self._tasks) < desired:
                self._tasks.append(self._task(running_at, running_at + self.health_seconds))

    @property
    def tasks(self) -> list[Task]:
        """All tasks that were asked for, oldest first."""
        with self._lock:
            return list(self._tasks)

    def observe(self, address: str, now: float, *, running: bool, healthy: bool) -> None:
        """What is seen of a task now. One that is not asked for any more is left alone."""
        with self._lock:
            self._tasks = [
                replace(
                    task,
                    running_at=min(task.running_at, now) if running else inf,
                    healthy_at=min(task.healthy_at, now) if healthy else inf,
                )
                if task.address == address
                else task
                for task in self._tasks
            ]

    def running(self, now: float) -> int:
        """How many tasks are RUNNING; the others of the desired count are PENDING."""
        with self._lock:
            return sum(task.running_at <= now for task in self._tasks)

    def healthy(self, now: float) -> int:
        """How many tasks take requests from the load balancer."""
        with self._lock:
            return sum(task.healthy_at <= now for task in self._tasks)

    def targets(self, now: float) -> dict[str, TargetState]:
        """Address to state of the targets that ECS has registered: a task is registered once it is RUNNING."""
        with self._lock:
            return {
                task.address: "healthy" if task.healthy_at <= now else "initial"
                for task in self._tasks
                if task.running_at <= now
            }

    def _task(self, running_at: float, healthy_at: float) -> Task:
        number = next(self._numbers)
        return Task(f"10.0.{number // 250}.{number % 250 + 1}", running_at, healthy_at)
