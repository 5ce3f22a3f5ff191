"""What each policy proposes, and the one recommendation that follows from all of them.

The largest scale-out wins. Scale-in happens only if every policy with an opinion agrees, by the smallest step
(Application Auto Scaling's rule for several policies). A hotter policy is never averaged away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fastscaler.scaling import step_scaling, target_tracking
from fastscaler.scaling.behavior import fired_size, fired_step, scaled_in_since
from fastscaler.scaling.figure import figure
from fastscaler.scaling.load import Capacity, Load
from fastscaler.scaling.memory import Activity
from fastscaler.scaling.policy import Policy, Service, StepScalingPolicy, TargetTrackingPolicy


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one policy asks for: `desired` tasks, None where it has no opinion. `step` is its whole step in effect.

    `bucket_end`: the end of the bucket that asks for more tasks (epoch seconds), None where none does.
    """

    policy: str
    desired: int | None
    detail: str
    step: int = 0
    bucket_end: float | None = None


def propose(
    policy: Policy,
    service: Service,
    load: Load,
    capacity: Capacity,
    activities: Sequence[Activity],
    now: float,
) -> Proposal:
    """What `policy` asks for at this load."""
    if isinstance(policy, TargetTrackingPolicy):
        return _track(policy, load, capacity.desired)
    return _step(policy, service, load, capacity, activities, now)


def _track(policy: TargetTrackingPolicy, load: Load, current: int) -> Proposal:
    desired = target_tracking.recommended_capacity(policy, load, current)
    if target_tracking.is_saturated(policy, load):
        sized_for = f"{policy.saturation_factor:g} x {figure(load.total)}"
        basis = f"tasks are saturated at {figure(load.per_serving)}, so sized for {sized_for}"
    else:
        basis = f"{figure(load.per_task)} per task against {figure(policy.target_value, 6)}"
    if policy.disable_scale_in and desired == current and load.per_task <= policy.target_value:
        return Proposal(policy.name, None, f"{basis}; DisableScaleIn")
    return Proposal(policy.name, desired, basis, step=desired - current)


def _step(
    policy: StepScalingPolicy,
    service: Service,
    load: Load,
    capacity: Capacity,
    activities: Sequence[Activity],
    now: float,
) -> Proposal:
    current = capacity.desired
    step = step_scaling.change_in_capacity(policy, load.metric, current)
    basis = f"{figure(load.metric)} against threshold {figure(policy.threshold, 6)}"
    cooldown = policy.step_scaling_policy_configuration.cooldown
    if step is None:
        objects = step_scaling.has_scale_in_steps(policy)
        return Proposal(policy.name, current if objects else None, f"{basis}: no step")
    if step < 0:
        if scaled_in_since(activities, now - cooldown, policy.name):
            return Proposal(policy.name, current, f"{basis}: step {step:+d} waits for its cooldown")
        return Proposal(policy.name, current + step, f"{basis}: step {step:+d}", step)
    fired = max(
        fired_step(activities, policy.name, now - cooldown),
        fired_size(activities, now - service.behavior.scale_out.cooldown),
    )
    if not service.metrics[policy.metric].is_shared_load and capacity.in_flight(load.serving):
        # Such a metric cannot be projected onto the tasks in flight, so a step has to be larger than theirs: than those
        # of tasks that started within TaskStartTimeout, and are not in its datapoint.
        began = min(now, load.bucket_end - service.metrics[policy.metric].period)
        fired = max(fired, fired_step(activities, policy.name, began - service.task_start_timeout))
    if fired:
        # The tasks in effect are part of the step, so it counts from where it began; AWS adds the difference only.
        step = step_scaling.change_in_capacity(policy, load.metric, current - fired) or 0
    if step <= fired:
        why = f"{basis}: step +{step} is in effect already" if step else f"{basis}: step 0"
        return Proposal(policy.name, current, why)
    detail = f"{basis}: step +{step}" + (f", of which +{fired} is in effect" if fired else "")
    return Proposal(policy.name, current + step - fired, detail, step)


def combine(proposals: Sequence[Proposal]) -> int | None:
    """The recommended count; None where no policy has an opinion."""
    return max((proposal.desired for proposal in proposals if proposal.desired is not None), default=None)
