"""Target tracking policies: metric, target, cooldowns and what AWS's own alarms wait for."""

from typing import Any

import pytest

from fastscaler.migration.translate import NothingToImport
from fastscaler.scaling.load import Capacity, project
from fastscaler.scaling.metric import Metric, MetricExpression
from fastscaler.scaling.observation import Reading
from fastscaler.scaling.target_tracking import recommended_capacity
from tests.unit.migration.existing import (
    LABEL,
    Result,
    alarm,
    dimensions,
    imported,
    names,
    predefined,
    stat,
    step,
    steps,
    tracking,
)

ALARMS = ("TargetTracking-web-AlarmHigh-1", "TargetTracking-web-AlarmLow-2")


def awss_alarms(policy: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The alarms that Application Auto Scaling makes for a target of 75%."""
    high = alarm(ALARMS[0], policy, EvaluationPeriods=3, Threshold=75.0)
    return high, alarm(ALARMS[1], policy, EvaluationPeriods=15, Threshold=67.5, ComparisonOperator="LessThanThreshold")


def wanted(result: Result, name: str, shown: float, tasks: int) -> int:
    """The count that the written policy asks for when its metric shows this value with so many tasks."""
    policy = result.tracking(name)
    capacity = Capacity(desired=tasks, running=tasks)
    metric = result.service.metrics[policy.metric]
    return recommended_capacity(policy, project(metric, Reading(shown, 0.0, 0.0), capacity), tasks)


@pytest.mark.parametrize(
    ("kind", "name", "period"),
    [
        ("ECSServiceAverageCPUUtilization", "CPUUtilization", 60),
        ("ECSServiceAverageMemoryUtilization", "MemoryUtilization", 60),
        ("ECSServiceAverageCPUUtilizationHighResolution", "CPUUtilization", 20),
        ("ECSServiceAverageMemoryUtilizationHighResolution", "MemoryUtilization", 20),
    ],
)
def test_the_predefined_metrics_of_a_service(kind: str, name: str, period: int) -> None:
    result = imported(tracking("target", **predefined(kind)))
    metric = result.service.metrics[result.tracking("target").metric]
    assert isinstance(metric, Metric)
    assert (metric.namespace, metric.metric_name, metric.statistic) == ("AWS/ECS", name, "Average")
    assert (metric.dimensions, metric.period) == ({"ClusterName": "shop", "ServiceName": "web"}, period)
    assert ("set the service's `monitoring` to 20 s" in result.comments) == (period == 60)


def test_requests_per_target_are_those_of_a_minute() -> None:
    result = imported(
        tracking("requests", target=1000.0, **predefined("ALBRequestCountPerTarget", ResourceLabel=LABEL))
    )
    metric = result.service.metrics["RequestCountPerTarget"]
    assert isinstance(metric, Metric)
    assert (metric.namespace, metric.statistic, metric.period) == ("AWS/ApplicationELB", "Sum", 60)
    assert metric.dimensions == {
        "LoadBalancer": "app/shop-alb/50dc6c495c0c9188",
        "TargetGroup": "targetgroup/shop-web/73e2d6bc24d8a067",
    }
    # 1,500 requests per target and minute on 4 tasks need 6.
    assert wanted(result, "requests", 1500.0, 4) == 6
    assert "Requests per target and minute" in result.comments


def test_the_count_moves_above_the_target_and_below_90_percent_of_it_as_in_aws() -> None:
    result = imported(tracking("cpu", target=50.0))
    assert [wanted(result, "cpu", cpu, 10) for cpu in (100.0, 51.0, 50.0, 45.0)] == [20, 11, 10, 10]
    assert wanted(result, "cpu", 25.0, 10) == 5


def test_a_customized_metric_is_the_one_that_is_named() -> None:
    specification = {
        "MetricName": "ActiveUsers",
        "Namespace": "Shop",
        "Dimensions": dimensions(Service="web"),
        "Statistic": "Maximum",
        "Unit": "Count",
    }
    result = imported(tracking("users", CustomizedMetricSpecification=specification))
    metric = result.service.metrics["ActiveUsers"]
    assert isinstance(metric, Metric)
    assert (metric.namespace, metric.statistic, metric.period) == ("Shop", "Maximum", 60)
    assert metric.dimensions == {"Service": "web"}
    assert "AWS reads samples in Count only" in result.comments


def test_a_customized_metric_math_is_an_expression() -> None:
    queries = [
        stat("m1", "ApproximateNumberOfMessagesVisible", period=None),
        stat("m2", "NumberOfMessagesSent", period=None),
        {"Id": "e1", "Expression": "m1 / m2", "Label": "Backlog per task", "ReturnData": True},
    ]
    result = imported(tracking("backlog", CustomizedMetricSpecification={"Metrics": queries}))
    metric = result.service.metrics[result.tracking("backlog").metric]
    assert isinstance(metric, MetricExpression)
    assert metric.expression == "ApproximateNumberOfMessagesVisible / NumberOfMessagesSent"
    assert {found.period for found in result.service.metrics.values()} == {60}


def test_without_scale_in_there_is_none_and_no_scale_in_cooldown() -> None:
    result = imported(tracking("cpu", ALARMS, DisableScaleIn=True), alarms=awss_alarms("cpu"))
    assert result.tracking("cpu").disable_scale_in
    assert wanted(result, "cpu", 1.0, 10) == 10
    assert "Behavior:" not in result.text


# --- Waiting and cooldowns


def test_scale_in_waits_as_long_as_awss_alarm_does() -> None:
    result = imported(tracking("cpu", ALARMS), alarms=awss_alarms("cpu"))
    assert result.service.behavior.scale_in.stabilization_window_seconds == 900
    assert "AWS adds tasks once 3 of 3 datapoints of 60 s are above TargetValue" in result.comments
    assert "15 of 15 datapoints of 60 s are below 90% of it" in result.comments


def test_alarms_that_are_not_there_change_nothing() -> None:
    result = imported(tracking("cpu", ALARMS))
    assert result.service.behavior.scale_in.stabilization_window_seconds == 300
    assert names(result.service) == ["cpu"]


def test_the_longest_cooldown_of_each_direction_is_the_services() -> None:
    memory = predefined("ECSServiceAverageMemoryUtilization")
    result = imported(
        tracking("cpu", ScaleInCooldown=120, ScaleOutCooldown=90),
        tracking("memory", ScaleInCooldown=60, ScaleOutCooldown=30, **memory),
    )
    behavior = result.service.behavior
    assert (behavior.scale_in.cooldown, behavior.scale_out.cooldown) == (120, 90)
    assert "(cpu: 120 s, memory: 60 s; AWS's default is 300)" in result.comments
    assert "(cpu: 90 s, memory: 30 s)" in result.comments


def test_awss_default_holds_before_a_scale_in_and_tasks_in_flight_before_a_scale_out() -> None:
    behavior = imported(tracking("cpu")).service.behavior
    assert (behavior.scale_in.cooldown, behavior.scale_out.cooldown) == (300, 10)


def test_a_cooldown_of_none_at_all_stays_one() -> None:
    assert imported(tracking("cpu", ScaleInCooldown=0)).service.behavior.scale_in.cooldown == 0


def test_a_cooldown_longer_than_an_hour_is_cut_and_said_so() -> None:
    result = imported(tracking("cpu", ScaleInCooldown=9000))
    assert result.service.behavior.scale_in.cooldown == 3600
    assert "It is 9000 s there; FastScaler takes 3600 at most." in result.comments


def test_target_tracking_policies_agree_on_scale_in_in_aws_too() -> None:
    both = imported(tracking("cpu"), tracking("memory", **predefined("ECSServiceAverageMemoryUtilization")))
    assert "have to agree" not in both.comments
    assert "Scale-in needs all" not in both.comments
    low = alarm("low", "in", ComparisonOperator="LessThanThreshold", Threshold=20.0)
    mixed = imported(tracking("cpu"), steps("in", step(-1, None, 0.0), alarms=("low",)), alarms=(low,))
    assert "Scale-in needs all of these to agree: cpu, in." in mixed.comments


# --- What is left out


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (tracking("odd", **predefined("ALBRequestCountPerTarget")), "ResourceLabel '' does not name a load balancer"),
        (tracking("odd", **predefined("RDSReaderAverageCPUUtilization")), "is not one of an ECS service"),
        (tracking("odd", target=0.0), "TargetValue = 0: must be a number above 0"),
        (tracking("odd", CustomizedMetricSpecification={}), "it names no metric"),
        (
            tracking("odd", CustomizedMetricSpecification={"MetricName": "Users", "Namespace": "Shop"}),
            "Dimensions = a block of 0: must be a block of 1 to 30",
        ),
        (
            {"PolicyName": "odd", "PolicyType": "PredictiveScaling", "PredictiveScalingPolicyConfiguration": {}},
            "it is predictive scaling, and FastScaler forecasts nothing.",
        ),
        ({"PolicyName": "odd", "PolicyType": "QuantumScaling"}, "FastScaler has no policies of type QuantumScaling"),
    ],
)
def test_what_cannot_be_expressed_is_left_out_with_the_reason(policy: dict[str, Any], reason: str) -> None:
    result = imported(tracking("cpu"), policy)
    assert names(result.service) == ["cpu"]
    assert "Policy odd is not carried over: " in result.comments
    assert reason in result.comments
    with pytest.raises(NothingToImport, match="Policy odd is not carried over"):
        imported(policy)
