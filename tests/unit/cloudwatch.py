"""CloudWatch's alarms on the metrics that were sent, evaluated minute by minute as its user guide has it.

What is not obvious is data that is missing ("How alarm state is evaluated when data is missing"): CloudWatch retrieves
more datapoints than `EvaluationPeriods`, evaluates the most recent of those that exist, and consults `TreatMissingData`
only where there are too few. How many more it retrieves is not documented, so a test tries several.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.unit.emitted import Sent

MINUTE = 60.0
OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": float.__ge__,
    "LessThanThreshold": float.__lt__,
}
STATISTICS: Mapping[str, Callable[[Iterable[float]], float]] = {"Sum": sum, "Maximum": max}


@dataclass(frozen=True)
class Watched:
    """The metric behind an alarm; `fill` stands for its missing datapoints, None leaves them missing."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    period: float
    fill: float | None = None


def watched(alarm: Mapping[str, Any]) -> Watched:
    """What an alarm of the template watches: a metric, or one that is filled by metric math."""
    if "Metrics" not in alarm:
        return _watched(alarm, alarm["Statistic"], alarm["Period"])
    queries = {query["Id"]: query for query in alarm["Metrics"]}
    (shown,) = (query for query in queries.values() if query.get("ReturnData", True))
    filled = re.fullmatch(r"FILL\((\w+), (\d+)\)", shown["Expression"])
    assert filled, "no other expression is known here"
    found = queries[filled[1]]["MetricStat"]
    return _watched(found["Metric"], found["Stat"], found["Period"], float(filled[2]))


def _watched(metric: Mapping[str, Any], statistic: str, period: float, fill: float | None = None) -> Watched:
    dimensions = tuple((one["Name"], one["Value"]) for one in metric["Dimensions"])
    return Watched(metric["Namespace"], metric["MetricName"], dimensions, statistic, period, fill)


def state(points: Sequence[bool | None], alarm: Mapping[str, Any], before: str) -> str:
    """The state after `points` of the evaluation range, oldest first: breaching, not breaching, or missing (None)."""
    periods, needed, missing = alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"], alarm["TreatMissingData"]
    known = [point for point in points if point is not None]
    if len(known) < periods and missing == "ignore":
        if sum(known) >= needed:
            return ALARM
        return OK if False in known else before
    if len(known) < periods:
        known += [missing == "breaching"] * (periods - len(known))
    return ALARM if sum(known[-periods:]) >= needed else OK


def states(alarm: Mapping[str, Any], sent: Iterable[Sent], minutes: int, more: int) -> list[str]:
    """The alarm's state after each of `minutes`, where CloudWatch retrieves `more` datapoints than it must.

    A datapoint is taken in only once it has arrived, and periods slide: an alarm is evaluated once a minute, however
    long its period is.
    """
    metric, found = watched(alarm), [INSUFFICIENT]
    mine = [one for one in sent if (one.namespace, one.name, one.dimensions) == _key(metric)]
    warm_up = alarm.get("WarmUpConfiguration", {}).get("WarmUpPeriodDurationInMinutes", 0)
    warm = not warm_up
    for minute in range(1, minutes + 1):
        arrived = [one for one in mine if one.at + one.late <= minute * MINUTE]
        points = _points(arrived, metric, alarm, minute * MINUTE, alarm["EvaluationPeriods"] + more)
        # A warm-up ends early, as soon as there is enough data.
        warm = warm or minute > warm_up or None not in points[-alarm["EvaluationPeriods"] :]
        found.append(state(points, alarm, found[-1]) if warm else INSUFFICIENT)
    return found[1:]


def _key(metric: Watched) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return metric.namespace, metric.name, metric.dimensions


def _points(
    arrived: Sequence[Sent], metric: Watched, alarm: Mapping[str, Any], now: float, retrieved: int
) -> list[bool | None]:
    ends = [now - metric.period * back for back in reversed(range(retrieved))]
    values: list[float | None] = []
    for end in ends:
        inside = [one.value for one in arrived if end - metric.period <= one.at < end]
        values.append(STATISTICS[metric.statistic](inside) if inside else None)
    # Of a metric without any datapoint there is nothing to fill.
    if metric.fill is not None and any(value is not None for value in values):
        values = [metric.fill if value is None else value for value in values]
    breaches = COMPARE[alarm["ComparisonOperator"]]
    return [None if value is None else breaches(float(value), float(alarm["Threshold"])) for value in values]
