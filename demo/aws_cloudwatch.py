"""moto's CloudWatch, corrected: metrics become visible some time after PutMetricData was answered, and GetMetricData
answers as documented (`metric_query.py`)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from random import Random
from threading import RLock
from typing import Any

from moto.cloudwatch import urls
from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import CloudWatchBackend, MetricDatumBase

from demo.calls import CallLog
from demo.metric_query import Key, Sample, check_queries, datapoints, epoch, key_of, sample_of

# PutMetricData: "Each request is also limited to no more than 1000 different metrics", "up to 150 values per metric".
METRICS_PER_PUT = 1000
VALUES_PER_METRIC = 150


@dataclass(frozen=True)
class Put:
    """One PutMetricData call: when it was answered and when its data could be read, in epoch seconds."""

    namespace: str
    answered: float
    visible: float


class Visibility:
    """Draws how long each PutMetricData call stays invisible: log-normal with this median (seconds) and sigma."""

    def __init__(self, median: float, sigma: float, seed: int) -> None:
        self.median = median
        self.sigma = sigma
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        self._random = Random(self._seed)
        self.puts: list[Put] = []

    def visible_at(self, namespace: str, now: float) -> float:
        delay = self.median * math.exp(self.sigma * self._random.gauss(0.0, 1.0))
        self.puts.append(Put(namespace, now, now + delay))
        return now + delay


class CloudWatch(CloudWatchBackend):
    """The backend of one account and Region."""

    def __init__(
        self,
        region_name: str,
        account_id: str,
        *,
        visibility: Visibility,
        calls: CallLog,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(region_name, account_id)
        self._visibility = visibility
        self._calls = calls
        self._clock = clock
        self._lock = RLock()
        self._order = count()
        self._invisible: list[tuple[float, int, str, list[dict[str, Any]]]] = []
        self._samples: dict[Key, list[Sample]] = {}

    def reset(self) -> None:
        """moto's reset throws the backends away; its own version of this method would need `__init__`'s signature."""

    @property
    def _url_module(self) -> Any:
        return urls

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        if namespace.startswith("AWS/"):
            raise InvalidParameterValue("The value AWS/ for parameter Namespace is invalid.")
        _check_limits(metric_data)
        for number, datum in enumerate(metric_data, 1):
            self._validate_parameters_put_metric_data(datum, number)
        with self._lock:
            now = self._clock()
            at = self._visibility.visible_at(namespace, now)
            heappush(self._invisible, (at, next(self._order), namespace, metric_data))

    def put_at_once(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        """For metrics that AWS itself publishes (namespaces AWS/...): visible at once."""
        with self._lock:
            self._show(namespace, metric_data)

    def get_all_metrics(self) -> list[MetricDatumBase]:
        self._show_due()
        return super().get_all_metrics()

    def get_metric_data(
        self,
        queries: list[dict[str, Any]],
        start_time: datetime,
        end_time: datetime,
        scan_by: str = "TimestampDescending",
    ) -> list[dict[str, Any]]:
        start, end = epoch(start_time), epoch(end_time)
        if start >= end:
            raise ValidationError("The parameter EndTime must be greater than StartTime.")
        check_queries(queries)
        self._calls.bill(self._clock(), queries)
        results = []
        for query in queries:
            stat = query["MetricStat"]
            points = self.datapoints(stat["Metric"], stat, start, end)
            if scan_by == "TimestampDescending":
                points.reverse()
            results.append(
                {
                    "id": query["Id"],
                    "label": query.get("Label") or stat["Metric"]["MetricName"],
                    "values": [value for _, value in points],
                    "timestamps": [datetime.fromtimestamp(at, UTC).replace(tzinfo=None) for at, _ in points],
                    "status_code": "Complete",
                }
            )
        return [result for query, result in zip(queries, results, strict=True) if query.get("ReturnData", True)]

    def datapoints(
        self, metric: dict[str, Any], stat: dict[str, Any], start: float, end: float
    ) -> list[tuple[float, float]]:
        """The visible datapoints of one metric as (epoch second, value), oldest first."""
        self._show_due()
        with self._lock:
            samples = list(self._samples.get(key_of(metric["Namespace"], metric), ()))
        return datapoints(samples, stat, start, end)

    def _show_due(self) -> None:
        with self._lock:
            while self._invisible and self._invisible[0][0] <= self._clock():
                _, _, namespace, metric_data = heappop(self._invisible)
                self._show(namespace, metric_data)

    def _show(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        for datum in metric_data:
            sample = sample_of(datum, self._clock())
            self._samples.setdefault(key_of(namespace, datum), []).append(sample)
            # For moto's other operations (ListMetrics, GetMetricStatistics) a statistic set is enough: moto would
            # store one object per sample, which are thousands in a bucket of response times.
            super().put_metric_data(namespace, [_as_statistic_set(datum, sample)])


def metric_datum(name: str, dimensions: dict[str, str], timestamp: float, value: float) -> dict[str, Any]:
    """One MetricDatum as moto's parser would hand it over: naive UTC timestamps."""
    return {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
        "Timestamp": datetime.fromtimestamp(timestamp, UTC).replace(tzinfo=None),
        "Value": value,
    }


def _as_statistic_set(datum: dict[str, Any], sample: Sample) -> dict[str, Any]:
    statistics = {
        "SampleCount": sample.count,
        "Sum": sample.total,
        "Minimum": sample.minimum,
        "Maximum": sample.maximum,
    }
    names = ("MetricName", "Dimensions", "Timestamp", "Unit")
    return {name: datum[name] for name in names if datum.get(name)} | {"StatisticValues": statistics}


def _check_limits(metric_data: list[dict[str, Any]]) -> None:
    if len(metric_data) > METRICS_PER_PUT:
        raise ValidationError(f"The collection MetricData must not have a size greater than {METRICS_PER_PUT}.")
    for number, datum in enumerate(metric_data, 1):
        name = f"MetricData.member.{number}"
        values = datum.get("Values") or []
        if len(values) > VALUES_PER_METRIC:
            raise ValidationError(
                f"The collection {name}.Values must not have a size greater than {VALUES_PER_METRIC}."
            )
        if any(math.isinf(value) for value in [*values, datum.get("Value", 0.0)]):
            raise InvalidParameterValue(f"The value of {name} must not be infinite.")
