"""What AWS answers about one service and how it is scaled, as its API references document it."""

from datetime import UTC, datetime
from typing import Any

from fastscaler.aws.existing_scaling import ExistingScaling
from fastscaler.document.parse import parse_document
from fastscaler.migration.translate import translate
from fastscaler.scaling.policy import Service, StepScalingPolicy, TargetTrackingPolicy

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ACCOUNT = "111122223333"
RESOURCE = "service/shop/web"
BALANCER = f"arn:aws:elasticloadbalancing:eu-central-1:{ACCOUNT}:loadbalancer/app/shop-alb/50dc6c495c0c9188"
TARGET_GROUP = f"arn:aws:elasticloadbalancing:eu-central-1:{ACCOUNT}:targetgroup/shop-web/73e2d6bc24d8a067"
LABEL = "app/shop-alb/50dc6c495c0c9188/targetgroup/shop-web/73e2d6bc24d8a067"


def target(lowest: int = 2, highest: int = 20, **suspended: bool) -> dict[str, Any]:
    state = {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False}
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": RESOURCE,
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": lowest,
        "MaxCapacity": highest,
        "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/x",
        "CreationTime": NOW,
        "SuspendedState": {**state, "ScheduledScalingSuspended": False, **suspended},
    }


def policy_arn(name: str) -> str:
    return (
        f"arn:aws:autoscaling:eu-central-1:{ACCOUNT}:scalingPolicy:6d8972f3:resource/ecs/{RESOURCE}:policyName/{name}"
    )


def _policy(name: str, kind: str, alarms: tuple[str, ...], **configuration: Any) -> dict[str, Any]:
    arn = f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm"
    return {
        "PolicyARN": policy_arn(name),
        "PolicyName": name,
        "ServiceNamespace": "ecs",
        "ResourceId": RESOURCE,
        "ScalableDimension": "ecs:service:DesiredCount",
        "PolicyType": kind,
        "Alarms": [{"AlarmName": alarm, "AlarmARN": f"{arn}:{alarm}"} for alarm in alarms],
        "CreationTime": NOW,
        **configuration,
    }


def step(adjustment: int, lower: float | None = None, upper: float | None = None) -> dict[str, Any]:
    bounds = {"MetricIntervalLowerBound": lower, "MetricIntervalUpperBound": upper}
    return {key: bound for key, bound in bounds.items() if bound is not None} | {"ScalingAdjustment": adjustment}


def steps(name: str, *table: dict[str, Any], alarms: tuple[str, ...] = ("high",), **keys: Any) -> dict[str, Any]:
    """A step scaling policy; without steps one that adds a task above the threshold."""
    configuration = {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": list(table) or [step(1, 0.0)],
        "Cooldown": 60,
        "MetricAggregationType": "Average",
        **keys,
    }
    configuration = {key: value for key, value in configuration.items() if value is not None}
    return _policy(name, "StepScaling", alarms, StepScalingPolicyConfiguration=configuration)


def tracking(name: str, alarms: tuple[str, ...] = (), target: float = 75.0, **keys: Any) -> dict[str, Any]:
    """A target tracking policy; without a metric one for the service's CPU."""
    if not keys.keys() & {"PredefinedMetricSpecification", "CustomizedMetricSpecification"}:
        keys["PredefinedMetricSpecification"] = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    configuration = {"TargetValue": target, "DisableScaleIn": False, **keys}
    return _policy(name, "TargetTrackingScaling", alarms, TargetTrackingScalingPolicyConfiguration=configuration)


def predefined(kind: str, **keys: str) -> dict[str, Any]:
    return {"PredefinedMetricSpecification": {"PredefinedMetricType": kind, **keys}}


def dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def alarm(name: str = "high", action_of: str = "out", **keys: Any) -> dict[str, Any]:
    """An alarm on the service's CPU above 75%; None takes a key away."""
    answer = {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:{name}",
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [policy_arn(action_of)],
        "InsufficientDataActions": [],
        "MetricName": "CPUUtilization",
        "Namespace": "AWS/ECS",
        "Statistic": "Average",
        "Dimensions": dimensions(ClusterName="shop", ServiceName="web"),
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 75.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **keys,
    }
    return {key: value for key, value in answer.items() if value is not None}


def math_alarm(*queries: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """An alarm on metric math."""
    single = dict.fromkeys(("MetricName", "Namespace", "Statistic", "Dimensions", "Period"))
    return alarm(**{**single, "Metrics": list(queries), **keys})


def stat(name: str, metric: str, period: int | None = 60, statistic: str = "Sum", **keys: Any) -> dict[str, Any]:
    """A query for a metric of a queue, which is a part of an expression."""
    source = {"Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": dimensions(QueueName="orders")}
    values = {"Metric": source, "Period": period, "Stat": statistic}
    found = {key: value for key, value in values.items() if value is not None}
    return {"Id": name, "MetricStat": found, "ReturnData": False, **keys}


def action(name: str, schedule: str, lowest: int | None, highest: int | None = None, **keys: Any) -> dict[str, Any]:
    """A scheduled action."""
    bounds = {"MinCapacity": lowest, "MaxCapacity": highest}
    return {
        "ScheduledActionName": name,
        "ScheduledActionARN": f"arn:aws:autoscaling:eu-central-1:{ACCOUNT}:scheduledAction:x:{name}",
        "ServiceNamespace": "ecs",
        "Schedule": schedule,
        "ResourceId": RESOURCE,
        "ScalableDimension": "ecs:service:DesiredCount",
        "ScalableTargetAction": {key: value for key, value in bounds.items() if value is not None},
        "CreationTime": NOW,
        **keys,
    }


def scaling(*policies: dict[str, Any], alarms: tuple[dict[str, Any], ...] = (), **keys: Any) -> ExistingScaling:
    """The answers for service shop/web of eu-central-1."""
    values: dict[str, Any] = {
        "cluster": "shop",
        "service": "web",
        "region": "eu-central-1",
        "ecs_service": {"serviceName": "web", "status": "ACTIVE", "loadBalancers": []},
        "target": target(),
        "policies": policies,
        "alarms": {one["AlarmName"]: one for one in alarms},
        **keys,
    }
    return ExistingScaling(**values)


class Result:
    """What was written: as text, and as the document that FastScaler reads in it."""

    def __init__(self, existing: ExistingScaling, profile: str | None = None) -> None:
        imported = translate(existing, NOW, profile)
        self.text, self.differences = imported.text, imported.differences
        # Raises where `fastscaler validate` would refuse what was written.
        self.document = parse_document(self.text, "imported")
        [self.service] = self.document.services

    @property
    def comments(self) -> str:
        """All comments as one line, so that a sentence is found wherever it is wrapped."""
        lines = (line.strip() for line in self.text.splitlines())
        return " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))

    def steps(self, name: str) -> StepScalingPolicy:
        [found] = [one for one in self.service.policies if one.name == name]
        assert isinstance(found, StepScalingPolicy)
        return found

    def tracking(self, name: str) -> TargetTrackingPolicy:
        [found] = [one for one in self.service.policies if one.name == name]
        assert isinstance(found, TargetTrackingPolicy)
        return found


def imported(*policies: dict[str, Any], alarms: tuple[dict[str, Any], ...] = (), **keys: Any) -> Result:
    """What `fastscaler import` writes for these answers."""
    return Result(scaling(*policies, alarms=alarms, **keys))


def names(service: Service) -> list[str]:
    return [policy.name for policy in service.policies]
