"""Kubernetes' horizontal pod autoscaler (HPA), autoscaling/v2, on one metric per pod.

Sources: Kubernetes documentation, "Horizontal Pod Autoscaling"; pkg/controller/podautoscaler, replica_calculator.go
(calcPlainMetricReplicas) and horizontal.go (stabilizeRecommendationWithBehaviors and
convertDesiredReplicasWithBehaviorRate). A pod is a task here.

Several metrics would make several recommendations, of which the highest counts; the peer has one. For a share of a
resource request, Kubernetes takes a missing pod at 100% of the request when it would scale in; here it is the target,
as for every other metric and as the documentation says.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, trunc
from typing import Literal

from simulator.peers.bounds import Bounds

SYNC_PERIOD = 15.0  # --horizontal-pod-autoscaler-sync-period; seconds.
TOLERANCE = 0.1  # --horizontal-pod-autoscaler-tolerance.


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """HPAScalingPolicy: how many pods, or percent of them, may come or go within `period` seconds."""

    type: Literal["Pods", "Percent"]
    value: int
    period: float


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """HPAScalingRules of one direction; the stabilization window in seconds. Raises ValueError without a policy."""

    window: float
    policies: tuple[RatePolicy, ...]
    select: Literal["Max", "Min", "Disabled"] = "Max"

    def __post_init__(self) -> None:
        if not self.policies:
            raise ValueError("scaling rules need at least one policy; Kubernetes would fill in its default ones")


@dataclass(frozen=True, slots=True)
class Behavior:
    """HorizontalPodAutoscalerBehavior."""

    scale_up: ScalingRules
    scale_down: ScalingRules


# Kubernetes documentation, "Default behavior".
DEFAULT_SCALE_UP = ScalingRules(0, (RatePolicy("Percent", 100, 15), RatePolicy("Pods", 4, 15)))
DEFAULT_SCALE_DOWN = ScalingRules(300, (RatePolicy("Percent", 100, 15),))
DEFAULT_BEHAVIOR = Behavior(DEFAULT_SCALE_UP, DEFAULT_SCALE_DOWN)

# When (seconds), and a count or a change of it.
History = Sequence[tuple[float, int]]


class Hpa:
    """Keeps the average of a metric over the pods at a target."""

    name = "kubernetes-hpa"
    interval = SYNC_PERIOD

    def __init__(
        self,
        target: float,
        minimum: int,
        maximum: int,
        tolerance: float = TOLERANCE,
        behavior: Behavior = DEFAULT_BEHAVIOR,
    ) -> None:
        """`target`: the metric's average value per pod.

        Raises ValueError where the bounds are not 0 <= minimum <= maximum.
        """
        self._target = target
        self._bounds = Bounds(minimum, maximum)
        self._tolerance = tolerance
        self._behavior = behavior
        self._recommendations: list[tuple[float, int]] = []
        self._changes: list[tuple[float, int]] = []

    def step(self, now: float, current: int, ready: int, unready: int, values: Sequence[float]) -> int | None:
        """`current` is the desired count, `values` the metric of each of the `ready` pods that reported it."""
        if not self._recommendations:
            self._recommendations.append((now, current))  # A new controller does not scale in for a whole window.
        if self._bounds.clamp(current) != current:
            return self._set(now, current, self._bounds.clamp(current))
        recommended = recommendation(current, ready, unready, values, self._target, self._tolerance)
        if recommended is None:
            return None
        stable = stabilized(current, recommended, self._recommendations, self._behavior, now)
        self._recommendations = self._since(now, self._recommendations, _windows(self._behavior))
        self._recommendations.append((now, recommended))
        return self._set(now, current, self._limited(now, current, stable))

    def _limited(self, now: float, current: int, wanted: int) -> int:
        if wanted > current:
            limit = scale_up_limit(self._behavior.scale_up, current, self._changes, now)
            return self._bounds.clamp(min(wanted, limit))
        limit = scale_down_limit(self._behavior.scale_down, current, self._changes, now)
        return self._bounds.clamp(max(wanted, limit))

    def _set(self, now: float, current: int, count: int) -> int:
        if count != current:
            self._changes = self._since(now, self._changes, _periods(self._behavior))
            self._changes.append((now, count - current))
        return count

    @staticmethod
    def _since(now: float, history: History, lengths: Iterable[float]) -> list[tuple[float, int]]:
        longest = max(lengths, default=0.0)
        return [entry for entry in history if entry[0] >= now - longest]


def recommendation(
    current: int, ready: int, unready: int, values: Sequence[float], target: float, tolerance: float
) -> int | None:
    """The count that the metric asks for; None where no pod reported it."""
    if not values:
        return None
    missing = max(0, ready - len(values))
    ratio = _ratio(values, target)
    if missing == 0 and not (unready > 0 and ratio > 1):
        return current if _tolerated(ratio, tolerance) else ceil(ratio * len(values))
    # Pods of which nothing is known must not widen the step: they are taken to weigh against its direction.
    assumed = list(values)
    if ratio < 1:
        assumed += [target] * missing
    elif ratio > 1:
        assumed += [0.0] * (missing + unready)
    careful = _ratio(assumed, target)
    if _tolerated(careful, tolerance) or (ratio < 1 < careful) or (careful < 1 < ratio):
        return current
    count = ceil(careful * len(assumed))
    return current if (careful < 1 and count > current) or (careful > 1 and count < current) else count


def _ratio(values: Sequence[float], target: float) -> float:
    """Kubernetes counts in whole thousandths, and cuts the average off."""
    average = sum(round(value * 1000) for value in values) // len(values)
    return average / (target * 1000)


def _tolerated(ratio: float, tolerance: float) -> bool:
    return 1 - tolerance <= ratio <= 1 + tolerance


def stabilized(current: int, recommended: int, earlier: History, behavior: Behavior, now: float) -> int:
    """The count nearest to `current` between the lowest of the scale-up window and the highest of the other."""
    up = min([recommended, *(count for at, count in earlier if at > now - behavior.scale_up.window)])
    down = max([recommended, *(count for at, count in earlier if at > now - behavior.scale_down.window)])
    return min(max(current, up), down)


def scale_up_limit(rules: ScalingRules, current: int, changes: History, now: float) -> int:
    """The most pods that the rate policies allow; at least `current`."""

    def limit(policy: RatePolicy) -> int:
        base = _before(policy, current, changes, now)
        return base + policy.value if policy.type == "Pods" else ceil(base * (1 + policy.value / 100))

    return max(current, _selected(rules, current, limit, max, min))


def scale_down_limit(rules: ScalingRules, current: int, changes: History, now: float) -> int:
    """The fewest pods that the rate policies allow; at most `current`."""

    def limit(policy: RatePolicy) -> int:
        base = _before(policy, current, changes, now)
        return base - policy.value if policy.type == "Pods" else trunc(base * (1 - policy.value / 100))

    return min(current, _selected(rules, current, limit, min, max))


def _before(policy: RatePolicy, current: int, changes: History, now: float) -> int:
    """The pods at the beginning of the policy's period."""
    return current - sum(change for at, change in changes if at > now - policy.period)


def _selected(
    rules: ScalingRules,
    current: int,
    limit: Callable[[RatePolicy], int],
    widest: Callable[[Iterable[int]], int],
    narrowest: Callable[[Iterable[int]], int],
) -> int:
    if rules.select == "Disabled":
        return current
    return (narrowest if rules.select == "Min" else widest)(limit(policy) for policy in rules.policies)


def _windows(behavior: Behavior) -> tuple[float, float]:
    return behavior.scale_up.window, behavior.scale_down.window


def _periods(behavior: Behavior) -> Iterable[float]:
    return (policy.period for policy in (*behavior.scale_up.policies, *behavior.scale_down.policies))
