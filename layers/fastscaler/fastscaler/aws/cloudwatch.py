"""Reads metrics: one GetMetricData call for up to 500 queries, each metric's failure its own."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastscaler.aws.calls import READ, calling, in_parallel
from fastscaler.errors import AccessDenied, AwsError, Rejected, Unavailable
from fastscaler.scaling.metric import Metric, MetricExpression
from fastscaler.scaling.metric_math import rename
from fastscaler.scaling.observation import Datapoint

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

MAX_QUERIES = 500  # GetMetricData: "Up to 500 MetricDataQuery structures" in one call.
MAX_PAGES = 20  # A bound, not a rule: 500 queries of a few minutes fit on one page of 100,800 datapoints.
MINUTE = 60


@dataclass(frozen=True, slots=True)
class MetricRead:
    """One metric to read: whose (`cluster/service` and the metric's key), and how far back, in seconds.

    `components`: what an expression is made of, by key.
    """

    service: str
    key: str
    metric: Metric | MetricExpression
    window: int = 60
    components: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def name(self) -> "MetricName":
        """Names the read in answers: service and key."""
        return self.service, self.key


MetricName = tuple[str, str]
Answer = list[Datapoint] | AwsError


class CloudWatch:
    """The port `MetricSource`, on CloudWatch."""

    def __init__(self, client: "CloudWatchClient") -> None:
        self._client = client
        self._alone: set[str] = set()  # Services whose queries were refused; they are read apart from the others.

    @classmethod
    def connect(cls) -> "CloudWatch":
        """An adapter with a client of its own."""
        import boto3

        return cls(boto3.client("cloudwatch", config=READ))

    def read(self, reads: Sequence[MetricRead], now: float) -> dict[MetricName, Answer]:
        """The datapoints of every metric up to `now` (epoch seconds), or why there are none."""
        found: dict[MetricName, Answer] = {}
        for answers in in_parallel(lambda batch: self._read_batch(batch, now), self._batches(reads)):
            found.update(answers)
        return found

    def _batches(self, reads: Sequence[MetricRead]) -> list[list[MetricRead]]:
        """As few calls as possible; services that CloudWatch refused get a call each, so that they hurt nobody else."""
        batches: list[list[MetricRead]] = []
        alone: dict[str, list[MetricRead]] = defaultdict(list)
        queries = MAX_QUERIES
        for read in reads:
            if read.service in self._alone:
                alone[read.service].append(read)
                continue
            needed = len(_statistics(read.metric)) + len(read.components)
            if queries + needed > MAX_QUERIES:
                batches.append([])
                queries = 0
            batches[-1].append(read)
            queries += needed
        return [*batches, *alone.values()]

    def _read_batch(self, batch: list[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        services = list(dict.fromkeys(read.service for read in batch))
        try:
            answers = self._call(batch, now)
            self._alone.difference_update(services)
            return answers
        except Rejected as error:
            if len(services) == 1:
                self._alone.update(services)
                return dict.fromkeys((read.name for read in batch), error)
            # One query that CloudWatch refuses fails the whole call: halve it until the service is found.
            half = set(services[: len(services) // 2])
            parts = ([r for r in batch if r.service in half], [r for r in batch if r.service not in half])
            return {**self._read_batch(parts[0], now), **self._read_batch(parts[1], now)}
        except AwsError as error:
            return dict.fromkeys((read.name for read in batch), error)

    def _call(self, batch: list[MetricRead], now: float) -> dict[MetricName, Answer]:
        queries: list[MetricDataQueryTypeDef] = []
        for index, read in enumerate(batch):
            queries += _queries(f"m{index}_", read)
        # Whole minutes at both ends: CloudWatch rounds the start down anyway, and answers aligned requests faster.
        window = max(read.window for read in batch)
        request: dict[str, Any] = {
            "MetricDataQueries": queries,
            "StartTime": datetime.fromtimestamp((now - window) // MINUTE * MINUTE, UTC),
            "EndTime": datetime.fromtimestamp((now // MINUTE + 1) * MINUTE, UTC),
            "ScanBy": "TimestampDescending",
        }
        values: dict[str, dict[float, float]] = defaultdict(dict)
        failed: dict[str, AwsError] = {}
        for _ in range(MAX_PAGES):
            with calling("GetMetricData"):
                response = self._client.get_metric_data(**request)
            for result in response["MetricDataResults"]:
                # Lists that are empty may be left out of an answer in CBOR.
                times, found = result.get("Timestamps", ()), result.get("Values", ())
                values[result["Id"]].update(zip((time.timestamp() for time in times), found, strict=False))
                if result.get("StatusCode") in ("Forbidden", "InternalError"):
                    failed[result["Id"]] = _failure(str(result["StatusCode"]))
            token = response.get("NextToken")
            if not token:
                break
            request["NextToken"] = token
        return {read.name: _datapoints(f"m{index}_", read.metric, values, failed) for index, read in enumerate(batch)}


def _statistics(metric: Metric | MetricExpression) -> tuple[str, ...]:
    """A per-task metric is read as Sum and SampleCount; its average follows, and both are billed as one metric."""
    if isinstance(metric, MetricExpression):
        return ("expression",)
    return ("Sum", "SampleCount") if metric.per_task else (metric.statistic,)


def _queries(prefix: str, read: MetricRead) -> "list[MetricDataQueryTypeDef]":
    """The queries of one metric; an expression's components are asked for, but not returned."""
    metric = read.metric
    if isinstance(metric, Metric):
        return [_query(prefix + statistic, metric, statistic) for statistic in _statistics(metric)]
    ids = {key: f"{prefix}c{number}" for number, key in enumerate(read.components)}
    expression = rename(metric.expression, ids)
    return [
        *(
            _query(ids[key], component, component.statistic, returned=False)
            for key, component in read.components.items()
        ),
        {"Id": f"{prefix}expression", "Expression": expression, "Period": metric.period, "ReturnData": True},
    ]


def _query(query_id: str, metric: Metric, statistic: str, *, returned: bool = True) -> "MetricDataQueryTypeDef":
    return {
        "Id": query_id.replace(".", "_"),
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.metric_name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
            },
            "Period": metric.period,
            "Stat": statistic,
        },
        "ReturnData": returned,
    }


def _failure(status: str) -> AwsError:
    kind = AccessDenied if status == "Forbidden" else Unavailable
    return kind("GetMetricData", status)


def _datapoints(
    prefix: str,
    metric: Metric | MetricExpression,
    values: Mapping[str, Mapping[float, float]],
    failed: Mapping[str, AwsError],
) -> Answer:
    ids = [f"{prefix}{statistic}".replace(".", "_") for statistic in _statistics(metric)]
    for query_id in ids:
        if query_id in failed:
            return failed[query_id]
    if not metric.per_task:
        return [Datapoint(timestamp, value) for timestamp, value in values.get(ids[0], {}).items()]
    samples = values.get(ids[1], {})
    return [Datapoint(timestamp, value, samples.get(timestamp)) for timestamp, value in values.get(ids[0], {}).items()]
