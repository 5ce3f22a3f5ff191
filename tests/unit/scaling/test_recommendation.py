"""What each policy proposes, and what follows from several proposals."""

from collections.abc import Sequence
from typing import Any

from fastscaler.scaling.load import Capacity, Load, project
from fastscaler.scaling.memory import Activity
from fastscaler.scaling.observation import Reading
from fastscaler.scaling.policy import Service
from fastscaler.scaling.recommendation import Proposal, combine, propose
from tests.unit.scaling.build import START, Row, service, stepping, tracking

DOUBLE: tuple[Row, ...] = ((0, None, 100),)


def proposal(
    scaled: Service, value: float, tasks: int, activities: Sequence[Activity] = (), *, second: float = 0, **more: Any
) -> Proposal:
    """What the first policy proposes at `value` per task, with `tasks` that all serve unless `more` says otherwise."""
    (policy, *_), capacity = scaled.policies, Capacity(tasks, more.pop("running", tasks), **more)
    metric = scaled.metrics[policy.metric]
    serving = capacity.running
    total = value * serving if metric.per_task else None
    reading = Reading(value, START - 5, 1.5, total=total, reporters=serving if metric.per_task else None)
    load: Load = project(metric, reading, capacity)
    return propose(policy, scaled, load, capacity, activities, START + second)


def fired(step: int, tasks: int, second: float = 0, policy: str = "Requests-steps") -> Activity:
    """A scale-out by one policy from `tasks`, some seconds after START."""
    return Activity(START + second, tasks, tasks + step, "policy", step, {policy: step})


def test_bytes_and_messages_are_written_out_and_small_figures_shortened() -> None:
    assert proposal(service(tracking(target=2_500_000)), 12_345_678, 4).detail == "12345678 per task against 2500000"
    assert proposal(service(tracking(target=0.125)), 0.0123456, 4).detail == "0.01235 per task against 0.125"


class TestStepsInCooldown:
    SCALED = service(stepping(Cooldown=60))

    def test_a_larger_step_adds_the_difference_and_is_in_effect_as_a_whole(self) -> None:
        found = proposal(self.SCALED, 250, 11, [fired(1, 10)], second=20)
        assert (found.desired, found.step) == (14, 4)

    def test_the_same_step_acts_again_when_the_cooldown_is_over(self) -> None:
        assert proposal(self.SCALED, 250, 14, [fired(4, 10)], second=59).desired == 14
        assert proposal(self.SCALED, 250, 14, [fired(4, 10)], second=60).desired == 18

    def test_another_policys_step_does_not_count_after_the_services_cooldown(self) -> None:
        other = [fired(4, 10, policy="Latency-steps")]
        assert proposal(self.SCALED, 250, 14, other, second=9).desired == 14
        assert proposal(self.SCALED, 250, 14, other, second=10).desired == 18

    def test_a_step_that_a_scale_in_took_back_acts_again(self) -> None:
        taken_back = [fired(4, 10), Activity(START + 15, 14, 10, "policy", -4)]
        assert proposal(self.SCALED, 250, 10, taken_back, second=20).desired == 14

    def test_a_percentage_counts_from_where_its_step_began(self) -> None:
        scaled = service(stepping(DOUBLE, kind="PercentChangeInCapacity", Cooldown=60))
        assert proposal(scaled, 250, 10).desired == 20
        assert proposal(scaled, 250, 20, [fired(10, 10)], second=20).desired == 20
        assert proposal(scaled, 250, 20, [fired(10, 10)], second=60).desired == 40

    def test_a_larger_percentage_adds_the_difference(self) -> None:
        rows: tuple[Row, ...] = ((0, 100, 20), (100, None, 50))
        scaled = service(stepping(rows, kind="PercentChangeInCapacity", Cooldown=60))
        found = proposal(scaled, 250, 12, [fired(2, 10)], second=20)
        assert (found.desired, found.step) == (15, 5)

    def test_an_exact_capacity_is_the_count_to_have_in_a_cooldown_too(self) -> None:
        rows: tuple[Row, ...] = ((0, 100, 12), (100, None, 30))
        scaled = service(stepping(rows, kind="ExactCapacity", Cooldown=60))
        assert proposal(scaled, 120, 12, [fired(2, 10)], second=20).desired == 12
        assert proposal(scaled, 250, 12, [fired(2, 10)], second=20).desired == 30


class TestStepsDown:
    SCALED = service(stepping(((None, -50, -2), (-50, 0, -1)), operator="LessThanThreshold", Cooldown=60))

    def test_a_step_removes(self) -> None:
        assert proposal(self.SCALED, 30, 10).desired == 8
        assert proposal(self.SCALED, 70, 10).desired == 9

    def test_and_then_waits_for_its_cooldown(self) -> None:
        went = [Activity(START, 10, 8, "policy", -2, {"Requests-steps": -2})]
        assert proposal(self.SCALED, 30, 8, went, second=59).desired == 8
        assert proposal(self.SCALED, 30, 8, went, second=60).desired == 6

    def test_where_it_does_not_breach_it_objects(self) -> None:
        assert proposal(self.SCALED, 120, 10).desired == 10


class TestOpinions:
    def test_a_policy_that_cannot_remove_has_none_until_it_breaches(self) -> None:
        assert proposal(service(stepping()), 90, 10).desired is None
        assert proposal(service(stepping(((0, 20, 0), (20, None, 1)))), 110, 10).desired == 10

    def test_target_tracking_without_scale_in_objects_only_above_its_target(self) -> None:
        scaled = service(tracking(DisableScaleIn=True))
        assert proposal(scaled, 90, 10).desired is None
        assert proposal(scaled, 105, 10).desired == 10
        assert proposal(scaled, 250, 10).desired == 25


class TestLatencyInFlight:
    """Latency stays high until new tasks serve, and cannot be projected onto them."""

    SCALED = service(stepping(metric="Latency"))
    ASKED = (fired(4, 10, policy="Latency-steps"),)

    def test_the_same_step_waits_for_the_tasks_it_asked_for(self) -> None:
        assert proposal(self.SCALED, 250, 14, self.ASKED, second=60, running=10, raised=4).desired == 14

    def test_a_larger_one_adds_the_difference(self) -> None:
        asked = [fired(1, 10, policy="Latency-steps")]
        assert proposal(self.SCALED, 250, 11, asked, second=60, running=10, raised=1).desired == 14

    def test_once_they_run_it_acts_again(self) -> None:
        assert proposal(self.SCALED, 250, 14, self.ASKED, second=60, running=14, raised=4).desired == 18

    def test_so_it_does_when_they_did_not_start_in_time(self) -> None:
        assert proposal(self.SCALED, 250, 14, self.ASKED, second=120, running=10, raised=0).desired == 18


def test_the_largest_scale_out_wins() -> None:
    proposals = [Proposal("a", 14, ""), Proposal("b", 12, ""), Proposal("c", None, ""), Proposal("d", 3, "")]
    assert combine(proposals) == 14


def test_scale_in_goes_by_the_smallest_step() -> None:
    assert combine([Proposal("a", 3, ""), Proposal("b", 8, ""), Proposal("c", None, "")]) == 8


def test_without_an_opinion_there_is_no_recommendation() -> None:
    assert combine([Proposal("a", None, ""), Proposal("b", None, "")]) is None
