"""The port `MetricSource`, on the pipelines: which metric of a policy document is which pipeline."""

from collections.abc import Callable, Mapping, Sequence

from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.publisher.metrics import AVERAGE_RESPONSE_TIME, REQUESTS_PER_SECOND
from fastscaler.scaling.metric import Metric, MetricExpression
from fastscaler.scaling.observation import Datapoint
from fastscaler.scaling.policy import Service
from simulator.pipelines.application import RequestsPerSecond
from simulator.pipelines.aws import CpuUtilization, RequestCount
from simulator.pipelines.response_time import ResponseTime
from simulator.world import START, World

Read = Callable[[float, float], Answer]  # From now and the window, in seconds of the run.

AVAILABLE = (
    f"{REQUESTS_PER_SECOND} with PerTask, {AVERAGE_RESPONSE_TIME}, the Average of AWS/ECS CPUUtilization at 20 or 60 s"
    " and the Sum of AWS/ApplicationELB RequestCount"
)


class NotSimulated(ValueError):
    """A metric that the simulated world does not have."""


class SimulatedMetrics:
    """Reads the metrics of one service. Raises NotSimulated for a document with one that the world does not have."""

    def __init__(self, world: World, service: Service) -> None:
        self._world, self._service = world, service
        self._series: dict[MetricName, Read] = {}
        for key, metric in service.used_metrics.items():
            self._series[service.key, key] = _pipeline(service, key, metric)(world)

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        """Datapoints up to `now` (epoch seconds) per metric."""
        usage, at = self._world.usage, now - START
        usage.metric_calls += 1
        usage.metrics_read += sum(max(1, len(read.components)) for read in reads)
        return {read.name: self._read(read, at) for read in reads}

    def _read(self, read: MetricRead, at: float) -> Answer:
        if read.name not in self._series:  # The load balancer's counters are no metrics of the document.
            self._series[read.name] = _pipeline(self._service, read.key, read.metric)(self._world)
        return self._series[read.name](at, read.window)


def refuse_unsimulated(service: Service) -> None:
    """Raises NotSimulated for a service with a metric that the world does not have."""
    for key, metric in service.used_metrics.items():
        _pipeline(service, key, metric)


def _pipeline(service: Service, key: str, metric: Metric | MetricExpression) -> Callable[[World], Read]:
    """What makes the pipeline of `metric` in a world."""
    if isinstance(metric, Metric):
        period, statistic = metric.period, metric.statistic
        if metric.per_task and (metric.metric_name == REQUESTS_PER_SECOND or key == service.request_metric):
            return lambda world: RequestsPerSecond(world, period).datapoints
        if metric.metric_name == AVERAGE_RESPONSE_TIME and not metric.is_shared_load and statistic != "Sum":
            return lambda world: _epoch(ResponseTime(world, period, statistic).datapoints)
        match metric.namespace, metric.metric_name, statistic, period:
            case "AWS/ECS", "CPUUtilization", "Average", (20 | 60):
                return lambda world: _epoch(CpuUtilization(world, period).recent)
            case "AWS/ApplicationELB", "RequestCount", "Sum", 60:
                return lambda world: _epoch(RequestCount(world).datapoints)
            case "AWS/ApplicationELB", ("RejectedConnectionCount" | "HTTPCode_ELB_5XX_Count"), "Sum", 60:
                # No connection is rejected, and who gives up is the client. A counter without a count is silent.
                return lambda world: lambda now, window: []
    raise NotSimulated(f"{service.key}: Metrics.{key} cannot be simulated: the simulator has {AVAILABLE}")


def _epoch(datapoints: Callable[[float, float], Sequence[tuple[float, float]]]) -> Read:
    """A pipeline whose times are seconds of the run, in epoch seconds."""
    return lambda now, window: [Datapoint(START + start, value) for start, value in datapoints(now, window)]
