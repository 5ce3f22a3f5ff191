"""Target tracking: as many tasks as keep the load of each at the target.

Source of the formula: Kubernetes' HPA (`ceil(current * metric / target)`, with a tolerance) and Application Auto
Scaling; the saturation boost is this project's own (design, section 5.2).
"""

from math import ceil

from fastscaler.scaling.load import Load
from fastscaler.scaling.policy import TargetTrackingPolicy

ROUNDING = 1e-9  # 300.00000000000006 / 100 needs 3 tasks, not 4.


def is_saturated(policy: TargetTrackingPolicy, load: Load) -> bool:
    """Whether the serving tasks show about all that they can take, so that the true load may be larger."""
    return policy.task_capacity is not None and load.per_serving >= policy.saturation_threshold * policy.task_capacity


def recommended_capacity(policy: TargetTrackingPolicy, load: Load, current: int) -> int:
    """The task count that this policy asks for, `current` where the load is within the tolerances."""
    if is_saturated(policy, load):
        return max(current, tasks_for(load.total * policy.saturation_factor, policy.target_value))
    if load.per_task > policy.target_value * (1 + policy.scale_out_tolerance):
        return max(current, tasks_for(load.total, policy.target_value))
    needed = tasks_for(load.scale_in_total, policy.target_value)
    below = load.scale_in_total < policy.target_value * (1 - policy.scale_in_tolerance) * current
    if policy.disable_scale_in or not below:
        return current
    return min(current, needed)


def scale_out_threshold(policy: TargetTrackingPolicy) -> float:
    """The load per task above which this policy adds tasks."""
    return policy.target_value * (1 + policy.scale_out_tolerance)


def tasks_for(total: float, per_task: float) -> int:
    """The fewest tasks that carry `total` with at most `per_task` each; bounded, since the load may be absurd."""
    return ceil(min(max(total / per_task, 0.0), 1e9) - ROUNDING)
