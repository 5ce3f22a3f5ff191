"""GetMetricData as CloudWatch documents it, over the samples that were published.

moto ignores the namespace of a query with dimensions, answers a percentile with HTTP 500, accepts any period and begins
buckets at StartTime. Source: CloudWatch API Reference, GetMetricData and MetricStat.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError

SUB_MINUTE_PERIODS = (1, 5, 10, 20, 30)
QUERIES_PER_CALL = 500

Key = tuple[str, str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Sample:
    """A published value that occurred `count` times, or a statistic set. `at` is in epoch seconds.

    `values` has (value, times) pairs and is empty for a statistic set: CloudWatch has no percentiles of those.
    """

    at: float
    unit: str | None
    count: float
    total: float
    minimum: float
    maximum: float
    values: tuple[tuple[float, float], ...]


def sample_of(datum: dict[str, Any], now: float) -> Sample:
    """The sample of one MetricDatum as moto's parser hands it over (naive UTC timestamps)."""
    at = epoch(datum["Timestamp"]) if datum.get("Timestamp") else now
    unit = datum.get("Unit")
    if statistics := datum.get("StatisticValues"):
        count, total, low, high = (float(statistics[k]) for k in ("SampleCount", "Sum", "Minimum", "Maximum"))
        return Sample(at, unit, count, total, low, high, ())
    values = [float(value) for value in datum.get("Values") or [datum.get("Value", 0.0)]]
    counts = [float(times) for times in datum.get("Counts") or [1.0] * len(values)]
    pairs = tuple(zip(values, counts, strict=True))
    return Sample(at, unit, sum(counts), sum(v * n for v, n in pairs), min(values), max(values), pairs)


def key_of(namespace: str, metric: dict[str, Any]) -> Key:
    """Namespace, name and exact dimensions: what makes a metric one metric."""
    dimensions = frozenset((d["Name"], d["Value"]) for d in metric.get("Dimensions") or [])
    return namespace, metric["MetricName"], dimensions


def check_queries(queries: list[dict[str, Any]]) -> None:
    """Raises what CloudWatch answers to queries that it does not accept."""
    if len(queries) > QUERIES_PER_CALL:
        raise ValidationError(f"The collection MetricDataQueries must not have a size greater than {QUERIES_PER_CALL}.")
    ids = [query["Id"] for query in queries]
    if len(set(ids)) < len(ids):
        raise ValidationError("The values for parameter id in MetricDataQueries are not unique.")
    for number, query in enumerate(queries, 1):
        name = f"MetricDataQueries.member.{number}"
        if not re.fullmatch(r"[a-z][a-zA-Z0-9_]{0,254}", query["Id"]):
            raise ValidationError(
                f"The value {query['Id']} for parameter {name}.Id is not matching the expected pattern."
            )
        if "MetricStat" not in query:
            raise ValidationError(f"{name}: the stand-in answers MetricStat queries only, no expressions.")
        period = int(query["MetricStat"]["Period"])
        if period not in SUB_MINUTE_PERIODS and (period <= 0 or period % 60):
            raise ValidationError(
                f"The parameter {name}.MetricStat.Period must be 1, 5, 10, 20, 30 or a multiple of 60."
            )


def datapoints(samples: Iterable[Sample], stat: dict[str, Any], start: float, end: float) -> list[tuple[float, float]]:
    """The datapoints of one metric and statistic in [start, end): (epoch second, value), oldest first."""
    period = int(stat["Period"])
    unit = stat.get("Unit")
    statistic = _statistic(stat["Stat"])
    step = min(period, 60)
    start = start // step * step
    buckets: dict[int, list[Sample]] = {}
    for sample in samples:
        if start <= sample.at < end and unit in (None, sample.unit):
            buckets.setdefault(int((sample.at - start) // period), []).append(sample)
    points = [(start + n * period, statistic(buckets[n])) for n in sorted(buckets)]
    return [(at, value) for at, value in points if value is not None]


def epoch(moment: Any) -> float:
    """Epoch seconds of a naive UTC datetime, as moto uses them."""
    return float(moment.replace(tzinfo=UTC).timestamp())


def _statistic(name: str) -> Callable[[list[Sample]], float | None]:
    if name in _STATISTICS:
        return _STATISTICS[name]
    if match := re.fullmatch(r"p(\d{1,2}(?:\.\d+)?|100)", name):
        return lambda samples: _percentile(samples, float(match[1]))
    raise InvalidParameterValue(f"The value {name} for parameter Stat is not supported by the stand-in.")


def _count(samples: list[Sample]) -> float:
    return sum(sample.count for sample in samples)


def _sum(samples: list[Sample]) -> float:
    return sum(sample.total for sample in samples)


def _average(samples: list[Sample]) -> float | None:
    count = _count(samples)
    return _sum(samples) / count if count else None


def _percentile(samples: list[Sample], percent: float) -> float | None:
    """The smallest value that this share of the samples does not exceed."""
    pairs = sorted(pair for sample in samples for pair in sample.values)
    wanted = sum(times for _, times in pairs) * percent / 100
    for value, times in pairs:
        wanted -= times
        if wanted <= 1e-9:
            return value
    return None


_STATISTICS: dict[str, Callable[[list[Sample]], float | None]] = {
    "SampleCount": _count,
    "Sum": _sum,
    "Average": _average,
    "Minimum": lambda samples: min(sample.minimum for sample in samples),
    "Maximum": lambda samples: max(sample.maximum for sample in samples),
}
