"""What a valid policy document says that its writer has probably not meant. Nothing here is an error."""

from collections.abc import Iterator

from fastscaler.scaling.metric import Metric
from fastscaler.scaling.policy import Document, Service

# Under which names CloudWatch's own metrics, Container Insights and this project's publisher have an ECS service.
CLUSTER_DIMENSIONS = ("Cluster", "ClusterName")
SERVICE_DIMENSIONS = ("Service", "ServiceName")


def notes(document: Document) -> Iterator[str]:
    """One line each: service, key, and what follows from it."""
    for service in document.services:
        for note in (*_unused_metrics(service), *_metrics_of_others(service), *_idle_balancer(service)):
            yield f"{service.key}: {note}"


def _read(service: Service) -> dict[str, Metric]:
    """The metrics that are read, by key: those of policies, and what their expressions are made of."""
    found: dict[str, Metric] = {}
    for key, metric in service.used_metrics.items():
        found.update({key: metric} if isinstance(metric, Metric) else service.components(metric))
    return found


def _unused_metrics(service: Service) -> Iterator[str]:
    used = service.used_metrics.keys() | _read(service)
    for key in service.metrics:
        if key not in used:
            yield f"Metrics.{key}: no policy uses it, so it is not read"


def _metrics_of_others(service: Service) -> Iterator[str]:
    """Dimensions that name another service: left over, as a rule, from the block that this one was copied from."""
    for key, metric in _read(service).items():
        for names, own in ((CLUSTER_DIMENSIONS, service.cluster), (SERVICE_DIMENSIONS, service.service)):
            for name in names:
                value = metric.dimensions.get(name, own)
                if value != own:
                    yield f"Metrics.{key}.Dimensions.{name} = {value!r}: not {own!r}, whose count it decides"


def _idle_balancer(service: Service) -> Iterator[str]:
    if service.load_balancer is not None and service.request_metric not in service.used_metrics:
        yield (
            "LoadBalancer: stands in for no metric; it can for one that a policy uses, with PerTask: true, and with "
            "MetricName RequestsPerSecond or named by RequestMetric"
        )
