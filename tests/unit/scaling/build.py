"""Services, observations and memories from short arguments, for the tests of the pure core."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import (
    Datapoint,
    Floor,
    LoadBalancerReading,
    MetricReading,
    NoData,
    Observation,
    ServiceState,
    read_metric,
)
from fastscaler.scaling.policy import Behavior, Direction, Service, StepScalingPolicy

START = 1_800_000_000.0  # A boundary of every bucket, minute and slot; all times in these tests count from here.

REQUESTS = {
    "Namespace": "FastScaling/Application",
    "MetricName": "RequestsPerSecond",
    "PerTask": True,
    "Dimensions": {"Service": "shop"},
}
LATENCY = {**REQUESTS, "MetricName": "AverageResponseTime", "Statistic": "p90", "Period": 10, "PerTask": False}
CPU = {**REQUESTS, "MetricName": "CPUUtilization", "Period": 10, "PerTask": False}
BALANCER = {"LoadBalancer": "app/shop/1", "TargetGroup": "targetgroup/shop/1"}
BACKLOG = {
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Period": 60,
    "DivideByTasks": True,
    "Dimensions": {"QueueName": "orders"},
}
PER_TARGET = {
    "Namespace": "AWS/ApplicationELB",
    "MetricName": "RequestCountPerTarget",
    "Statistic": "Sum",
    "Period": 60,
    "Dimensions": {"TargetGroup": "targetgroup/shop/1"},
}
# Messages that wait and messages that a worker has taken: what an expression is made of.
WAITING = {**BACKLOG, "DivideByTasks": False}
TAKEN = {**WAITING, "MetricName": "ApproximateNumberOfMessagesNotVisible"}
WORK = {"Expression": "Waiting + Taken", "Period": 60, "DivideByTasks": True}
METRICS: dict[str, dict[str, Any]] = {
    "Requests": REQUESTS,
    "Latency": LATENCY,
    "Cpu": CPU,
    "Backlog": BACKLOG,
    "PerTarget": PER_TARGET,
    "Work": WORK,
}
COMPONENTS = {"Work": {"Waiting": WAITING, "Taken": TAKEN}}

Row = tuple[float | None, float | None, int]
OUT: tuple[Row, ...] = ((0, 50, 1), (50, 100, 2), (100, None, 4))


def tracking(target: float = 100, metric: str = "Requests", **settings: Any) -> dict[str, Any]:
    """A target tracking policy of the document."""
    named = {"Name": f"{metric}-tracking", "PolicyType": "TargetTracking", "Metric": metric, "TargetValue": target}
    return {**named, **settings}


def stepping(
    rows: Iterable[Row] = OUT,
    threshold: float = 100,
    operator: str | None = "GreaterThanThreshold",
    metric: str = "Requests",
    kind: str = "ChangeInCapacity",
    name: str | None = None,
    **configuration: Any,
) -> dict[str, Any]:
    """A step scaling policy of the document; `rows` are lower bound, upper bound and adjustment."""
    keys = ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
    table = [{key: value for key, value in zip(keys, row, strict=True) if value is not None} for row in rows]
    policy = {
        "Name": name or f"{metric}-steps",
        "PolicyType": "StepScaling",
        "Metric": metric,
        "Threshold": threshold,
        "StepScalingPolicyConfiguration": {"AdjustmentType": kind, "StepAdjustments": table, **configuration},
    }
    return policy if operator is None else {**policy, "ComparisonOperator": operator}


def service(*policies: Mapping[str, Any], lowest: int = 2, highest: int = 100, **settings: Any) -> Service:
    """A service with the metrics that its policies evaluate. Without policies: target tracking at 100 per task."""
    chosen = list(policies) or [tracking()]
    metrics = {policy["Metric"]: METRICS[policy["Metric"]] for policy in chosen}
    for components in [COMPONENTS[key] for key in metrics if key in COMPONENTS]:
        metrics |= components
    return Service.model_validate(
        {
            "Cluster": "shops",
            "Service": "shop",
            "MinCapacity": lowest,
            "MaxCapacity": highest,
            "Metrics": metrics,
            "Policies": chosen,
            **settings,
        }
    )


def windows(scale_in: int = 300, scale_out: int = 0) -> Behavior:
    """Behaviour with these stabilization windows, in seconds, and nothing else of its own."""
    return Behavior.model_validate(
        {
            "ScaleIn": {"StabilizationWindowSeconds": scale_in},
            "ScaleOut": {"StabilizationWindowSeconds": scale_out},
        }
    )


def step_policy(*args: Any, **settings: Any) -> StepScalingPolicy:
    """A step scaling policy as the core sees it; arguments as for `stepping`."""
    (policy,) = service(stepping(*args, **settings)).policies
    assert isinstance(policy, StepScalingPolicy)
    return policy


def buckets(total: float, tasks: int, now: float, count: int = 6) -> list[Datapoint]:
    """The newest `count` complete buckets of a steady load."""
    newest = now // 5 * 5 - 5
    return [Datapoint(newest - 5 * earlier, total, tasks) for earlier in range(count)]


def observe(
    scaled: Service,
    desired: int,
    now: float,
    *,
    running: int | None = None,
    reporters: int | None = None,
    load: float | None = None,
    latency: float | None = None,
    cpu: float | None = None,
    backlog: float | None = None,
    per_target: float | None = None,
    work: float | None = None,
    points: Sequence[Datapoint] | None = None,
    balancer: LoadBalancerReading | NoData | None = None,
    floors: Sequence[Floor] = (),
    paused: Iterable[Direction] = (),
    **state: Any,
) -> Observation:
    """What a tick sees: `load` is the total of all tasks; what is not given has no data.

    What AWS publishes once a minute (`backlog`, `per_target`, `work`) is a minute or two old.
    """
    running = desired if running is None else running
    if points is None:
        points = [] if load is None else buckets(load, running if reporters is None else reporters, now)
    ten_seconds, minute = now // 10 * 10 - 10, now // 60 * 60 - 120
    seen = {
        "Requests": points,
        "Latency": [] if latency is None else [Datapoint(ten_seconds, latency)],
        "Cpu": [] if cpu is None else [Datapoint(ten_seconds, cpu)],
        "Backlog": [] if backlog is None else [Datapoint(minute, backlog)],
        "PerTarget": [] if per_target is None else [Datapoint(minute, per_target)],
        "Work": [] if work is None else [Datapoint(minute, work)],
    }
    metrics: dict[str, MetricReading] = {
        key: read_metric(metric, seen[key], running, scaled.patience[key], now)
        for key, metric in scaled.used_metrics.items()
    }
    return Observation(ServiceState(desired, running, **state), metrics, balancer, tuple(floors), frozenset(paused))


def carried_out(decision: Decision) -> Memory:
    """Memory after the decided call was made and answered."""
    if decision.activity is None:
        return decision.memory
    return decision.memory.intend(decision.activity, None).acknowledge()


def watched(
    scaled: Service, seen: Any, *, until: float, seconds: float = 400, memory: Memory | None = None, **more: Any
) -> Memory:
    """Memory of a scaler that has looked at the same thing every 5 s for `seconds`, and was never able to act.

    `seen` is the desired count, `more` as for `observe`.
    """
    memory = memory or Memory(desired=seen)
    now = until - seconds
    while now < until:
        memory = decide(scaled, observe(scaled, seen, now, **more), memory, now).memory
        now += 5
    return memory


def floor(tasks: int, expires_at: float, owner: str = "morning", reason: str = "") -> Floor:
    """A pre-warm floor of the service."""
    return Floor("shops/shop", owner, tasks, expires_at, reason)


def without(memory: Memory, **fields: Any) -> Memory:
    """`memory` with other values in `fields`."""
    return replace(memory, **fields)
