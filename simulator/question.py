"""The world that a policy document is asked about: what it says about its tasks, and what has to be assumed."""

from dataclasses import dataclass

from fastscaler.publisher.metrics import REQUESTS_PER_SECOND
from fastscaler.scaling.metric import Metric, MetricExpression
from fastscaler.scaling.policy import Policy, Service, StepScalingPolicy, TargetTrackingPolicy
from simulator.settings import Settings

MINUTE = 60.0
# Where a policy says what a task should have and nothing says what it can do: as in the world of the benchmark.
CAPACITY_OVER_TARGET = 1.5


class CapacityUnknown(ValueError):
    """Nothing says how many requests/s one task can serve."""


@dataclass(frozen=True, slots=True)
class Question:
    """A world for `service`; `assumed` says in sentences what nobody has said."""

    settings: Settings
    assumed: tuple[str, ...]


def question(service: Service, task_capacity: float | None, start_seconds: float) -> Question:
    """The world for `service`. `task_capacity` in requests/s, None where it is not known; `start_seconds` as a median.

    Raises CapacityUnknown, and ValueError for a world that cannot be.
    """
    assumed = []
    capacity = task_capacity or _stated_capacity(service)
    if capacity is None:
        target = min(_targets(service, None), default=None)
        if target is None:
            raise CapacityUnknown(f"{service.key}: no policy says how many requests/s one task can serve")
        capacity = CAPACITY_OVER_TARGET * target
        assumed.append(
            f"a task serves at most {capacity:g} requests/s, {CAPACITY_OVER_TARGET:g} times its target "
            "(--task-capacity)"
        )
    elif task_capacity is None:
        assumed.append(
            f"a task serves at most {capacity:g} requests/s, its TaskCapacity: --task-capacity says otherwise"
        )
    world = Settings(task_capacity=capacity, start_median=start_seconds)
    target = min([*_targets(service, capacity), world.busiest_load])
    settings = Settings(
        task_capacity=capacity,
        start_median=start_seconds,
        target=target,
        minimum=service.min_capacity,
        maximum=service.max_capacity,
    )
    assumed.append(
        f"a request is late after {settings.objective:g} s, which is where a task has more than "
        f"{settings.busiest_load:g} requests/s, 80% of what it can serve"
    )
    return Question(settings, tuple(assumed))


def _stated_capacity(service: Service) -> float | None:
    """The lowest TaskCapacity of the policies on requests."""
    stated = (
        _in_requests(service, policy, policy.task_capacity, None)
        for policy in service.policies
        if isinstance(policy, TargetTrackingPolicy) and policy.task_capacity is not None
    )
    return min((capacity for capacity in stated if capacity is not None), default=None)


def _targets(service: Service, capacity: float | None) -> list[float]:
    """Requests/s per task that the policies aim at, as far as these can be told; CPU needs the capacity."""
    found = []
    for policy in service.policies:
        if isinstance(policy, TargetTrackingPolicy):
            value = policy.target_value
        elif _scales_out(policy):
            value = policy.threshold
        else:
            continue
        target = _in_requests(service, policy, value, capacity)
        if target is not None and target > 0:
            found.append(target)
    return found


def _scales_out(policy: StepScalingPolicy) -> bool:
    return not (policy.comparison_operator or "Greater").startswith("Less")


def _in_requests(service: Service, policy: Policy, value: float, capacity: float | None) -> float | None:
    """`value` of a policy's metric in requests/s per task; None for a metric that is something else."""
    metric = service.metrics[policy.metric]
    if not isinstance(metric, Metric) or isinstance(metric, MetricExpression):
        return None
    if metric.per_task and (metric.metric_name == REQUESTS_PER_SECOND or policy.metric == service.request_metric):
        return value
    if metric.namespace == "AWS/ApplicationELB" and metric.metric_name == "RequestCount" and metric.divide_by_tasks:
        return value / MINUTE
    if metric.metric_name == "CPUUtilization" and capacity is not None:
        return value / 100 * capacity
    return None
