"""A situation that somebody describes, completed to what a look would have seen and what earlier ones did.

What was not said is a calm service in steady state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastscaler.scaling.figure import figure
from fastscaler.scaling.memory import Activity
from fastscaler.scaling.observation import (
    MINUTE,
    PARTIAL_SCALES_AFTER,
    RECENT_MINUTES,
    Datapoint,
    Floor,
    LoadBalancerReading,
    MetricReading,
    NoData,
    Observation,
    ServiceState,
    read_load_balancer,
    read_metric,
)
from fastscaler.scaling.policy import Direction, Service

MISSING = NoData("missing")
HOUR = 3600.0  # Seconds for which a floor still holds; a decision looks only at whether it does.


@dataclass(frozen=True, slots=True)
class Change:
    """A scaling activity of the past: `seconds_ago`, and how many `tasks` came or went."""

    seconds_ago: float
    tasks: int


@dataclass(frozen=True, slots=True)
class Situation:
    """What is said of one service. Counts are tasks; None is what was not said.

    `metrics`: what each metric shows, by key. That is the average of one task where the metric is per task, else the
    metric's own value, which with DivideByTasks is the load of the whole service. `load_balancer`: requests per second
    that it counts. `floor`: the minimum of a pre-warm directive. `pending`: tasks that are starting.
    """

    metrics: Mapping[str, float | NoData] = field(default_factory=dict)
    desired: int | None = None
    running: int | None = None
    pending: int | None = None
    deployment_in_progress: bool = False
    load_balancer: float | None = None
    floor: int | None = None
    paused: frozenset[Direction] = frozenset()
    last_scale_out: Change | None = None
    last_scale_in: Change | None = None


def policy_metrics(service: Service) -> tuple[str, ...]:
    """The keys of the metrics that policies evaluate, in the order of the policies."""
    return tuple(dict.fromkeys(policy.metric for policy in service.policies))


class Scene:
    """A situation with its gaps filled, at any time at which it might be looked at.

    `asked_for`: tasks that start and that no scaling activity explains, so that somebody asked for them just now.
    """

    def __init__(self, service: Service, situation: Situation) -> None:
        self._service, self._situation = service, situation
        self.desired = service.min_capacity if situation.desired is None else situation.desired
        self._running = self.desired if situation.running is None else situation.running
        absent = max(0, self.desired - self._running)
        self._pending = absent if situation.pending is None else situation.pending
        # Tasks start because somebody asked for them; those of the last scale-out are that one's.
        explained = 0 if situation.last_scale_out is None else situation.last_scale_out.tasks
        self.asked_for = max(0, min(self._pending, absent) - explained)
        # Those that run publish; where none does, somebody has published all the same.
        self._reporters = max(1, self._running)
        self._requests_per_second = self._counted()

    def _counted(self) -> float | None:
        """Requests per second that the load balancer counts; None where there is none, or where it is idle."""
        if self._situation.load_balancer is not None:
            return self._situation.load_balancer
        key = self._service.request_metric
        shown = None if key is None else self._situation.metrics.get(key)
        return None if shown is None or isinstance(shown, NoData) else shown * self._reporters

    def observation(self, now: float) -> Observation:
        """What a look at `now` (epoch seconds) gathers."""
        service, situation = self._service, self._situation
        floor, floors = situation.floor, []
        if floor is not None:
            floors.append(Floor(service.key, "a pre-warm directive", floor, now + HOUR))
        deploying = situation.deployment_in_progress
        return Observation(
            state=ServiceState(self.desired, self._running, self._pending, deployment_in_progress=deploying),
            metrics={key: self._reading(key, now) for key in policy_metrics(service)},
            load_balancer=self._balancer(now),
            floors=floors,
            paused=situation.paused,
        )

    def _reading(self, key: str, now: float) -> MetricReading:
        metric = self._service.metrics[key]
        # A metric that was not asked about is published as ever; no policy looks at what it says.
        shown = self._situation.metrics.get(key, 0.0)
        points = []
        if not isinstance(shown, NoData):
            # So old that it counts as complete, whatever the kind of the metric.
            start, samples = now - PARTIAL_SCALES_AFTER - metric.period, self._reporters
            points.append(Datapoint(start, shown * samples, samples) if metric.per_task else Datapoint(start, shown))
        return read_metric(metric, points, self._running, self._service.patience[key], now)

    def _balancer(self, now: float) -> LoadBalancerReading | None:
        if self._service.load_balancer is None:
            return None
        if self._requests_per_second is None:
            return read_load_balancer((), (), (), now)
        newest, requests = now // MINUTE * MINUTE, self._requests_per_second * MINUTE
        minutes = [Datapoint(newest - earlier * MINUTE, requests) for earlier in range(RECENT_MINUTES)]
        return read_load_balancer(minutes, (), (), now)

    def activities(self, now: float) -> tuple[Activity, ...]:
        """The changes that led to the desired count, oldest first."""
        out, in_ = self._situation.last_scale_out, self._situation.last_scale_in
        changes: list[tuple[float, int]] = []
        if out is not None:
            changes.append((now - out.seconds_ago, out.tasks))
        if in_ is not None:
            changes.append((now - in_.seconds_ago, -in_.tasks))
        count, found = self.desired, []
        if self.asked_for:
            # All that is known of these tasks is that they start: nobody's cooldown counts from them.
            count -= self.asked_for
            found.append(Activity(now, count, self.desired, "external"))
        for at, change in sorted(changes, reverse=True):
            steps = {policy.name: change for policy in self._service.policies}
            found.append(Activity(at, count - change, count, "policy", change, steps))
            count -= change
        return tuple(reversed(found))

    def assumed(self) -> list[str]:
        """What was filled in, a line each."""
        service, situation = self._service, self._situation
        lines = [] if situation.desired is not None else [f"the desired count is MinCapacity, {self.desired}"]
        if situation.pending is None and self.asked_for:
            lines.append(f"{self.asked_for} of the tasks do not run yet; they were asked for just now")
        for key in policy_metrics(service):
            if key not in situation.metrics:
                names = ", ".join(policy.name for policy in service.policies if policy.metric == key)
                lines.append(f"{key} is not given, so these policies have no say: {names}")
        if service.load_balancer is not None and situation.load_balancer is None:
            rate = self._requests_per_second
            counted = "no requests" if rate is None else f"{figure(rate)} requests/s, as {service.request_metric} says"
            lines.append(f"the load balancer counts {counted}")
        if situation.last_scale_out is not None or situation.last_scale_in is not None:
            lines.append("every policy had asked for the last change")
        return lines
