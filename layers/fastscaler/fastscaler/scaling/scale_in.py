"""What must agree before a task is taken away. Scale-in is last and slowest: one objection is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastscaler.scaling import behavior, step_scaling, target_tracking
from fastscaler.scaling.load import Load
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import LoadBalancerReading, NoData, Observation
from fastscaler.scaling.policy import Service, StepScalingPolicy

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
    return steps


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


def _needed_tasks(service: Service, observation: Observation, loads: Mapping[str, Sequence[Load]]) -> int:
    """The fewest tasks that keep every projected load clear of its scale-out threshold."""
    balancer = observation.load_balancer
    peak = balancer.peak_requests_per_second if isinstance(balancer, LoadBalancerReading) else None
    needed = 0
    for policy in service.policies:
        metric = service.metrics[policy.metric]
        if isinstance(policy, StepScalingPolicy):
            # What is not a load per task (latency, say) cannot be projected onto fewer tasks.
            threshold = step_scaling.scale_out_threshold(policy) if metric.is_shared_load else None
        else:
            threshold = target_tracking.scale_out_threshold(policy)
        if threshold is None or threshold <= 0:
            continue
        total = max((load.scale_in_total for load in loads[policy.metric]), default=0.0)
        if peak is not None and policy.metric == service.request_metric:
            total = max(total, peak)
        needed = max(needed, target_tracking.tasks_for(total, threshold * ANTI_FLAP_MARGIN))
    return needed
