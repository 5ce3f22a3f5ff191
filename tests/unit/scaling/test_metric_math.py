"""Metric math: what an expression names, what is refused, and what CloudWatch is asked."""

import pytest

from fastscaler.scaling.metric_math import names, problem, rename


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Visible", ("Visible",)),
        ("Visible + InFlight", ("Visible", "InFlight")),
        ("100 * (Errors/Requests) - Errors", ("Errors", "Requests")),
        ("IF(a1 > 5 AND b_2 <= 1.5, a1, 0)", ("a1", "b_2")),
        ("MAX([Cpu, Memory])", ("Cpu", "Memory")),
    ],
)
def test_the_metrics_of_an_expression(expression: str, found: tuple[str, ...]) -> None:
    assert problem(expression) is None
    assert names(expression) == found


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("SEARCH('{AWS/ECS}', 'Average')", "has no function SEARCH"),
        ("SUM(METRICS())", "has no function METRICS"),
        ("FILL(Requests, 0)", "has no function FILL"),
        ("Requests @ 5", "cannot be read from '@ 5' on"),
        ('Requests + "x"', "cannot be read from"),
        ("5 * 3", "must name at least one of the Metrics"),
        ("(Requests + 5", "has 1 ( and 0 )"),
        ("MAX([Requests, Errors)", "has 1 [ and 0 ]"),
        ("   ", "must name at least one of the Metrics"),
    ],
)
def test_what_is_refused(expression: str, words: str) -> None:
    found = problem(expression)
    assert found is not None
    assert words in found


def test_names_become_ids_and_nothing_else_does() -> None:
    expression = "IF(Max > 1, MAX([Max, Maximum]), Max2) + 1"
    ids = {"Max": "m0", "Maximum": "m1", "Max2": "m2"}
    assert rename(expression, ids) == "IF(m0 > 1, MAX([m0, m1]), m2) + 1"
