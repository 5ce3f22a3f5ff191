"""What must agree before a task is taken away. Scale-in is last and slowest: one objection is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fastscaler.scaling import behavior, step_scaling, target_tracking
from fastscaler.scaling.load import Load
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import LoadBalancerReading, NoData, Observation
from fastscaler.scaling.policy import Behavior, Policy, Service, StepScalingPolicy

# "An expired floor scales in through the normal rules, never in one drop", nor does a MaxCapacity that was lowered
# (design, 5.8 and 5.9): by the default rate, whatever faster one the document has for the load's own ups and downs.
DEFAULT_BEHAVIOR = Behavior()
ANTI_FLAP_MARGIN = 0.9  # After a scale-in the load per task is 10% below every scale-out threshold (design, 5.6).
MAX_ERROR_SHARE = 0.01  # Share of 5xx answers by the load balancer itself above which nothing is taken away.


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a decision's trail: after this `stage` the count stood at `desired`, because of `detail`."""

    stage: str
    detail: str
    desired: int


def scale_in(
    service: Service,
    observation: Observation,
    memory: Memory,
    loads: Mapping[str, Sequence[Load]],
    missing: str,
    recommended: int,
    current: int,
    now: float,
) -> list[Step]:
    """The steps from `recommended` (below `current`) to the count that every rule agrees to; the last one counts."""
    objection = _objection(service, observation, memory, loads, missing, now)
    if objection is not None:
        return [Step(*objection, current)]
    window = service.behavior.scale_in.stabilization_window_seconds
    stabilized = behavior.highest_recommendation(memory, recommended, current, service.behavior, now)
    desired = min(stabilized, max(recommended, service.max_capacity))
    steps = []
    if desired > recommended:
        steps.append(Step("stabilization window", f"the highest recommendation of the last {window} s counts", desired))
    needed = min(_needed_tasks(service, observation, loads), max(desired, service.max_capacity), current)
    if needed > desired:
        desired = needed
        steps.append(Step("anti-flap", "fewer tasks would come within 10% of a scale-out threshold", desired))
    slowest = behavior.scale_in_limit(service.behavior, current, memory.activities, now)
    if slowest is not None and slowest > desired:
        desired = min(slowest, current)
        steps.append(Step("rate limit", "Behavior.ScaleIn.Policies allows no more", desired))
    gentlest = behavior.scale_in_limit(DEFAULT_BEHAVIOR, current, memory.activities, now)
    if (memory.lifted or current > service.max_capacity) and gentlest is not None and gentlest > desired:
        desired = min(gentlest, current)
        why = "what a floor or a higher MaxCapacity has held is given back by at most half a minute"
        steps.append(Step("rate limit", why, desired))
    return steps


def remember_lifted(
    service: Service, memory: Memory, observation: Observation, wanted: int, current: int, now: float
) -> Memory:
    """Memory with whether a floor, or a MaxCapacity that was higher, has held more tasks than the `wanted` ones.

    It is over when no floor holds any more and the policies want what is there.
    """
    floor = max((floor.min_capacity for floor in observation.floors if floor.expires_at > now), default=0)
    held = floor > wanted or current > service.max_capacity
    lifted = held or (memory.lifted and (floor > service.min_capacity or wanted < current))
    return memory if lifted == memory.lifted else replace(memory, lifted=lifted)


def _objection(
    service: Service,
    observation: Observation,
    memory: Memory,
    loads: Mapping[str, Sequence[Load]],
    missing: str,
    now: float,
) -> tuple[str, str] | None:
    """The first reason to take nothing away at all, as stage and detail."""
    balancer = observation.load_balancer
    if "ScaleIn" in observation.paused:
        return "paused", "scale-in is paused"
    if missing:
        return "no data", f"no scale-in without data ({missing})"
    if memory.intent is not None:
        return "call on its way", "an earlier call may still take effect; until then only a raise is safe"
    if observation.state.deployment_in_progress:
        return "deployment", "no scale-in during a deployment"
    if isinstance(balancer, NoData) and any(loads.values()):
        return "load balancer", f"the load balancer's counters are unknown ({balancer.reason})"
    if isinstance(balancer, LoadBalancerReading):
        if balancer.rejected_connections > 0:
            return "load balancer", f"the load balancer rejected {balancer.rejected_connections:.0f} connections"
        if balancer.error_share > MAX_ERROR_SHARE:
            return "load balancer", f"{balancer.error_share:.1%} of requests ended in a 5xx of the load balancer"
    cooldown = service.behavior.scale_in.cooldown
    if behavior.scaled_in_since(memory.activities, now - cooldown):
        return "cooldown", f"the scale-in cooldown of {cooldown} s runs"
    return None


def _takes_away(policy: Policy) -> bool:
    if isinstance(policy, StepScalingPolicy):
        return step_scaling.has_scale_in_steps(policy)
    return not policy.disable_scale_in


def _needed_tasks(service: Service, observation: Observation, loads: Mapping[str, Sequence[Load]]) -> int:
    """The fewest tasks that keep every projected load clear of its scale-out threshold."""
    balancer = observation.load_balancer
    peak = balancer.peak_requests_per_second if isinstance(balancer, LoadBalancerReading) else None
    needed, shrinking = 0, {policy.metric for policy in service.policies if _takes_away(policy)}
    for policy in service.policies:
        metric = service.metrics[policy.metric]
        if isinstance(policy, StepScalingPolicy):
            # What is not a load per task (latency, say) cannot be projected onto fewer tasks. Who takes tasks away by
            # it has said that it can.
            projects = metric.is_shared_load or policy.metric in shrinking
            threshold = step_scaling.scale_out_threshold(policy) if projects else None
        else:
            threshold = target_tracking.scale_out_threshold(policy)
        if threshold is None or threshold <= 0:
            continue
        total = max((load.scale_in_total for load in loads[policy.metric]), default=0.0)
        if peak is not None and policy.metric == service.request_metric:
            total = max(total, peak)
        needed = max(needed, target_tracking.tasks_for(total, threshold * ANTI_FLAP_MARGIN))
    return needed
