"""Documented examples of Kubernetes' HPA, Knative's KPA and KEDA, decided by `decide`.

Sources: Kubernetes documentation, "Horizontal Pod Autoscaling" (algorithm details, scaling policies, stabilization
window, default behavior); Knative Serving documentation, "Configuring the autoscaler" and "Configuring targets"; KEDA
documentation, "Scaling Deployments" (fallback, pause).
"""

from typing import Any

import pytest

from fastscaler.scaling.memory import Memory
from tests.unit.scaling.build import START, carried_out, observe, service, tracking, watched
from tests.unit.scaling.test_decision import decided

NOW = START + 1.5
HPA_UP = {
    "Policies": [
        {"Type": "Percent", "Value": 100, "PeriodSeconds": 15},
        {"Type": "Tasks", "Value": 4, "PeriodSeconds": 15},
    ],
    "Cooldown": 0,
}


def scaled(policies: list[dict[str, Any]] | None = None, **directions: Any) -> Any:
    """A service of 1 to 500 tasks, tracked at 100 with HPA's tolerance."""
    policy = tracking(ScaleOutTolerance=0.1, ScaleInTolerance=0.1)
    return service(*(policies or [policy]), lowest=1, highest=500, Behavior=directions)


def shrinking(rates: list[dict[str, Any]], how: str = "Max") -> Any:
    rule = {"StabilizationWindowSeconds": 0, "Cooldown": 0, "Policies": rates, "SelectPolicy": how}
    return scaled(ScaleIn=rule)


class TestHpaAlgorithm:
    """desiredReplicas = ceil(currentReplicas * currentMetricValue / desiredMetricValue)."""

    def test_twice_the_target_doubles_the_tasks(self) -> None:
        """ "If the current metric value is 200m, and the desired value is 100m, the number ... will be doubled"."""
        assert decided(scaled(), 5, load=5 * 200).desired == 10

    def test_half_the_target_halves_them(self) -> None:
        """ "If the current value is instead 50m, you'll halve the number of replicas"."""
        decision = decided(shrinking([]), 10, load=10 * 50)
        assert decision.recommended == 5
        # On purpose one more than the HPA has: at 5 tasks the load would stand at the threshold of a scale-out.
        assert (decision.desired, decision.cause) == (6, "anti-flap")

    @pytest.mark.parametrize(("per_task", "tasks"), [(110, 10), (109, 10), (91, 10), (111, 12), (100, 10)])
    def test_within_the_tolerance_of_a_tenth_nothing_is_done(self, per_task: float, tasks: int) -> None:
        assert decided(shrinking([]), 10, load=10 * per_task).desired == tasks


class TestHpaScaleUp:
    """The default behavior: 100% or 4 pods per 15 s, whichever is more."""

    @pytest.mark.parametrize(("tasks", "allowed"), [(1, 5), (3, 7), (4, 8), (5, 10), (10, 20)])
    def test_the_policy_that_allows_more_counts(self, tasks: int, allowed: int) -> None:
        assert decided(scaled(ScaleOut=HPA_UP), tasks, load=50_000).desired == allowed

    @pytest.mark.parametrize(("tasks", "allowed"), [(1, 2), (3, 6), (4, 8), (5, 9), (10, 14)])
    def test_with_min_the_one_that_allows_less(self, tasks: int, allowed: int) -> None:
        assert decided(scaled(ScaleOut={**HPA_UP, "SelectPolicy": "Min"}), tasks, load=50_000).desired == allowed

    def test_disabled_never_goes_that_way(self) -> None:
        assert decided(scaled(ScaleOut={**HPA_UP, "SelectPolicy": "Disabled"}), 10, load=50_000).desired == 10

    def test_what_was_added_in_the_period_is_part_of_it(self) -> None:
        first = decided(scaled(ScaleOut=HPA_UP), 10, load=50_000)
        memory = carried_out(first)
        within = decided(scaled(ScaleOut=HPA_UP), 20, memory, NOW + 10, running=10, load=50_000)
        after = decided(scaled(ScaleOut=HPA_UP), 20, memory, NOW + 16, running=10, load=50_000)
        assert (first.desired, within.desired, after.desired) == (20, 20, 40)


class TestHpaScaleDown:
    @pytest.mark.parametrize(
        ("rates", "how", "tasks", "allowed"),
        [
            ([("Percent", 50, 60)], "Max", 80, 40),
            ([("Percent", 10, 60)], "Max", 80, 72),  # "In the first iteration 8 replicas will be removed" of 80.
            ([("Percent", 10, 60)], "Max", 72, 64),  # "10% of 72 is 7.2, rounded up to 8".
            ([("Tasks", 4, 60), ("Percent", 10, 60)], "Max", 80, 72),
            (
                [("Tasks", 4, 60), ("Percent", 10, 60)],
                "Max",
                30,
                26,
            ),  # "falls below 40": the first.
            ([("Tasks", 5, 60), ("Percent", 10, 60)], "Min", 80, 75),
            ([("Tasks", 4, 60)], "Disabled", 80, 80),
        ],
    )
    def test_the_policies(self, rates: list[tuple[str, int, int]], how: str, tasks: int, allowed: int) -> None:
        named = [{"Type": kind, "Value": value, "PeriodSeconds": seconds} for kind, value, seconds in rates]
        assert decided(shrinking(named, how), tasks, load=10).desired == allowed

    def test_the_highest_recommendation_of_five_minutes_counts(self) -> None:
        """The default stabilization window of scale-down, 300 s."""
        slow = scaled(ScaleIn={"Policies": [], "Cooldown": 0})
        memory = watched(slow, 20, until=NOW, seconds=150, load=490)
        assert decided(slow, 20, memory, load=490).desired == 20
        memory = watched(slow, 20, until=NOW, seconds=400, load=490)
        assert decided(slow, 20, memory, load=490).desired == 5

    def test_where_metrics_are_missing_nothing_is_scaled_down(self) -> None:
        assert decided(shrinking([]), 20).desired == 20


class TestKnative:
    """Knative's stable and panic windows have no key here; what an operator expects of them holds."""

    def test_a_burst_is_answered_without_waiting_for_the_stable_window(self) -> None:
        """Panic mode: the 6 s window reaches 200% of the target."""
        memory = watched(scaled(), 2, until=NOW, seconds=60, load=150)
        assert decided(scaled(), 2, memory, load=400).desired == 4

    def test_no_scale_down_while_the_burst_may_go_on(self) -> None:
        """In panic mode the count never goes down, for 60 s after the last breach."""
        risen = carried_out(decided(scaled(), 2, load=1000))
        memory = watched(scaled(), 10, until=NOW + 60, seconds=55, memory=risen, load=150)
        assert decided(scaled(), 10, memory, NOW + 60, load=150).desired == 10

    @pytest.mark.parametrize(("load", "tasks"), [(150, 3), (400, 6), (70, 1), (71, 2)])
    def test_a_target_utilisation_is_a_smaller_target(self, load: float, tasks: int) -> None:
        """Target 100 at 70% utilisation: ceil(load / 70), from one task."""
        used = service(tracking(70, ScaleOutTolerance=0), lowest=1, highest=500)
        assert decided(used, 1, load=load).desired == tasks

    def test_a_restart_never_shrinks(self) -> None:
        assert decided(scaled(), 10, Memory(), load=70).desired == 10


class TestKeda:
    def test_a_fallback_that_keeps_what_is_higher(self) -> None:
        kept = service(tracking(), FallbackCapacity=6)
        assert [decided(kept, tasks).desired for tasks in (4, 6, 10)] == [6, 6, 10]

    def test_a_static_fallback(self) -> None:
        behavior = {"ScaleIn": {"StabilizationWindowSeconds": 0, "Policies": []}}
        static = service(tracking(), FallbackCapacity=6, FallbackBehavior="static", Behavior=behavior)
        assert [decided(static, tasks).desired for tasks in (4, 6, 10)] == [6, 6, 6]

    def test_a_pause_holds_the_count(self) -> None:
        both = ("ScaleOut", "ScaleIn")
        assert decided(scaled(), 10, load=50_000, paused=both).desired == 10
        assert decided(shrinking([]), 10, load=10, paused=both).desired == 10


def test_the_observation_has_what_was_given() -> None:
    """The vectors above say nothing if their load does not reach the decision."""
    assert observe(scaled(), 5, NOW, load=1000).metrics["Requests"].complete.value == 200  # type: ignore[union-attr]
