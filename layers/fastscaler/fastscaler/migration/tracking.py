"""A target tracking policy, as an entry of `Policies`."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from fastscaler.migration.carried import AWS_COOLDOWN, Carried, Waiting, datapoints, waiting_for
from fastscaler.migration.commented_yaml import Note, Noted
from fastscaler.migration.metrics import (
    ALARM_PERIOD,
    Answer,
    Blocks,
    NotCarriedOver,
    add_metric,
    metric_of_queries,
    of_one_metric,
    unit_notes,
)

# PredefinedMetricType: the metric of the service, and its period in seconds. Application Auto Scaling API reference,
# PredefinedMetricSpecification; the high-resolution ones evaluate "20-second CloudWatch metrics".
OF_THE_SERVICE = {
    "ECSServiceAverageCPUUtilization": ("CPUUtilization", 60),
    "ECSServiceAverageMemoryUtilization": ("MemoryUtilization", 60),
    "ECSServiceAverageCPUUtilizationHighResolution": ("CPUUtilization", 20),
    "ECSServiceAverageMemoryUtilizationHighResolution": ("MemoryUtilization", 20),
}


def tracking_policy(policy: Answer, alarms: Iterable[Answer], cluster: str, service: str, metrics: Blocks) -> Carried:
    """The entry for `policy`, whose `alarms` AWS made. Raises NotCarriedOver."""
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    predefined = configuration.get("PredefinedMetricSpecification")
    if predefined:
        key, metrics = add_metric(metrics, *_predefined(predefined, cluster, service))
    else:
        key, metrics = _customized(configuration.get("CustomizedMetricSpecification", {}), policy, metrics)
    block: dict[str, Any] = {
        "Name": policy["PolicyName"],
        "PolicyType": "TargetTracking",
        "Metric": key,
        "TargetValue": configuration["TargetValue"],
        # The alarms that AWS makes for a policy stand at the target and at 90% of it.
        "ScaleOutTolerance": Noted(0, [Note("As AWS has it. FastScaler's default, 0.1, gives a calmer count.", False)]),
        "ScaleInTolerance": 0.1,
    }
    if predefined and predefined["PredefinedMetricType"] == "ALBRequestCountPerTarget":
        words = "Requests per target and minute, as in the policy: the sum of a datapoint of 60 s."
        block["TargetValue"] = Noted(block["TargetValue"], [Note(words, differs=False)])
    scales_in = not configuration.get("DisableScaleIn", False)
    if not scales_in:
        block["DisableScaleIn"] = True
    known = list(alarms)
    waits = [wait for wait in map(waiting_for, filter(_is_low, known)) if wait]
    return Carried(
        block,
        metrics,
        (*_notes(known, scales_in), *unit_notes(configuration.get("CustomizedMetricSpecification", {}))),
        scales_in=scales_in,
        waiting=max(waits, key=_seconds, default=None) if scales_in else None,
        scale_in_cooldown=configuration.get("ScaleInCooldown", AWS_COOLDOWN) if scales_in else None,
        scale_out_cooldown=configuration.get("ScaleOutCooldown"),
    )


def _predefined(specification: Answer, cluster: str, service: str) -> tuple[dict[str, Any], str]:
    """The entry of Metrics for a predefined metric, and its key. Raises NotCarriedOver."""
    kind = specification["PredefinedMetricType"]
    if kind in OF_THE_SERVICE:
        name, period = OF_THE_SERVICE[kind]
        dimensions = {"ClusterName": cluster, "ServiceName": service}
        return _block("AWS/ECS", name, dimensions, "Average", period), name
    if kind != "ALBRequestCountPerTarget":
        raise NotCarriedOver(f"the predefined metric {kind} is not one of an ECS service")
    label = str(specification.get("ResourceLabel", ""))
    parts = re.fullmatch(r"(app/[^/]+/[^/]+)/(targetgroup/[^/]+/[^/]+)", label)
    if parts is None:
        raise NotCarriedOver(f"its ResourceLabel {label!r} does not name a load balancer and a target group")
    dimensions = {"LoadBalancer": parts[1], "TargetGroup": parts[2]}
    return _block("AWS/ApplicationELB", "RequestCountPerTarget", dimensions, "Sum", 60), "RequestCountPerTarget"


def _block(namespace: str, name: str, dimensions: dict[str, str], statistic: str, period: int) -> dict[str, Any]:
    metric = {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    return of_one_metric(metric, statistic, period)


def _customized(specification: Answer, policy: Answer, metrics: Blocks) -> tuple[str, Blocks]:
    if specification.get("Metrics"):
        return metric_of_queries(specification["Metrics"], policy["PolicyName"], metrics)
    if not specification.get("MetricName"):
        raise NotCarriedOver("it names no metric")
    block = of_one_metric(specification, specification.get("Statistic", "Average"), ALARM_PERIOD)
    return add_metric(metrics, block, specification["MetricName"])


def _is_low(alarm: Answer) -> bool:
    return str(alarm.get("ComparisonOperator", "")).startswith("Less")


def _seconds(waiting: Waiting) -> int:
    return waiting.seconds


def _notes(alarms: list[Answer], scales_in: bool) -> Iterator[Note]:
    """How long AWS's own alarms of the policy wait."""
    high = next((alarm for alarm in alarms if not _is_low(alarm)), None)
    low = next((alarm for alarm in alarms if _is_low(alarm)), None)
    waits = []
    if high is not None:
        waits.append(f"{_share(high)} are above TargetValue")
    if low is not None and scales_in:
        waits.append(f"takes them away once {_share(low)} are below 90% of it")
    if not waits:
        return
    instead = ""
    if low is not None and scales_in:
        instead = "; before a scale-in Behavior.ScaleIn.StabilizationWindowSeconds waits in their place"
    first = f"adds tasks once {waits[0]}" if high is not None else waits[0]
    yield Note(f"AWS {' and '.join([first, *waits[1:]])}. FastScaler looks at the newest one{instead}.")


def _share(alarm: Answer) -> str:
    needed, evaluated, period = datapoints(alarm)
    return f"{needed} of {evaluated} datapoints of {period} s"
