"""A step scaling policy and one of its alarms, as an entry of `Policies`."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastscaler.migration.carried import AWS_COOLDOWN, LONGEST_WAIT, Carried, datapoints, waiting_for
from fastscaler.migration.commented_yaml import ABSENT, Note, Noted
from fastscaler.migration.metrics import ALARM_PERIOD, Answer, Blocks, NotCarriedOver, metric_of_alarm, unit_notes

LOWER, UPPER = "MetricIntervalLowerBound", "MetricIntervalUpperBound"
OPERATORS = (
    "GreaterThanThreshold",
    "GreaterThanOrEqualToThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
MISSING_DATA = {
    "breaching": "Missing data breaches the alarm; FastScaler never acts on it and holds the count. FallbackCapacity "
    "can raise the count then.",
    "notBreaching": "Missing data counts as calm in the alarm; FastScaler takes no task away while this metric is "
    "silent.",
    "ignore": "On missing data the alarm keeps its state and goes on acting; FastScaler holds the count.",
}


def step_policy(policy: Answer, alarm: Answer, name: str, metrics: Blocks) -> Carried:
    """The entry called `name` for `policy` as `alarm` sets it off. Raises NotCarriedOver."""
    _refuse_unusable(policy, alarm)
    key, metrics = metric_of_alarm(alarm, metrics)
    configuration = policy["StepScalingPolicyConfiguration"]
    steps = configuration["StepAdjustments"]
    reachable = _reachable(steps, alarm["ComparisonOperator"])
    if not reachable:
        raise NotCarriedOver(f"alarm {alarm['AlarmName']} is not in ALARM where its steps are")
    directions = _directions(configuration["AdjustmentType"], reachable, alarm["ComparisonOperator"])
    scales_in = "ScaleIn" in directions
    table = _table(reachable, len(steps))
    block = {
        "Name": name,
        "PolicyType": "StepScaling",
        "Metric": key,
        "Threshold": alarm["Threshold"],
        "ComparisonOperator": alarm["ComparisonOperator"],
        "StepScalingPolicyConfiguration": _configuration(configuration, table, "ScaleOut" in directions, alarm),
    }
    return Carried(
        block,
        metrics,
        tuple(_notes(alarm, scales_in)),
        scales_in=scales_in,
        waiting=waiting_for(alarm) if scales_in else None,
    )


def _refuse_unusable(policy: Answer, alarm: Answer) -> None:
    name = alarm["AlarmName"]
    if not alarm.get("ActionsEnabled", True):
        raise NotCarriedOver(f"the actions of alarm {name} are disabled, so it does nothing today")
    if alarm.get("ComparisonOperator") not in OPERATORS or "Threshold" not in alarm:
        raise NotCarriedOver(f"alarm {name} has no fixed threshold (anomaly detection moves it); Threshold is a number")
    arn = policy.get("PolicyARN", "")
    elsewhere = [*alarm.get("OKActions", []), *alarm.get("InsufficientDataActions", [])]
    if arn and _calls(arn, elsewhere) and not _calls(arn, alarm.get("AlarmActions", [])):
        raise NotCarriedOver(f"alarm {name} sets it off on leaving ALARM or without data; FastScaler acts on a breach")


def _calls(arn: str, actions: Sequence[str]) -> bool:
    return any(action.startswith(arn) for action in actions)


def _reachable(steps: Sequence[Answer], operator: str) -> list[dict[str, Any]]:
    """The steps that this alarm can reach, each as far as it can.

    A policy with two alarms has steps on both sides of the threshold. One that ends at it, or before, never acts here;
    one that reaches across is cut at the threshold, which changes nothing.
    """
    above = operator.startswith("Greater")
    kept = []
    for step in steps:
        lower, upper = step.get(LOWER), step.get(UPPER)
        far_end = upper if above else lower
        if far_end is not None and (far_end <= 0 if above else far_end >= 0):
            continue
        if above and lower is not None:
            lower = max(lower, 0)
        if not above and upper is not None:
            upper = min(upper, 0)
        bounds = {LOWER: lower, UPPER: upper}
        kept.append(
            {key: bound for key, bound in bounds.items() if bound is not None}
            | {"ScalingAdjustment": step["ScalingAdjustment"]}
        )
    return kept


def _directions(adjustment_type: str, steps: Sequence[Answer], operator: str) -> set[str]:
    """Which way the steps go; with ExactCapacity that depends on the count, and the alarm's side tells it."""
    if adjustment_type == "ExactCapacity":
        return {"ScaleOut" if operator.startswith("Greater") else "ScaleIn"}
    return {"ScaleOut" if step["ScalingAdjustment"] > 0 else "ScaleIn" for step in steps if step["ScalingAdjustment"]}


def _table(steps: list[dict[str, Any]], of: int) -> Any:
    if len(steps) == of:
        return steps
    words = f"{of - len(steps)} of {of} steps lie on the side of the threshold that this alarm never reports."
    return Noted(steps, [Note(words)])


def _configuration(configuration: Answer, table: Any, scales_out: bool, alarm: Answer) -> dict[str, Any]:
    """StepScalingPolicyConfiguration as it is, with the cooldown that AWS takes where none is given."""
    block: dict[str, Any] = {"AdjustmentType": configuration["AdjustmentType"]}
    if configuration.get("MinAdjustmentMagnitude"):
        block["MinAdjustmentMagnitude"] = _least(configuration)
    block["Cooldown"] = _cooldown(configuration.get("Cooldown"), scales_out, datapoints(alarm)[2] or 0)
    if configuration.get("MetricAggregationType"):
        block["MetricAggregationType"] = configuration["MetricAggregationType"]
    block["StepAdjustments"] = table
    return block


def _least(configuration: Answer) -> Any:
    """MinAdjustmentMagnitude; left out with a type that it means nothing to.

    Source: Application Auto Scaling API reference, StepScalingPolicyConfiguration: "The minimum value to scale by when
    the adjustment type is PercentChangeInCapacity".
    """
    adjustment_type, least = configuration["AdjustmentType"], configuration["MinAdjustmentMagnitude"]
    if adjustment_type == "PercentChangeInCapacity":
        return least
    words = f"MinAdjustmentMagnitude {least} is left out: it is for PercentChangeInCapacity, not {adjustment_type}."
    return Noted(ABSENT, [Note(words, differs=False)])


def _cooldown(seconds: int | None, scales_out: bool, period: int) -> Any:
    if seconds is None:
        words = "AWS's default, written out; FastScaler's is 0."
        if scales_out:
            words += " FastScaler counts tasks in flight, so 10 is enough once the metric is a 5 s one."
        return Noted(AWS_COOLDOWN, [Note(words)])
    if seconds > LONGEST_WAIT:
        return Noted(LONGEST_WAIT, [Note(f"It is {seconds} s there; FastScaler takes {LONGEST_WAIT} at most.")])
    if scales_out and seconds < ALARM_PERIOD <= period:
        # A scaling alarm acts once a minute while it is in ALARM, whatever the cooldown.
        words = (
            f"Shorter than the metric's {period} s: while the alarm stays in ALARM AWS acts once a minute, FastScaler "
            f"again after this, on the same datapoint. {ALARM_PERIOD} acts as AWS does."
        )
        return Noted(seconds, [Note(words)])
    return seconds


def _notes(alarm: Answer, scales_in: bool) -> Iterator[Note]:
    needed, evaluated, period = datapoints(alarm)
    if evaluated > 1:
        words = (
            f"Alarm {alarm['AlarmName']} acts once {needed} of {evaluated} datapoints of {period} s breach; "
            "FastScaler acts on the newest one."
        )
        instead = (
            " Behavior.ScaleIn.StabilizationWindowSeconds (300 by default) waits in their place." if scales_in else ""
        )
        yield Note(words + instead)
    missing = alarm.get("TreatMissingData")
    if missing in MISSING_DATA:
        yield Note(MISSING_DATA[missing])
    if alarm.get("EvaluateLowSampleCountPercentile") == "ignore":
        yield Note("The alarm ignores percentiles of few samples; FastScaler takes them as they are.")
    yield from unit_notes(alarm)
