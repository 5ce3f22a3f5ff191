"""Gather: reads what is due, in as few calls as possible, and hands out one observation per service."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf

from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.errors import AwsError, Defect, Throttled, Unavailable
from fastscaler.pace import BUCKET, newest_bucket_end
from fastscaler.ports import MetricSource, ServiceApi
from fastscaler.scaling.metric import OWN_DELAY, Metric, MetricExpression
from fastscaler.scaling.observation import (
    MINUTE,
    Datapoint,
    Floor,
    LoadBalancerReading,
    MetricReading,
    NoData,
    Observation,
    Pause,
    Reading,
    ServiceState,
    read_load_balancer,
    read_metric,
)
from fastscaler.scaling.policy import Service

CALM_DESCRIBE = 30.0  # Seconds between two DescribeServices of a calm service: the account's read quota is shared.
SHORT_WINDOW = 60  # Seconds of datapoints that a high-resolution metric is read back.
ERRORS = "HTTPCode_ELB_5XX_Count"
COUNTERS = ("RequestCount", "RejectedConnectionCount", ERRORS)
# The errors are those of the whole load balancer, which target groups may share; so its requests are asked for as well,
# but only while there are errors: a counter is billed each time that it is read.
ALL_REQUESTS = "RequestCount of the load balancer"
COUNTER_KEY = "LoadBalancer."  # In front of a counter, so that it is never taken for a metric of the document.
COUNTER_WINDOW = 300  # Seconds: the last two complete minutes, with room for counters that arrive late.


@dataclass(slots=True)
class _Series:
    """What is known of one metric: its last datapoints, when it was read, and whether the last read failed."""

    datapoints: Sequence[Datapoint] = ()
    read_at: float = -inf
    error: AwsError | None = None
    newest_end: float | None = None


class Gatherer:
    """Keeps the last answers of AWS per service, so that each look asks only for what is due."""

    def __init__(self, services: Sequence[Service], metrics: MetricSource, ecs: ServiceApi, started: float) -> None:
        self._metrics, self._ecs, self._started = metrics, ecs, started
        self._reads = {service.key: _reads(service) for service in services}
        self._series = {read.name: _Series() for service in services for read in self._reads[service.key]}
        self._states: dict[str, ServiceState | AwsError] = {}
        self._described_at: dict[str, float] = {}
        self.metrics_read = 0  # As GetMetricData bills them: an expression counts as the metrics that it is made of.

    def read_due(self, services: Iterable[Service], now: float) -> list[AwsError]:
        """Reads every metric of `services` that is due, in one batch; the errors met."""
        due = [read for service in services for read in self._reads[service.key] if self._is_due(read, now)]
        return self._read(due, now)

    def read_late(self, services: Iterable[Service], now: float) -> list[AwsError]:
        """Reads again the metrics of `services` that set the pace and whose newest bucket is not complete."""
        late = [
            read
            for service in services
            for read in self._reads[service.key]
            if _sets_the_pace(read.metric) and not self._is_complete(service, read.key, now)
        ]
        return self._read(late, now)

    def _is_due(self, read: MetricRead, now: float) -> bool:
        series, interval = self._series[read.name], read.metric.read_interval
        if read.key == COUNTER_KEY + ALL_REQUESTS and not self._has_errors(read.service):
            return False
        # The first look of an invocation may be a second before the next: what is read every tick is due at each.
        if interval <= BUCKET or series.error is not None or series.read_at == -inf:
            return True
        if interval >= MINUTE:
            # Every invocation reads that at its start, and would read it again just before the next one takes over.
            return now - series.read_at >= interval
        # Once the datapoint of each interval has settled: read before, it would show a part of the load until the next.
        return (now - OWN_DELAY) // interval > (series.read_at - OWN_DELAY) // interval

    def _has_errors(self, service: str) -> bool:
        return any(point.value > 0 for point in self._series[service, COUNTER_KEY + ERRORS].datapoints)

    def _read(self, reads: Sequence[MetricRead], now: float) -> list[AwsError]:
        if not reads:
            return []
        answers: Mapping[MetricName, Answer]
        try:
            answers = self._metrics.read(reads, now)
        except Exception as error:
            answers = dict.fromkeys((read.name for read in reads), Defect.of("read metrics", error))
        self.metrics_read += sum(max(1, len(read.components)) for read in reads)
        errors: dict[str, AwsError] = {}
        for read in reads:
            series, answer = self._series[read.name], answers[read.name]
            series.read_at = now
            if isinstance(answer, AwsError):
                series.error = answer
                errors[str(answer)] = answer
            else:
                series.error, series.datapoints = None, answer
                ends = [point.timestamp + read.metric.period for point in answer]
                series.newest_end = max([*ends, series.newest_end or -inf]) if ends else series.newest_end
        return list(errors.values())

    def describe(self, services: Iterable[str], urgent: Container[str], now: float) -> dict[str, AwsError]:
        """Describes those of `services` that are urgent, or were described long ago or in vain; the errors met.

        A refusal, such as access denied, is not asked again at every look: it stands until someone changes something.
        """
        due = [
            key
            for key in services
            if key in urgent
            or isinstance(self._states.get(key), Throttled | Unavailable | Defect)
            or now - self._described_at.get(key, -inf) >= CALM_DESCRIBE
        ]
        if not due:
            return {}
        answers: Mapping[str, ServiceState | AwsError]
        try:
            answers = self._ecs.describe(due)
        except Exception as error:
            answers = dict.fromkeys(due, Defect.of("describe services", error))
        self._states.update(answers)
        self._described_at.update(dict.fromkeys(due, now))
        return {key: answer for key, answer in answers.items() if isinstance(answer, AwsError)}

    def state(self, service: str) -> ServiceState | AwsError | None:
        """The last known state of the service, or the error that its last description met."""
        return self._states.get(service)

    def described_at(self, service: str) -> float:
        """When the service was last described (epoch seconds)."""
        return self._described_at.get(service, -inf)

    def observe(self, service: Service, directives: Sequence[Floor | Pause], now: float) -> Observation | AwsError:
        """What is known of `service` at `now`; the error where its state is not known."""
        state = self._states.get(service.key)
        if not isinstance(state, ServiceState):
            return state or AwsError("DescribeServices", "NotYetAsked")
        mine = [d for d in directives if d.service == service.key and d.expires_at > now]
        return Observation(
            state=state,
            metrics={
                key: self._reading(service, key, metric, state, now) for key, metric in service.used_metrics.items()
            },
            load_balancer=self._balancer(service, now),
            floors=[directive for directive in mine if isinstance(directive, Floor)],
            paused=frozenset(directive.direction for directive in mine if isinstance(directive, Pause)),
        )

    def on_time(self, service: Service, now: float) -> bool | None:
        """Whether the newest bucket of all metrics that set the pace is there; None where none was published lately."""
        complete = [
            self._is_complete(service, key, now)
            for key, metric in service.used_metrics.items()
            if _sets_the_pace(metric) and self._is_alive(service, key, now)
        ]
        return all(complete) if complete else None

    def _is_alive(self, service: Service, key: str, now: float) -> bool:
        """Whether the metric could be read and was published lately, so that its newest bucket can be expected."""
        if self._series[service.key, key].error is not None:
            return False
        newest = max((point.timestamp for point in self._series[service.key, key].datapoints), default=-inf)
        return now - newest <= service.patience[key]

    def _is_complete(self, service: Service, key: str, now: float) -> bool:
        metric, state = service.metrics[key], self._states.get(service.key)
        if not isinstance(state, ServiceState):
            return True  # Nothing is decided without a state, so there is nothing to look again for.
        newest = self._reading(service, key, metric, state, now).complete
        newest_end = newest_bucket_end(now) // metric.period * metric.period
        return isinstance(newest, Reading) and newest.timestamp + metric.period >= newest_end

    def _reading(
        self, service: Service, key: str, metric: Metric | MetricExpression, state: ServiceState, now: float
    ) -> MetricReading:
        series = self._series[service.key, key]
        if series.error is not None:
            return MetricReading(NoData(str(series.error), now - self._silent_since(series), failed=True))
        reading = read_metric(
            metric,
            series.datapoints,
            state.running,
            service.patience[key],
            now,
            read_at=series.read_at,
            settles_after=service.settling[key],
        )
        if series.datapoints or not isinstance(reading.complete, NoData):
            return reading
        # An empty answer may be CloudWatch's own lapse; it is not an outage before it has lasted.
        return MetricReading(replace(reading.complete, age=now - self._silent_since(series)))

    def _silent_since(self, series: _Series) -> float:
        """The end of the newest datapoint; of a metric that has shown none yet, the start of this invocation."""
        return self._started if series.newest_end is None else series.newest_end

    def _balancer(self, service: Service, now: float) -> LoadBalancerReading | NoData | None:
        if service.load_balancer is None:
            return None
        series = [self._series[service.key, COUNTER_KEY + counter] for counter in COUNTERS]
        for one in series:
            if one.error is not None:
                return NoData(str(one.error))
        requests, rejected, errors = (one.datapoints for one in series)
        all_requests = self._series[service.key, COUNTER_KEY + ALL_REQUESTS].datapoints
        return read_load_balancer(requests, rejected, errors, now, all_requests)


def _sets_the_pace(metric: Metric | MetricExpression) -> bool:
    """Whether every bucket of the metric is read and can be seen to be complete."""
    return metric.per_task and metric.period <= BUCKET and metric.read_interval <= BUCKET


def _reads(service: Service) -> list[MetricRead]:
    """All that is ever read for a service: its metrics and its load balancer's counters."""
    reads = [
        MetricRead(service.key, key, metric, _window(service, key), service.components(metric))
        for key, metric in service.used_metrics.items()
    ]
    balancer = service.load_balancer
    if balancer is not None:
        of_balancer: Mapping[str, str] = {"LoadBalancer": balancer.load_balancer}
        of_targets: Mapping[str, str] = {**of_balancer, "TargetGroup": balancer.target_group}
        for counter in (*COUNTERS, ALL_REQUESTS):
            dimensions = of_targets if counter == "RequestCount" else of_balancer
            metric = _counter(counter.partition(" ")[0], dimensions)
            reads.append(MetricRead(service.key, COUNTER_KEY + counter, metric, COUNTER_WINDOW))
    return reads


def _window(service: Service, key: str) -> int:
    """Seconds that a metric is read back: as long as a datapoint of it counts, and a bucket at either end."""
    return max(SHORT_WINDOW, ceil(service.patience[key]) + 2 * service.metrics[key].period)


def _counter(name: str, dimensions: Mapping[str, str]) -> Metric:
    return Metric.model_validate(
        {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": name,
            "Statistic": "Sum",
            "Period": int(MINUTE),
            "Dimensions": dimensions,
        }
    )
