"""The rules of a step table: the invalid tables of the vectors, each problem's place, and what is just allowed."""

import json
from pathlib import Path
from typing import Any

import pytest

from fastscaler.document.parse import parse_document
from tests.unit.document.documents import STEPS_PATH, changed, configuration, problems_after

VECTORS = json.loads((Path(__file__).parents[1] / "scaling" / "step_scaling_vectors.json").read_text())


def steps(*rows: tuple[float | None, float | None]) -> list[dict[str, Any]]:
    keys = ("MetricIntervalLowerBound", "MetricIntervalUpperBound")
    bounds = [{key: bound for key, bound in zip(keys, row, strict=True) if bound is not None} for row in rows]
    return [{**bound, "ScalingAdjustment": 1} for bound in bounds]


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["why"])
def test_invalid_step_tables_of_the_vectors_are_refused(case: dict[str, Any]) -> None:
    twenty_one = steps(*((bound, bound + 1) for bound in range(20)), (20, None))
    table = case.get("StepAdjustments", twenty_one)
    problems = problems_after(lambda s: configuration(s).update(StepAdjustments=table))
    assert all(problem.key.startswith(f"{STEPS_PATH}.StepAdjustments") for problem in problems)
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("table", "key", "value", "allowed"),
    [
        (steps((0, 60), (50, None)), "[1].MetricIntervalLowerBound", "50", "60, where the step below ends"),
        (steps((0, 40), (50, None)), "[1].MetricIntervalLowerBound", "50", "40, where the step below ends"),
        (steps((50, None), (0, 40)), "[0].MetricIntervalLowerBound", "50", "must not leave a gap"),
        (steps((0, 50)), "[0].MetricIntervalUpperBound", "50", "left out in the highest step"),
        (steps((-10, 0)), "[0].MetricIntervalLowerBound", "-10", "left out in the lowest step"),
        (steps((None, None)), "[0]", "a step without bounds", "a step with MetricIntervalLowerBound"),
        (steps((50, 50)), "[0].MetricIntervalUpperBound", "50", "above the step's own MetricIntervalLowerBound (50)"),
        (steps((50, 0)), "[0].MetricIntervalUpperBound", "0", "above the step's own MetricIntervalLowerBound (50)"),
        (steps((0, None), (50, None)), "[0].MetricIntervalUpperBound", "(missing)", "50, where the next step begins"),
        (steps((None, -5), (None, 0)), "[1].MetricIntervalLowerBound", "(missing)", "only the lowest step"),
        (steps((0, 0.5), (0.25, None)), "[1].MetricIntervalLowerBound", "0.25", "0.5, where the step below ends"),
    ],
)
def test_a_step_table_problem_names_the_step_and_the_bound(
    table: list[dict[str, Any]], key: str, value: str, allowed: str
) -> None:
    (problem,) = problems_after(lambda s: configuration(s).update(StepAdjustments=table))
    assert (problem.key, problem.value) == (f"{STEPS_PATH}.StepAdjustments{key}", value)
    assert allowed in problem.allowed


@pytest.mark.parametrize(
    "table",
    [
        steps((0, None)),
        steps((None, 0)),
        steps((None, -20), (-20, -10), (-10, 0)),
        steps((50, None), (0, 50)),
        steps((None, -10), (-10, 10), (10, None)),
        steps((0.1, 0.3), (0.3, None)),
        steps((None, -10), (-10, -5)),
        steps(*((bound, bound + 1) for bound in range(19)), (19, None)),
    ],
)
def test_step_tables_without_gap_and_with_open_ends_are_accepted(table: list[dict[str, Any]]) -> None:
    text = changed(lambda s: configuration(s).update(StepAdjustments=table))
    assert parse_document(text, "policies.yaml")


@pytest.mark.parametrize(
    ("operator", "table", "unreachable"),
    [
        ("GreaterThanThreshold", steps((None, 0), (0, None)), "[0].MetricIntervalUpperBound = 0"),
        ("GreaterThanOrEqualToThreshold", steps((None, -1), (-1, None)), "[0].MetricIntervalUpperBound = -1"),
        ("LessThanThreshold", steps((None, 0), (0, None)), "[1].MetricIntervalLowerBound = 0"),
        ("LessThanOrEqualToThreshold", steps((None, 1), (1, None)), "[1].MetricIntervalLowerBound = 1"),
        ("GreaterThanThreshold", steps((0, None)), None),
        ("GreaterThanOrEqualToThreshold", steps((None, 0)), None),  # Reached at exactly the threshold.
        ("LessThanThreshold", steps((None, 0)), None),
        ("LessThanOrEqualToThreshold", steps((0, None)), None),
        (None, steps((None, 0), (0, None)), None),
    ],
)
def test_a_step_that_the_operator_never_lets_through_is_refused(
    operator: str | None, table: list[dict[str, Any]], unreachable: str | None
) -> None:
    def change(service: dict[str, Any]) -> None:
        service["Policies"][0]["ComparisonOperator"] = operator
        configuration(service)["StepAdjustments"] = table

    if unreachable is None:
        assert parse_document(changed(change), "policies.yaml")
        return
    (problem,) = problems_after(change)
    assert f"{STEPS_PATH}.StepAdjustments{unreachable}" in str(problem)
    assert f"with {operator}, or the step is never reached" in problem.allowed


@pytest.mark.parametrize("adjustment_type", ["ChangeInCapacity", "ExactCapacity"])
def test_a_minimum_magnitude_is_for_percentages_only(adjustment_type: str) -> None:
    (problem,) = problems_after(
        lambda s: configuration(s).update(AdjustmentType=adjustment_type, MinAdjustmentMagnitude=2)
    )
    assert (problem.key, problem.value) == (f"{STEPS_PATH}.MinAdjustmentMagnitude", "2")
    assert "PercentChangeInCapacity only" in problem.allowed


def test_an_exact_capacity_is_not_negative() -> None:
    def change(service: dict[str, Any]) -> None:
        table = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": -1}]
        configuration(service).update(AdjustmentType="ExactCapacity", StepAdjustments=table)

    (problem,) = problems_after(change)
    assert (problem.key, problem.value) == (f"{STEPS_PATH}.StepAdjustments[0].ScalingAdjustment", "-1")
