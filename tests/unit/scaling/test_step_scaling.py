"""Step scaling as Application Auto Scaling documents it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.scaling.decision import decide
from fastscaler.scaling.memory import Activity, Memory
from fastscaler.scaling.policy import StepScalingPolicy
from fastscaler.scaling.step_scaling import change_in_capacity, has_scale_in_steps, scale_out_threshold
from tests.unit.scaling.build import START, Row, observe, service, step_policy, stepping

VECTORS = json.loads((Path(__file__).parent / "step_scaling_vectors.json").read_text())
EVERY_LOAD: tuple[Row, ...] = ((0, None, 10),)


def named(case: dict[str, Any]) -> str:
    return " ".join(str(value) for key, value in case.items() if key not in ("documented", "note", "about"))


def of_table(name: str, operator: str | None) -> StepScalingPolicy:
    table = VECTORS["tables"][name]
    keys = ("AdjustmentType", "StepAdjustments")
    policy = {
        "Name": name,
        "PolicyType": "StepScaling",
        "Metric": "Requests",
        "Threshold": table["Threshold"],
        "ComparisonOperator": operator,
        "StepScalingPolicyConfiguration": {key: table[key] for key in keys},
    }
    return StepScalingPolicy.model_validate(policy)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=named)
def test_documented_tables(case: dict[str, Any]) -> None:
    policy = of_table(case["table"], case.get("ComparisonOperator"))
    capacity = case["capacity"] + (change_in_capacity(policy, case["metric"], case["capacity"]) or 0)
    assert min(capacity, case.get("MaxCapacity", capacity)) == case["expected"]


@pytest.mark.parametrize("case", [case for case in VECTORS["cases"] if "MaxCapacity" in case], ids=named)
def test_max_capacity_caps_what_the_table_asks_for(case: dict[str, Any]) -> None:
    scaled = service(stepping(), highest=case["MaxCapacity"])
    seen = observe(scaled, case["capacity"], START, load=case["metric"] * case["capacity"])
    decision = decide(scaled, seen, Memory(desired=case["capacity"]), START)
    assert decision.desired == case["expected"]
    assert "MaxCapacity" in decision.reason


@pytest.mark.parametrize("case", VECTORS["rounding"], ids=named)
def test_documented_rounding(case: dict[str, Any]) -> None:
    extra = {"MinAdjustmentMagnitude": case["MinAdjustmentMagnitude"]} if "MinAdjustmentMagnitude" in case else {}
    rows: tuple[Row, ...] = ((0, None, case["percent"]),)
    policy = step_policy(rows, kind="PercentChangeInCapacity", **extra)
    assert change_in_capacity(policy, 101, case["capacity"]) == case["change"]


@pytest.mark.parametrize("case", VECTORS["cooldown"], ids=named)
def test_documented_cooldown(case: dict[str, Any]) -> None:
    rows: tuple[Row, ...] = ((0, None, case["then_step"]),)
    scaled = service(stepping(rows, Cooldown=300))
    fired = case["fired"]
    before = Activity(START - 20, 10, 10 + fired, "policy", fired, {"Requests-steps": fired})
    capacity = 10 + fired
    decision = decide(
        scaled, observe(scaled, capacity, START, load=500 * capacity), Memory(capacity, activities=(before,)), START
    )
    assert decision.desired - capacity == case["added"]


class TestBounds:
    def test_below_the_threshold_the_upper_bound_belongs_to_the_step(self) -> None:
        policy = step_policy(((None, -20, -3), (-20, -10, -2), (-10, 0, -1)), operator=None)
        changes = [change_in_capacity(policy, metric, 10) for metric in (80, 80.1, 90, 90.1, 100, 100.1)]
        assert changes == [-3, -2, -2, -1, -1, None]

    def test_where_steps_of_both_directions_meet_the_one_that_keeps_more_tasks_acts(self) -> None:
        rows: list[Row] = [(None, 0, -1), (0, None, 2)]
        for order in (rows, rows[::-1]):
            policy = step_policy(order, operator=None)
            assert [change_in_capacity(policy, metric, 10) for metric in (99.9, 100, 100.1)] == [-1, 2, 2]

    def test_a_step_across_the_threshold_leaves_its_bounds_to_its_neighbours(self) -> None:
        policy = step_policy(((None, -10, -1), (-10, 10, 0), (10, None, 1)), operator=None)
        changes = [change_in_capacity(policy, metric, 10) for metric in (90, 90.1, 109.9, 110)]
        assert changes == [-1, 0, 0, 1]

    @pytest.mark.parametrize(
        ("operator", "acts_at"),
        [
            ("GreaterThanThreshold", [101]),
            ("GreaterThanOrEqualToThreshold", [100, 101]),
            ("LessThanThreshold", [99]),
            ("LessThanOrEqualToThreshold", [99, 100]),
            (None, [99, 100, 101]),
        ],
    )
    def test_no_step_acts_unless_the_alarm_would(self, operator: str | None, acts_at: list[int]) -> None:
        policy = step_policy(((None, 0, -1), (0, None, 1)), operator=operator)
        assert [metric for metric in (99, 100, 101) if change_in_capacity(policy, metric, 10) is not None] == acts_at

    bounds = st.lists(st.integers(-8, 8).map(lambda n: n * 12.5), min_size=1, max_size=6, unique=True).map(sorted)

    @given(bounds, st.integers(-40, 60).map(lambda n: 100 + n * 2.5))
    def test_an_open_table_has_a_step_for_every_value(self, bounds: list[float], metric: float) -> None:
        lowers: list[float | None] = [None, *bounds]
        uppers: list[float | None] = [*bounds, None]
        rows = [(lower, upper, n) for n, (lower, upper) in enumerate(zip(lowers, uppers, strict=True))]
        found = change_in_capacity(step_policy(rows, operator=None), metric, 10)
        assert found is not None
        lower, upper, _ = rows[found]
        assert lower is None or metric >= 100 + lower
        assert upper is None or metric <= 100 + upper

    def test_a_table_that_adds_less_above_does_so_from_its_bound(self) -> None:
        policy = step_policy(((0, 50, 4), (50, None, 1)))
        assert [change_in_capacity(policy, metric, 10) for metric in (149.9, 150)] == [4, 1]


class TestAdjustmentTypes:
    @pytest.mark.parametrize(("capacity", "change"), [(4, 8), (12, 0), (20, -8)])
    def test_exact_capacity_is_the_count_to_have(self, capacity: int, change: int) -> None:
        assert change_in_capacity(step_policy(((0, None, 12),), kind="ExactCapacity"), 101, capacity) == change

    def test_a_magnitude_above_one_is_rounded_toward_zero(self) -> None:
        for percent, change in ((30, 2), (-30, -2)):
            policy = step_policy(((0, None, percent),), kind="PercentChangeInCapacity")
            assert change_in_capacity(policy, 101, 9) == change

    def test_the_least_magnitude_counts_in_both_directions_and_not_for_zero(self) -> None:
        for percent, change in ((1, 5), (-1, -5), (0, 0)):
            rows: tuple[Row, ...] = ((0, None, percent),)
            policy = step_policy(rows, kind="PercentChangeInCapacity", MinAdjustmentMagnitude=5)
            assert change_in_capacity(policy, 101, 200) == change


class TestThreshold:
    @pytest.mark.parametrize(
        ("rows", "operator", "threshold"),
        [
            (((0, 50, 1), (50, None, 2)), "GreaterThanThreshold", 100),
            (((0, 50, 0), (50, None, 2)), "GreaterThanThreshold", 150),
            (((None, -10, -1), (-10, None, 2)), None, 90),
            (((None, -10, -1), (-10, None, 2)), "GreaterThanThreshold", 100),
            (((None, 0, -1),), "LessThanThreshold", None),
            (((None, 0, 3),), "LessThanThreshold", None),
        ],
    )
    def test_where_a_table_begins_to_add_tasks(
        self, rows: tuple[Row, ...], operator: str | None, threshold: float | None
    ) -> None:
        assert scale_out_threshold(step_policy(rows, operator=operator)) == threshold

    def test_which_tables_can_remove_tasks(self) -> None:
        assert has_scale_in_steps(step_policy(((None, 0, -1), (0, None, 1)), operator=None))
        assert not has_scale_in_steps(step_policy())
        assert has_scale_in_steps(step_policy(((None, 0, 3), (0, None, 9)), operator=None, kind="ExactCapacity"))
        assert not has_scale_in_steps(step_policy(EVERY_LOAD, kind="ExactCapacity"))
