"""Two services as they are found in accounts, and all that is written for them."""

from pathlib import Path
from typing import Any

import pytest

from fastscaler.aws.existing_scaling import ExistingScaling
from tests.unit.migration.existing import (
    BALANCER,
    LABEL,
    TARGET_GROUP,
    Result,
    action,
    alarm,
    dimensions,
    math_alarm,
    predefined,
    scaling,
    stat,
    step,
    steps,
    target,
    tracking,
)

DATA = Path(__file__).parent / "data"
BERLIN = {"Timezone": "Europe/Berlin"}


def storefront() -> ExistingScaling:
    """A web service behind a load balancer: step scaling by CPU, target tracking by requests, more tasks by day."""
    tracked = ("TargetTracking-service/shop/web-AlarmHigh-1", "TargetTracking-service/shop/web-AlarmLow-2")
    below: dict[str, Any] = {"ComparisonOperator": "LessThanThreshold"}
    requests = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCountPerTarget",
        "Statistic": "Sum",
        "Dimensions": dimensions(TargetGroup="targetgroup/shop-web/73e2d6bc24d8a067"),
    }
    return scaling(
        steps("cpu-out", step(2, 0.0, 15.0), step(4, 15.0), alarms=("web-cpu-high",)),
        steps("cpu-in", step(-1, None, 0.0), alarms=("web-cpu-low",), Cooldown=None),
        tracking(
            "requests",
            tracked,
            target=1000.0,
            ScaleInCooldown=120,
            ScaleOutCooldown=60,
            **predefined("ALBRequestCountPerTarget", ResourceLabel=LABEL),
        ),
        {"PolicyName": "forecast", "PolicyType": "PredictiveScaling", "PredictiveScalingPolicyConfiguration": {}},
        alarms=(
            alarm("web-cpu-high", "cpu-out", EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="breaching"),
            alarm("web-cpu-low", "cpu-in", EvaluationPeriods=10, Threshold=25.0, **below),
            alarm(tracked[0], "requests", EvaluationPeriods=3, Threshold=1000.0, **requests),
            alarm(tracked[1], "requests", EvaluationPeriods=15, Threshold=900.0, **requests, **below),
        ),
        target=target(2, 20),
        scheduled_actions=(
            action("business-hours", "cron(30 8 ? * MON-FRI *)", 10, 40, **BERLIN),
            action("night", "cron(0 22 ? * MON-FRI *)", 2, 20, **BERLIN),
        ),
        ecs_service={"serviceName": "web", "loadBalancers": [{"targetGroupArn": TARGET_GROUP}]},
        target_groups=({"TargetGroupArn": TARGET_GROUP, "LoadBalancerArns": [BALANCER]},),
    )


def worker() -> ExistingScaling:
    """A worker that takes messages from a queue: metric math, one policy for both directions, scale-in suspended."""
    visible = stat("m1", "ApproximateNumberOfMessagesVisible")
    running = {
        "Id": "m2",
        "MetricStat": {
            "Metric": {
                "Namespace": "ECS/ContainerInsights",
                "MetricName": "RunningTaskCount",
                "Dimensions": dimensions(ClusterName="shop", ServiceName="orders"),
            },
            "Period": 60,
            "Stat": "Average",
        },
        "ReturnData": False,
    }
    ratio = {"Id": "backlog", "Expression": "m1 / m2", "Label": "BacklogPerTask", "ReturnData": True}
    oldest = alarm(
        "orders-oldest",
        "old-messages",
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Statistic="Maximum",
        Dimensions=dimensions(QueueName="orders"),
        Threshold=300.0,
        Period=900,
    )
    return scaling(
        steps(
            "backlog",
            step(-10, None, -40.0),
            step(0, -40.0, 0.0),
            step(50, 0.0, 100.0),
            step(100, 100.0),
            alarms=("orders-backlog-high", "orders-backlog-low"),
            AdjustmentType="PercentChangeInCapacity",
            MinAdjustmentMagnitude=1,
            Cooldown=120,
        ),
        steps("old-messages", alarms=("orders-oldest",)),
        alarms=(
            math_alarm(visible, running, ratio, AlarmName="orders-backlog-high", AlarmActions=[], Threshold=50.0),
            math_alarm(
                visible,
                running,
                ratio,
                AlarmName="orders-backlog-low",
                AlarmActions=[],
                Threshold=50.0,
                ComparisonOperator="LessThanThreshold",
                EvaluationPeriods=15,
                TreatMissingData="notBreaching",
            ),
            oldest,
        ),
        service="orders",
        target=target(0, 50, DynamicScalingInSuspended=True),
        scheduled_actions=(action("month-end", "cron(0 6 L * ? *)", 12),),
        ecs_service={"serviceName": "orders", "loadBalancers": []},
    )


@pytest.mark.parametrize(("name", "existing"), [("storefront", storefront()), ("worker", worker())])
def test_all_that_is_written(name: str, existing: ExistingScaling) -> None:
    result = Result(existing)  # Also parses it, as `fastscaler validate` would.
    assert result.text == (DATA / f"{name}.yaml").read_text(encoding="utf-8")
