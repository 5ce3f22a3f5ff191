"""Target tracking: how many tasks a load needs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.scaling.load import Capacity, Load, project
from fastscaler.scaling.metric import Metric
from fastscaler.scaling.observation import Reading
from fastscaler.scaling.policy import TargetTrackingPolicy
from fastscaler.scaling.target_tracking import recommended_capacity, tasks_for
from tests.unit.scaling.build import CPU, REQUESTS, START, service, tracking


def policy(target: float = 100, **settings: Any) -> TargetTrackingPolicy:
    (found,) = service(tracking(target, **settings)).policies
    assert isinstance(found, TargetTrackingPolicy)
    return found


def load(total: float, serving: int, *, desired: int | None = None, running: int | None = None) -> Load:
    """The load of tasks that all report; `desired` above `serving`: the rest was asked for a moment ago."""
    desired = serving if desired is None else desired
    capacity = Capacity(desired, serving if running is None else running, raised=max(0, desired - serving))
    reading = Reading(total / serving, START, 1.5, total=total, reporters=serving, expected=serving, coverage=1)
    return project(Metric.model_validate(REQUESTS), reading, capacity)


def of_metric(value: float, running: int, **settings: bool) -> Load:
    """The load behind a metric that is not per task."""
    metric = Metric.model_validate({**CPU, **settings})
    return project(metric, Reading(value, START, 1.5), Capacity(running, running))


@pytest.mark.parametrize(
    ("total", "tasks", "needed"),
    [
        (1000, 10, 10),
        (1100, 10, 10),  # Within the tolerance above the target.
        (1101, 10, 12),
        (5000, 10, 50),
        (20000, 10, 200),  # A surge of any size in one action.
        (851, 10, 10),  # Within the tolerance below the target.
        (849, 10, 9),
        (301, 10, 4),
        (0, 10, 0),
    ],
)
def test_as_many_tasks_as_keep_each_at_the_target(total: float, tasks: int, needed: int) -> None:
    assert recommended_capacity(policy(), load(total, tasks), tasks) == needed


def test_tolerances_of_ones_own() -> None:
    assert recommended_capacity(policy(ScaleOutTolerance=0.0), load(1001, 10), 10) == 11
    assert recommended_capacity(policy(ScaleInTolerance=0.5), load(510, 10), 10) == 10
    assert recommended_capacity(policy(ScaleInTolerance=0.0), load(899, 10), 10) == 9


def test_a_sum_of_floats_does_not_cost_a_task() -> None:
    assert tasks_for(0.1 + 0.2, 0.1) == 3


def test_tasks_that_were_asked_for_share_the_load() -> None:
    assert recommended_capacity(policy(), load(5000, 10, desired=50), 50) == 50


def test_tasks_that_run_and_are_silent_are_not_taken_away() -> None:
    half_is_silent = load(300, 5, desired=10, running=10)
    assert recommended_capacity(policy(), half_is_silent, 10) == 6


def test_without_scale_in_the_count_stands() -> None:
    assert recommended_capacity(policy(DisableScaleIn=True), load(100, 10), 10) == 10
    assert recommended_capacity(policy(DisableScaleIn=True), load(5000, 10), 10) == 50


class TestSaturation:
    """A saturated task cannot show more load than it can take."""

    def test_near_capacity_twice_the_load_is_assumed(self) -> None:
        assert recommended_capacity(policy(TaskCapacity=140), load(1330, 10), 10) == 27
        assert recommended_capacity(policy(TaskCapacity=140), load(1329, 10), 10) == 14

    def test_factor_and_threshold_of_ones_own(self) -> None:
        tripled = policy(TaskCapacity=200, SaturationThreshold=0.8, SaturationFactor=3.0)
        assert recommended_capacity(tripled, load(1600, 10), 10) == 48
        assert recommended_capacity(tripled, load(1599, 10), 10) == 16

    def test_without_a_capacity_there_is_no_boost(self) -> None:
        assert recommended_capacity(policy(), load(10000, 10), 10) == 100

    def test_the_boost_never_takes_away(self) -> None:
        assert recommended_capacity(policy(TaskCapacity=140), load(1400, 10, desired=40), 40) == 40

    def test_a_load_of_the_whole_service_is_shared_by_the_serving_tasks(self) -> None:
        whole = policy(TaskCapacity=140)
        assert recommended_capacity(whole, of_metric(1000, 10, DivideByTasks=True), 10) == 10
        assert recommended_capacity(whole, of_metric(1400, 10, DivideByTasks=True), 10) == 28


@given(st.floats(allow_nan=False, allow_infinity=True), st.integers(1, 100))
def test_no_load_is_too_absurd(value: float, running: int) -> None:
    assert 0 <= recommended_capacity(policy(TaskCapacity=140), of_metric(value, running), running) <= 10**9


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.integers(1, 50), st.integers(1, 80))
def test_more_load_never_needs_fewer_tasks(one: float, other: float, serving: int, desired: int) -> None:
    less, more = sorted((one, other))
    wanted = policy(TaskCapacity=140)
    assert recommended_capacity(wanted, load(less, serving, desired=desired), desired) <= recommended_capacity(
        wanted, load(more, serving, desired=desired), desired
    )
