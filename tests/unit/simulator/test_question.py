"""The world that a policy document is asked about."""

from typing import Any

import pytest

from benchmarks.decision import shipped_service
from fastscaler.document.parse import parse_document
from fastscaler.scaling.policy import Service
from simulator.question import CapacityUnknown, question
from simulator.settings import Settings

REQUESTS = {
    "Namespace": "FastScaling/Application",
    "MetricName": "RequestsPerSecond",
    "PerTask": True,
    "Dimensions": {"Service": "web"},
}
CPU = {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Period": 20, "Dimensions": {"ServiceName": "web"}}
PER_TARGET = {
    "Namespace": "AWS/ApplicationELB",
    "MetricName": "RequestCount",
    "Statistic": "Sum",
    "Period": 60,
    "DivideByTasks": True,
    "Dimensions": {"LoadBalancer": "app/web/1"},
}
LATENCY = {
    "Namespace": "FastScaling/Application",
    "MetricName": "AverageResponseTime",
    "Period": 10,
    "Dimensions": {"Service": "web"},
}


def tracking(metric: dict[str, Any], target: float, **keys: Any) -> Service:
    """A service from 3 to 40 tasks with one target tracking policy."""
    policy = {"Name": "one", "PolicyType": "TargetTracking", "Metric": "M", "TargetValue": target, **keys}
    return service({"M": metric}, policy)


def service(metrics: dict[str, Any], *policies: dict[str, Any]) -> Service:
    bounds = {"Cluster": "shop", "Service": "web", "MinCapacity": 3, "MaxCapacity": 40}
    return Service.model_validate({**bounds, "Metrics": metrics, "Policies": list(policies)})


STATED = tracking(REQUESTS, 100, TaskCapacity=140)


def test_a_task_capacity_says_what_a_task_can_do() -> None:
    asked = question(STATED, None, 30)
    assert asked.settings.task_capacity == 140
    assert asked.settings.target == 100
    assert (asked.settings.minimum, asked.settings.maximum) == (3, 40)
    assert asked.settings.start_median == 30
    assert any("140 requests/s, its TaskCapacity" in sentence for sentence in asked.assumed)


def test_what_is_given_counts() -> None:
    asked = question(STATED, 200, 30)
    assert asked.settings.task_capacity == 200
    assert not any("TaskCapacity" in sentence for sentence in asked.assumed)


def test_the_shipped_policies_are_asked_about_the_world_of_the_results() -> None:
    asked, world = question(shipped_service(), None, 30).settings, Settings()
    assert (asked.task_capacity, asked.target) == (world.task_capacity, world.target)


def test_without_a_capacity_it_is_taken_from_the_target_and_said() -> None:
    asked = question(tracking(REQUESTS, 80), None, 30)
    assert asked.settings.task_capacity == 120
    assert any("120 requests/s, 1.5 times its target" in sentence for sentence in asked.assumed)


def test_a_target_in_percent_of_cpu_is_a_share_of_the_capacity() -> None:
    assert question(tracking(CPU, 60), 200, 30).settings.target == 120


def test_a_target_in_requests_per_minute_is_a_sixtieth() -> None:
    assert question(tracking(PER_TARGET, 3000), 100, 30).settings.target == 50


def test_peers_do_not_aim_above_what_a_task_answers_in_time() -> None:
    """80% of 100."""
    assert question(tracking(REQUESTS, 95), 100, 30).settings.target == 80


@pytest.mark.parametrize("metric", [CPU, LATENCY])
def test_a_policy_that_says_nothing_of_requests_needs_a_capacity(metric: dict[str, Any]) -> None:
    asking = tracking(metric, 0.5) if metric is LATENCY else tracking(metric, 60)
    with pytest.raises(CapacityUnknown, match="shop/web"):
        question(asking, None, 30)
    assert question(asking, 100, 30).settings.task_capacity == 100


def test_a_step_table_that_scales_in_is_no_target() -> None:
    down = """
Services:
  - Cluster: shop
    Service: web
    MinCapacity: 1
    MaxCapacity: 9
    Metrics:
      M: {Namespace: N, MetricName: RequestsPerSecond, PerTask: true, Dimensions: {Service: web}}
    Policies:
      - &steps
        Name: up
        PolicyType: StepScaling
        Metric: M
        Threshold: 60
        ComparisonOperator: GreaterThanThreshold
        StepScalingPolicyConfiguration:
          AdjustmentType: ChangeInCapacity
          StepAdjustments: [{MetricIntervalLowerBound: 0, ScalingAdjustment: 1}]
      - Name: down
        PolicyType: StepScaling
        Metric: M
        Threshold: 20
        ComparisonOperator: LessThanThreshold
        StepScalingPolicyConfiguration:
          AdjustmentType: ChangeInCapacity
          StepAdjustments: [{MetricIntervalUpperBound: 0, ScalingAdjustment: -1}]
"""
    asking = parse_document(down.replace("&steps\n        ", ""), "steps").services[0]
    assert question(asking, 100, 30).settings.target == 60
