"""Rules of the policy document that span several keys of a service, or several services.

They run on documents whose single keys may be wrong, beside the models' own checks, so that one run reports everything.
"""

from collections.abc import Iterable, Iterator, Mapping

from fastscaler.document.block import Block, Finding
from fastscaler.document.step_table_rules import plain_number, step_table_findings
from fastscaler.scaling import metric_math
from fastscaler.scaling.metric import Metric
from fastscaler.scaling.policy import TargetTrackingPolicy

# Seconds between two datapoints of what AWS itself publishes for an ECS service; a shorter Period would never see one.
# CloudWatch metrics of Amazon ECS (20 s with the service's `monitoring` setting), SQS and Application Load Balancers.
PUBLISHED_EVERY = {"AWS/ECS": 20, "AWS/SQS": 60, "AWS/ApplicationELB": 60}


def document_findings(document: Block) -> Iterator[Finding]:
    """Everything that single keys cannot show, as far as the document can be read."""
    services = document.listed("Services")
    yield from _repeated_services(services)
    for service in services:
        yield from _capacity_findings(service)
        yield from _metric_findings(service)
        yield from _request_metric_findings(service)
        yield from _policy_findings(service)
        for rate in service.block("Behavior").block("ScaleIn").listed("Policies"):
            if rate.text("Type") == "Percent" and (rate.number("Value") or 0) > 100:
                yield rate.finding("Value", "must be 1 to 100 with Type Percent in ScaleIn")


def _repeated_services(services: Iterable[Block]) -> Iterator[Finding]:
    first: dict[tuple[str, str], Block] = {}
    for service in services:
        cluster, name = service.text("Cluster"), service.text("Service")
        if cluster is None or name is None:
            continue
        earlier = first.setdefault((cluster, name), service)
        if earlier is not service:
            yield service.finding(
                "Service", f"must stand once per Cluster; Services[{earlier.location[-1]}] is the same service"
            )


def _capacity_findings(service: Block) -> Iterator[Finding]:
    lowest, highest = service.number("MinCapacity"), service.number("MaxCapacity")
    fallback = service.number("FallbackCapacity")
    if lowest is not None and highest is not None and lowest > highest:
        yield service.finding("MinCapacity", f"must be at most MaxCapacity ({plain_number(highest)})")
    elif fallback is not None and lowest is not None and fallback < lowest:
        yield service.finding("FallbackCapacity", f"must be at least MinCapacity ({plain_number(lowest)})")
    elif fallback is not None and highest is not None and fallback > highest:
        yield service.finding("FallbackCapacity", f"must be at most MaxCapacity ({plain_number(highest)})")


def _metric_findings(service: Block) -> Iterator[Finding]:
    metrics = service.named("Metrics")
    for metric in metrics.values():
        period = metric.number("Period", _default(Metric, "period"))
        read_every = metric.number("ReadEvery", period)
        if metric.flag("PerTask") and metric.text("Statistic", "Average") not in ("Average", None):
            yield metric.finding(
                "Statistic", "must be Average, because PerTask is true; Sum and SampleCount come with it"
            )
        if metric.flag("PerTask") and metric.flag("DivideByTasks"):
            yield metric.finding(
                "DivideByTasks",
                "must be false, because PerTask is true; the samples tell the tasks that share the load",
            )
        yield from _expression_findings(metric, metrics)
        if period is None or read_every is None:
            continue
        if read_every < period:
            yield metric.finding(
                "ReadEvery", f"must be at least Period ({plain_number(period)}); no datapoint comes earlier"
            )
        namespace = metric.text("Namespace", "")
        published_every = PUBLISHED_EVERY.get(namespace or "", 1)
        if period < published_every:
            yield metric.finding("Period", f"must be at least {published_every}; {namespace} has no finer datapoints")


def _expression_findings(metric: Block, metrics: Mapping[str, Block]) -> Iterator[Finding]:
    expression = metric.text("Expression")
    if not expression:
        return
    problem = metric_math.problem(expression)
    if problem is not None:
        yield metric.finding("Expression", problem)
        return
    plain = {key: other for key, other in metrics.items() if other.readable and other.text("Expression", "") == ""}
    for name in metric_math.names(expression):
        if name not in plain:
            yield metric.finding(
                "Expression", f"{name} must be the name of another of the Metrics, no expression: {', '.join(plain)}"
            )
            continue
        period, other = (block.number("Period", _default(Metric, "period")) for block in (metric, plain[name]))
        if period is not None and other is not None and period != other:
            yield metric.finding(
                "Period", f"must be that of {name} ({plain_number(other)}); else CloudWatch mixes unlike datapoints"
            )


def _request_metric_findings(service: Block) -> Iterator[Finding]:
    load_balancer, metrics = service.block("LoadBalancer"), service.named("Metrics")
    if not load_balancer.readable or not metrics:
        return
    key = load_balancer.text("RequestMetric")
    if key is not None:
        if key not in metrics:
            yield load_balancer.finding("RequestMetric", _a_key_of(metrics))
        elif metrics[key].flag("PerTask") is False:
            yield load_balancer.finding("RequestMetric", "must be a metric with PerTask: true, in requests per second")
        return
    published = [name for name, metric in metrics.items() if metric.text("MetricName") == "RequestsPerSecond"]
    candidates = [name for name in published if metrics[name].flag("PerTask")]
    if len(candidates) > 1:
        yield load_balancer.finding(
            "RequestMetric", f"is required where several metrics fit: one of {', '.join(candidates)}"
        )


def _policy_findings(service: Block) -> Iterator[Finding]:
    metrics = service.named("Metrics")
    names: set[str] = set()
    for policy in service.listed("Policies"):
        name, metric = policy.text("Name"), policy.text("Metric")
        if name is not None and name in names:
            yield policy.finding("Name", "must be a name that no other policy of the service has")
        names.add(name or "")
        if metric is not None and metrics and metric not in metrics:
            yield policy.finding("Metric", _a_key_of(metrics))
        yield from step_table_findings(policy)
        yield from _saturation_findings(policy)


def _saturation_findings(policy: Block) -> Iterator[Finding]:
    target, capacity = policy.number("TargetValue"), policy.number("TaskCapacity")
    threshold = policy.number("SaturationThreshold", _default(TargetTrackingPolicy, "saturation_threshold"))
    if target is None or capacity is None or threshold is None:
        return
    if 0 < threshold <= 1 and capacity * threshold <= target:
        yield policy.finding(
            "TaskCapacity",
            f"must be above TargetValue / SaturationThreshold ({target / threshold:.6g}); "
            "else a task that has just its target load counts as saturated",
        )


def _a_key_of(metrics: Iterable[str]) -> str:
    return f"must be the name of one of the Metrics: {', '.join(metrics)}"


def _default(model: type[Metric | TargetTrackingPolicy], name: str) -> float:
    return float(model.model_fields[name].default)
