"""Simulated services, small and without chance: tasks serve some seconds after they were asked for.

They run the pure core as the loop does: a look 1.5 s after each 5 s bucket, every change called at once, and a
hand-over each minute to a successor that knows only what was saved.
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
    """One service under `load` (requests/s at a second). All times are seconds from the start of the run.

    `visible_after`: seconds from the end of a datapoint's period until it can be read.
    """

    service: Service
    load: Load
    tasks: int
    starts_in: float = 30.0
    visible_after: float = 0.0
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
            points = [*points, *self._publish(end - 5)][-12:]
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

    def turns(self) -> int:
        """How often growing became shrinking or shrinking growing."""
        directions = [added > 0 for _, added in self.changes()]
        return sum(before != after for before, after in pairwise(directions))

    def _serving(self, second: float) -> int:
        return sum(asked <= second for asked in self.serving_from)

    def _publish(self, start: float) -> list[Datapoint]:
        """What the five seconds from `start` on add to the metric: one bucket of every task's requests."""
        serving = self._serving(start)
        total = self.load(start + 2.5)
        self.carried[start] = total / serving
        return [Datapoint(START + start, total, serving)]

    def _observation(self, points: list[Datapoint], now: float) -> Observation:
        (key,) = self.service.used_metrics
        metric = self.service.metrics[key]
        published = [
            point
            for point in points
            if point.timestamp + metric.period + self.visible_after <= START + now
            and not _within(self.outages, point.timestamp - START)
        ]
        running = self._serving(now)
        reading = read_metric(metric, published, running, self.service.patience[key], START + now)
        deploying = _within(self.deployments, now)
        state = ServiceState(len(self.serving_from), running, deployment_in_progress=deploying)
        return Observation(state, {key: reading})

    def _scale(self, desired: int, now: float) -> None:
        missing = desired - len(self.serving_from)
        self.serving_from += [now + self.starts_in] * missing
        # ECS stops tasks that have not started first.
        self.serving_from = sorted(self.serving_from)[:desired]


@dataclass
class BusyCpu(Plant):
    """A service that shows its CPU utilisation every `period` seconds. A task is at 100% at `capacity` requests/s."""

    capacity: float = 100.0
    period: int = 20
    shown: list[float] = field(default_factory=list)

    def _publish(self, start: float) -> list[Datapoint]:
        super()._publish(start)
        self.shown.append(min(100.0, 100 * self.carried[start] / self.capacity))
        if (start + 5) % self.period:
            return []
        average, self.shown = sum(self.shown) / len(self.shown), []
        return [Datapoint(START + start + 5 - self.period, average)]


@dataclass
class Workers(Plant):
    """Tasks that take messages from a queue, which tells its depth once a minute. `load` is messages/s that arrive."""

    rate: float = 10.0
    visible_after: float = 60.0
    waiting: dict[float, float] = field(default_factory=dict)

    def _publish(self, start: float) -> list[Datapoint]:
        before = self.waiting.get(start - 5, 0.0)
        arrived = 5 * self.load(start + 2.5)
        self.waiting[start] = max(0.0, before + arrived - 5 * self.rate * self._serving(start))
        return [] if (start + 5) % 60 else [Datapoint(START + start - 55, self.waiting[start])]

    def most_waiting(self, since: float = 0.0) -> float:
        """The most messages that waited at any time after `since`."""
        return max(waiting for second, waiting in self.waiting.items() if second >= since)


def _within(spans: tuple[Span, ...], second: float) -> bool:
    return any(begin <= second < end for begin, end in spans)


def surge(before: float, after: float, at: float = 60.0) -> Load:
    """A load that jumps."""
    return lambda second: after if second >= at else before


def spike(before: float, during: float, at: float, lasts: float) -> Load:
    """A load that jumps, and falls back after `lasts` seconds."""
    return lambda second: during if at <= second < at + lasts else before
