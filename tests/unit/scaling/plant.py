"""A simulated service, small and without chance: tasks serve some seconds after they were asked for.

It runs the pure core as the loop does: a look 1.5 s after each 5 s bucket, every change called at once, and a hand-over
each minute to a successor that knows only what was saved.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Memory, from_json, to_json
from fastscaler.scaling.observation import Datapoint, Observation, ServiceState, read_metric
from fastscaler.scaling.policy import Service
from tests.unit.scaling.build import START, carried_out

LOOK_AFTER = 1.5  # Seconds between the end of a bucket and the look at it.
Load = Callable[[float], float]
Span = tuple[float, float]


@dataclass
class Plant:
    """One service under `load` (requests/s at a second). All times are seconds from the start of the run."""

    service: Service
    load: Load
    tasks: int
    starts_in: float = 30.0
    outages: tuple[Span, ...] = ()
    deployments: tuple[Span, ...] = ()
    hand_over_every: float = 60.0
    serving_from: list[float] = field(default_factory=list)
    desired: dict[float, int] = field(default_factory=dict)
    carried: dict[float, float] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    saves: int = 0

    def run(self, seconds: float) -> "Plant":
        """Looks every 5 s until `seconds`; `desired` holds the count after each look, `carried` what each task had."""
        self.serving_from = [-1.0] * self.tasks
        saved = memory = Memory(desired=self.tasks)
        points: list[Datapoint] = []
        end = 5.0
        while end < seconds:
            points = [*points, self._bucket(end - 5)][-12:]
            now = end + LOOK_AFTER
            if now % self.hand_over_every < 5:
                stored = from_json(to_json(saved))
                assert stored is not None
                memory = stored
            decision = decide(self.service, self._observation(points, now), memory, START + now)
            memory = carried_out(decision)
            if memory.worth_saving(saved):
                saved, self.saves = memory, self.saves + 1
            self._scale(decision.desired, now)
            self.decisions.append(decision)
            self.desired[now] = decision.desired
            end += 5
        return self

    def changes(self) -> list[tuple[float, int]]:
        """(second, tasks added) of every call."""
        steps = pairwise([(0.0, self.tasks), *self.desired.items()])
        return [(now, count - before) for (_, before), (now, count) in steps if count != before]

    def at(self, second: float) -> int:
        """The desired count after the last look before `second`."""
        return [count for now, count in self.desired.items() if now <= second][-1]

    def highest(self) -> int:
        """The highest desired count of the run."""
        return max(self.desired.values())

    def busiest(self, since: float) -> float:
        """The highest load per serving task after `since`, in requests/s."""
        return max(carried for second, carried in self.carried.items() if second >= since)

    def _bucket(self, start: float) -> Datapoint:
        serving = sum(asked <= start for asked in self.serving_from)
        total = self.load(start + 2.5)
        self.carried[start] = total / serving
        return Datapoint(START + start, total, serving)

    def _observation(self, points: list[Datapoint], now: float) -> Observation:
        published = [point for point in points if not _within(self.outages, point.timestamp - START)]
        running = len([asked for asked in self.serving_from if asked <= now])
        (key,) = self.service.metrics
        metrics = {
            key: read_metric(self.service.metrics[key], published, running, self.service.patience[key], START + now)
        }
        deploying = _within(self.deployments, now)
        return Observation(ServiceState(len(self.serving_from), running, deployment_in_progress=deploying), metrics)

    def _scale(self, desired: int, now: float) -> None:
        missing = desired - len(self.serving_from)
        self.serving_from += [now + self.starts_in] * missing
        # ECS stops tasks that have not started first.
        self.serving_from = sorted(self.serving_from)[:desired]


def _within(spans: tuple[Span, ...], second: float) -> bool:
    return any(begin <= second < end for begin, end in spans)


def surge(before: float, after: float, at: float = 60.0) -> Load:
    """A load that jumps."""
    return lambda second: after if second >= at else before
