"""A valid policy document to change, and the problems that a document has."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from fastscaler.document.parse import parse_document
from fastscaler.errors import DocumentInvalid, Problem

METRIC = {"Namespace": "App", "MetricName": "RequestsPerSecond", "PerTask": True, "Dimensions": {"Service": "web"}}
TABLE = [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 50, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 50, "ScalingAdjustment": 2},
]
SERVICE = {
    "Cluster": "prod",
    "Service": "web",
    "MinCapacity": 2,
    "MaxCapacity": 100,
    "Metrics": {"Requests": METRIC},
    "LoadBalancer": {"LoadBalancer": "app/alb/50dc6c495c0c9188", "TargetGroup": "targetgroup/web/73e2d6bc24d8a067"},
    "Policies": [
        {
            "Name": "steps",
            "PolicyType": "StepScaling",
            "Metric": "Requests",
            "Threshold": 100,
            "StepScalingPolicyConfiguration": {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": TABLE},
        },
        {"Name": "tracking", "PolicyType": "TargetTracking", "Metric": "Requests", "TargetValue": 100},
    ],
    "Behavior": {"ScaleIn": {"Policies": [{"Type": "Percent", "Value": 50, "PeriodSeconds": 60}]}},
}
STEPS_PATH = "Policies[steps].StepScalingPolicyConfiguration"

Change = Callable[[dict[str, Any]], object]


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(DocumentInvalid) as caught:
        parse_document(text, "policies.yaml")
    return caught.value.problems


def changed(change: Change) -> str:
    service: dict[str, Any] = deepcopy(SERVICE)
    change(service)
    return json.dumps({"Services": [service]})


def problems_after(change: Change) -> tuple[Problem, ...]:
    return problems_of(changed(change))


def metric(service: dict[str, Any]) -> dict[str, Any]:
    return service["Metrics"]["Requests"]


def configuration(service: dict[str, Any]) -> dict[str, Any]:
    return service["Policies"][0]["StepScalingPolicyConfiguration"]


def tracking(service: dict[str, Any]) -> dict[str, Any]:
    return service["Policies"][1]


def with_expression(service: dict[str, Any], expression: str, **settings: Any) -> None:
    queue = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Period": 60}
    visible = {**queue, "Dimensions": {"QueueName": "orders"}}
    backlog = {"Expression": expression, "Period": 60, "DivideByTasks": True, **settings}
    service["Metrics"].update(Visible=visible, Backlog=backlog)
