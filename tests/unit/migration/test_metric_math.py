"""Alarms on metric math: an `Expression` over entries of Metrics, where FastScaler has what it needs."""

from typing import Any

import pytest

from fastscaler.scaling.metric import Metric, MetricExpression
from tests.unit.migration.existing import Result, alarm, imported, math_alarm, names, stat, steps

VISIBLE, IN_FLIGHT = "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"


def result_of(expression: str, name: str = "e1", **keys: Any) -> dict[str, Any]:
    return {"Id": name, "Expression": expression, "ReturnData": True, **keys}


def part(expression: str, name: str) -> dict[str, Any]:
    return {"Id": name, "Expression": expression, "ReturnData": False}


def expression_of(*queries: dict[str, Any]) -> str:
    result = imported(steps("out"), alarms=(math_alarm(*queries),))
    metric = result.service.metrics[result.steps("out").metric]
    assert isinstance(metric, MetricExpression)
    return metric.expression


M1, M2 = stat("m1", VISIBLE), stat("m2", IN_FLIGHT)


def test_ids_become_the_keys_of_metrics() -> None:
    result = imported(steps("out"), alarms=(math_alarm(M1, M2, result_of("m1 + m2", Label="All messages")),))
    found = result.service.metrics["Allmessages"]
    assert isinstance(found, MetricExpression)
    assert (found.expression, found.period) == (f"{VISIBLE} + {IN_FLIGHT}", 60)
    visible = result.service.metrics[VISIBLE]
    assert isinstance(visible, Metric)
    assert (visible.namespace, visible.statistic, visible.dimensions) == ("AWS/SQS", "Sum", {"QueueName": "orders"})
    assert result.steps("out").metric == "Allmessages"


def test_an_expression_of_expressions_is_one_expression() -> None:
    queries = (M1, M2, part("m1 + m2", "all"), part("MAX([all, 1])", "some"), result_of("some / (m1 * 2)"))
    assert expression_of(*queries) == f"(MAX([({VISIBLE} + {IN_FLIGHT}), 1])) / ({VISIBLE} * 2)"


def test_an_id_within_another_id_or_a_function_is_left_alone() -> None:
    queries = (stat("m", VISIBLE), stat("m1", IN_FLIGHT), result_of("IF(m1 > 10, m1 + m, 0)"))
    assert expression_of(*queries) == f"IF({IN_FLIGHT} > 10, {IN_FLIGHT} + {VISIBLE}, 0)"


def test_a_metric_that_only_another_query_names_is_not_written() -> None:
    result = imported(steps("out"), alarms=(math_alarm(M1, M2, result_of("m1 * 2")),))
    assert list(result.service.metrics) == [VISIBLE, "high"]


def test_a_query_of_one_metric_is_that_metric() -> None:
    """The console writes such alarms."""
    result = imported(steps("out"), alarms=(math_alarm({**M1, "ReturnData": True}),))
    assert list(result.service.metrics) == [VISIBLE]
    assert result.steps("out").metric == VISIBLE


def test_two_policies_on_one_expression_share_it() -> None:
    alarms = tuple(
        math_alarm(M1, M2, result_of("m1 + m2", Label="Messages"), AlarmName=name, AlarmActions=[])
        for name in ("high", "higher")
    )
    result = imported(steps("out"), steps("more", alarms=("higher",)), alarms=alarms)
    assert list(result.service.metrics) == [VISIBLE, IN_FLIGHT, "Messages"]
    assert {policy.metric for policy in result.service.policies} == {"Messages"}


def test_how_many_datapoints_of_which_period_is_named() -> None:
    watched = math_alarm(M1, M2, result_of("m1 + m2"), EvaluationPeriods=3)
    assert "3 of 3 datapoints of 60 s" in imported(steps("out"), alarms=(watched,)).comments


def test_the_alarms_own_account_is_no_other_account() -> None:
    own = {**M1, "AccountId": "111122223333", "ReturnData": True}
    assert names(imported(steps("out"), alarms=(math_alarm(own),)).service) == ["out"]


@pytest.mark.parametrize(
    ("queries", "reason"),
    [
        ((M1, result_of("FILL(m1, 0)")), "has no function FILL"),
        ((result_of("SEARCH('{AWS/SQS} Messages', 'Sum')"),), "its expression SEARCH"),
        ((result_of('SELECT MAX(CPUUtilization) FROM SCHEMA("AWS/ECS")'),), "its expression SELECT"),
        ((M1, result_of("m1 + m9")), "names m9, which is no metric of it"),
        ((part("e1 + 1", "e2"), result_of("e2 + 1")), "names e2, which is no metric of it"),
        ((M1, stat("m2", IN_FLIGHT, period=300), result_of("m1 + m2")), "mixes periods of 60 s and 300 s"),
        (({**M1, "ReturnData": True}, result_of("m1 + 1")), "returns 2 results"),
        ((M1,), "returns 0 results"),
        (({**M1, "AccountId": "999988887777", "ReturnData": True},), "a metric of account 999988887777"),
    ],
)
def test_what_fastscaler_cannot_compute_is_left_out_with_the_reason(
    queries: tuple[dict[str, Any], ...], reason: str
) -> None:
    fine = steps("fine", alarms=("fine",))
    result: Result = imported(fine, steps("out"), alarms=(alarm("fine", "fine"), math_alarm(*queries)))
    assert names(result.service) == ["fine"]
    assert list(result.service.metrics) == ["CPUUtilization"]
    assert reason in result.comments
