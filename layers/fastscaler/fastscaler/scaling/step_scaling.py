"""Step scaling with the semantics of Application Auto Scaling.

Source: Application Auto Scaling user guide, "Step scaling policies": scaling adjustment types, step adjustments,
rounding and cooldown.
"""

from math import trunc

from fastscaler.scaling.policy import StepAdjustment, StepScalingPolicy, StepScalingPolicyConfiguration


def breaches(policy: StepScalingPolicy, metric: float) -> bool:
    """Whether the alarm that belongs to this policy would be in ALARM; without an operator the bounds alone decide."""
    match policy.comparison_operator:
        case "GreaterThanThreshold":
            return metric > policy.threshold
        case "GreaterThanOrEqualToThreshold":
            return metric >= policy.threshold
        case "LessThanThreshold":
            return metric < policy.threshold
        case "LessThanOrEqualToThreshold":
            return metric <= policy.threshold
        case None:
            return True


def change_in_capacity(policy: StepScalingPolicy, metric: float, capacity: int) -> int | None:
    """Tasks to add (negative: remove) at this metric value, from `capacity`; None where no step is in breach."""
    if not breaches(policy, metric):
        return None
    configuration = policy.step_scaling_policy_configuration
    changes = [
        _change(configuration, step.scaling_adjustment, capacity)
        for step in configuration.step_adjustments
        if _contains(step, policy.threshold, metric)
    ]
    # Two steps that meet at the threshold both contain it: the one that keeps more tasks counts.
    return max(changes, default=None)


def _contains(step: StepAdjustment, threshold: float, metric: float) -> bool:
    """A bound belongs to the step that is further from the threshold; one of 0 to the steps on both sides."""
    lower, upper = step.metric_interval_lower_bound, step.metric_interval_upper_bound
    if lower is not None and (metric < threshold + lower or (lower < 0 and metric == threshold + lower)):
        return False
    return upper is None or metric < threshold + upper or (upper <= 0 and metric == threshold + upper)


def _change(configuration: StepScalingPolicyConfiguration, adjustment: int, capacity: int) -> int:
    if configuration.adjustment_type == "ExactCapacity":
        return adjustment - capacity
    if configuration.adjustment_type == "ChangeInCapacity" or adjustment == 0:
        return adjustment
    return percent_change(capacity, adjustment, configuration.min_adjustment_magnitude or 0)


def percent_change(capacity: int, percent: int, min_magnitude: int = 0) -> int:
    """Tasks that `percent` of `capacity` makes: rounded toward zero, except that between 0 and 1 becomes 1."""
    exact = capacity * percent / 100
    magnitude = max(1 if 0 < abs(exact) < 1 else abs(trunc(exact)), min_magnitude)
    return magnitude if percent > 0 else -magnitude


def scale_out_threshold(policy: StepScalingPolicy) -> float | None:
    """The lowest metric value at which this policy adds tasks; None for a policy that never does."""
    configuration = policy.step_scaling_policy_configuration
    operator = policy.comparison_operator
    if operator is not None and operator.startswith("Less"):
        return None
    bounds = [
        lower if operator is None else max(lower, 0.0)
        for step in configuration.step_adjustments
        if step.scaling_adjustment > 0 and (lower := step.metric_interval_lower_bound) is not None
    ]
    return policy.threshold + min(bounds) if bounds else None


def has_scale_in_steps(policy: StepScalingPolicy) -> bool:
    """Whether any step of this policy can remove tasks."""
    configuration = policy.step_scaling_policy_configuration
    if configuration.adjustment_type != "ExactCapacity":
        return any(step.scaling_adjustment < 0 for step in configuration.step_adjustments)
    uppers = (step.metric_interval_upper_bound for step in configuration.step_adjustments)
    return any(upper is not None and upper <= 0 for upper in uppers)
