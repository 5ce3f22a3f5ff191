"""What a valid policy document says that its writer has probably not meant. Nothing here is an error."""

from collections.abc import Iterator

from fastscaler.scaling.metric import Metric
from fastscaler.scaling.policy import Document, Policy, Service, TargetTrackingPolicy
from fastscaler.scaling.step_scaling import has_scale_in_steps

# Under which names CloudWatch's own metrics, Container Insights and this project's publisher have an ECS service.
CLUSTER_DIMENSIONS = ("Cluster", "ClusterName")
SERVICE_DIMENSIONS = ("Service", "ServiceName")


def notes(document: Document) -> Iterator[str]:
    """One line each: service, key, and what follows from it."""
    for service in document.services:
        for look in (_unused_metrics, _metrics_of_others, _idle_balancer, _one_way_only):
            for note in look(service):
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


def _one_way_only(service: Service) -> Iterator[str]:
    """What Application Auto Scaling has two policies for is easily half pasted."""
    scale_in = service.behavior.scale_in.select_policy
    if scale_in != "Disabled" and not any(_removes_tasks(policy) for policy in service.policies):
        yield (
            "Policies: none takes tasks away, so the count never falls by itself; a TargetTracking policy does, "
            "or a step with a ScalingAdjustment below 0"
        )


def _removes_tasks(policy: Policy) -> bool:
    if isinstance(policy, TargetTrackingPolicy):
        return not policy.disable_scale_in
    return has_scale_in_steps(policy)
