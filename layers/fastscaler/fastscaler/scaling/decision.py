"""The decision: from policy, observation, memory and time to one desired count, with its reason and its trail.

The order is fixed: what the policies ask for, one recommendation, the limits of the direction in which the count would
move, then floors and bounds. Holding is always allowed; moving needs every reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fastscaler.scaling import behavior, guards, history, step_scaling, target_tracking
from fastscaler.scaling.load import Capacity, Load, is_blind, is_stale, missing_data, project_all
from fastscaler.scaling.memory import INTENT_LIFETIME, Activity, Memory, reconcile
from fastscaler.scaling.observation import Observation, ServiceState
from fastscaler.scaling.policy import Policy, Service, StepScalingPolicy
from fastscaler.scaling.recommendation import Proposal, combine, propose
from fastscaler.scaling.scale_in import Step, remember_lifted, scale_in

LEFT_ALONE = "left alone"  # The cause where nothing may be done to the service.
FALLBACK = "fallback capacity"  # The stage whose recommendation comes from no data.
HOT_SHARE = 0.5  # Share of a scale-out threshold from which a late bucket is worth another look (design, section 3).


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do and why.

    `recommended` is what the policies ask for within MaxCapacity; `desired` is what is done. `cause` names the stage
    that had the last word, without figures, so that two decisions for the same reason compare equal; `reason` is the
    sentence with its figures. `activity` is what to record when the count changes, None when it stands; `memory` is
    what to remember either way. `bucket_end` is the end of the bucket that asks for most tasks, of the newest one where
    none asks for more (epoch seconds). `load_share`: the load of the hottest policy as a share of its scale-out
    threshold, None without data or without such a threshold. `stale`: data has been missing for longer than StaleAfter.
    `at_maximum`: the count cannot rise any further. `noted`: something that was not of this controller's doing.
    """

    desired: int
    current: int
    recommended: int
    cause: str
    reason: str
    trail: tuple[Step, ...]
    memory: Memory
    activity: Activity | None = None
    loads: Mapping[str, Load] = field(default_factory=dict)
    bucket_end: float | None = None
    load_share: float | None = None
    stale: bool = False
    at_maximum: bool = False
    noted: str = ""

    @property
    def held(self) -> bool:
        """Whether a rule kept the count from where the policies wanted it."""
        return self.desired == self.current != self.recommended

    @property
    def hot(self) -> bool:
        """Whether a scale-out threshold is near."""
        return self.load_share is not None and self.load_share > HOT_SHARE


def decide(service: Service, observation: Observation, memory: Memory, now: float) -> Decision:
    """The desired count of `service` at `now` (epoch seconds). Pure; raises for no observation."""
    state = observation.state
    known = reconcile(memory, state.desired, state.running, now)
    memory, current = known.memory.prune(now, memory_horizon(service)), known.current
    if why := _left_alone(state):
        return Decision(current, current, current, LEFT_ALONE, why, (), memory, noted=known.note)
    memory, guard_note = guards.remember(service, observation, memory, current, now)
    memory = history.remember_running(service, memory, state.running, now, memory_horizon(service))
    memory = history.remember_silence(service, memory, observation, now)
    observation = history.with_age(observation, memory.silent, now)
    raised = memory.raised_since(now - service.task_start_timeout)
    capacity = Capacity(current, state.running, raised, state.deployment_in_progress, memory.activities, memory.running)
    loads = project_all(service, observation, capacity)
    absent = missing_data(service, observation, loads)
    missing = next((f"{key}: {no_data.reason}" for key, no_data in absent.items()), "")
    proposals = [_best(policy, service, loads[policy.metric], capacity, memory, now) for policy in service.policies]
    blind = bool(missing) and is_blind(service, observation, loads)
    recommendation = _recommend(service, proposals, current, missing, blind)
    lowest = min(current, service.min_capacity)
    if recommendation.desired < lowest:
        # Nothing is held back where nothing can be taken away, and nothing has to be remembered. Not so for a floor:
        # what is remembered meanwhile lets the count come down by the rules once the floor has expired.
        stage = "steady" if lowest == current else recommendation.stage
        recommendation = Step(stage, f"{recommendation.detail}, not below {lowest}", lowest)
    recommended = recommendation.desired
    fallback = recommendation.stage == FALLBACK
    if fallback or not missing or recommended > current:
        memory = behavior.remember(memory, recommended, current, service.behavior, now)
    memory = remember_lifted(service, memory, observation, recommended, current, now)
    steps = [recommendation]
    if recommended > current:
        steps += _scale_out(service, recommended, current, memory, now)
    elif recommended < current:
        steps += scale_in(service, observation, memory, loads, "" if fallback else missing, recommended, current, now)
    steps += _bounds(service, observation, known.restore, steps[-1].desired, now)
    if steps[-1].desired > current and "ScaleOut" in observation.paused:
        steps.append(Step("paused", "scale-out is paused", current))
    steps += guards.restrain(service, memory, current, steps[-1].desired)
    desired = steps[-1].desired
    return Decision(
        desired=desired,
        current=current,
        recommended=recommended,
        cause=steps[-1].stage,
        reason=_sentence(steps, current),
        trail=(*(Step(p.policy, p.detail, current if p.desired is None else p.desired) for p in proposals), *steps),
        memory=memory,
        activity=_activity(service, proposals, memory, recommended, current, desired, now),
        loads={key: found[0] for key, found in loads.items() if found},
        bucket_end=_bucket_end(proposals, loads),
        load_share=_load_share(service, loads),
        stale=is_stale(service, absent),
        at_maximum=desired >= service.max_capacity > service.min_capacity,  # One that is pinned is always there.
        noted="; ".join(note for note in (known.note, guard_note) if note),
    )


def memory_horizon(service: Service) -> float:
    """Seconds for which an activity can still matter to a rule of this service."""
    rules = service.behavior
    seconds = [rules.scale_out.cooldown, rules.scale_in.cooldown, service.task_start_timeout, INTENT_LIFETIME]
    seconds += [rate.period_seconds for rate in (*rules.scale_out.policies, *rules.scale_in.policies)]
    for policy in service.policies:
        metric = service.metrics[policy.metric]
        if isinstance(policy, StepScalingPolicy):
            seconds.append(policy.step_scaling_policy_configuration.cooldown)
        if not metric.is_shared_load:
            # A slow datapoint is judged by the changes since its bucket began.
            seconds.append(service.patience[policy.metric] + metric.period + service.task_start_timeout)
    return max(seconds)


def _left_alone(state: ServiceState) -> str:
    """Why nothing may be done to this service; empty where something may."""
    if state.status != "ACTIVE":
        return f"the service is {state.status}"
    if state.scheduling_strategy != "REPLICA":
        return f"the scheduling strategy is {state.scheduling_strategy}"
    return "the service is managed by ECS Express Mode" if state.express_managed else ""


def _best(
    policy: Policy, service: Service, loads: Sequence[Load], capacity: Capacity, memory: Memory, now: float
) -> Proposal:
    """The policy's largest proposal. A bucket that is incomplete may add tasks or keep them, never take them away."""
    best = None
    for load in loads:
        proposal = propose(policy, service, load, capacity, memory.activities, now)
        raises = proposal.desired is not None and proposal.desired > capacity.desired
        if not load.complete and (proposal.desired is None or proposal.desired < capacity.desired):
            continue
        if best is None or (proposal.desired or 0) > (best.desired or 0):
            best = replace(proposal, bucket_end=load.bucket_end) if raises else proposal
    return best or Proposal(policy.name, None, f"no complete data of {policy.metric}")


def _recommend(service: Service, proposals: Sequence[Proposal], current: int, missing: str, blind: bool) -> Step:
    """The recommended count within MaxCapacity; the current one where no policy has an opinion."""
    asked = combine(proposals)
    if asked is None:
        fallback = service.fallback_capacity
        static = service.fallback_behavior == "static"
        if blind and fallback is not None and (fallback > current or (static and fallback < current)):
            return Step(FALLBACK, f"no data ({missing})", fallback)
        detail = f"no data ({missing})" if missing else "no policy asks for a change"
        return Step("no data" if missing else "steady", detail, min(current, service.max_capacity))
    winner = next(proposal for proposal in proposals if proposal.desired == asked)
    recommended, detail = min(asked, service.max_capacity), f"{winner.policy}: {winner.detail}"
    if recommended < asked:
        detail = f"{detail}, asks for {asked}, more than MaxCapacity"
    return Step("steady" if recommended == current else winner.policy, detail, recommended)


def _scale_out(service: Service, recommended: int, current: int, memory: Memory, now: float) -> list[Step]:
    steps = []
    desired = behavior.lowest_recommendation(memory, recommended, current, service.behavior, now)
    if desired < recommended:
        window = service.behavior.scale_out.stabilization_window_seconds
        steps.append(Step("stabilization window", f"the lowest recommendation of the last {window} s counts", desired))
    limit = behavior.scale_out_limit(service.behavior, current, memory.activities, now)
    if limit is not None and limit < desired:
        steps.append(Step("rate limit", "Behavior.ScaleOut.Policies allows no more", max(limit, current)))
    return steps


def _floor(service: Service, observation: Observation, now: float) -> tuple[int, str, str]:
    """The fewest tasks to have now, with the stage and the reason: MinCapacity, or the highest pre-warm floor."""
    active = (floor for floor in observation.floors if floor.expires_at > now)
    floor = max(active, key=lambda floor: floor.min_capacity, default=None)
    if floor is None or floor.min_capacity <= service.min_capacity:
        return service.min_capacity, "MinCapacity", "below MinCapacity"
    why = f" ({floor.reason})" if floor.reason else ""
    return floor.min_capacity, "pre-warm floor", f"floor of {floor.owner}{why}"


def _bounds(service: Service, observation: Observation, restore: int | None, desired: int, now: float) -> list[Step]:
    """Steps up to the lower bounds: corrected late calls, pre-warm floors, MinCapacity. MaxCapacity caps them all."""
    steps = []
    if restore is not None and restore > desired:
        steps.append(Step("correction", "a call decided earlier arrived late", restore))
    lowest, stage, why = _floor(service, observation, now)
    if lowest > max(desired, restore or 0):
        steps.append(Step(stage, why, lowest))
    highest = steps[-1].desired if steps else desired
    if steps and highest > service.max_capacity:
        steps.append(Step("MaxCapacity", "no floor goes above MaxCapacity", max(desired, service.max_capacity)))
    return steps


def _sentence(steps: Sequence[Step], current: int) -> str:
    """The recommendation's reason, and that of the stage that had the last word."""
    first, last = steps[0], steps[-1]
    sentence = first.detail if last is first else f"{first.detail}; {last.stage}: {last.detail}"
    return f"{sentence}: {current} to {last.desired} tasks" if last.desired != current else sentence


def _activity(
    service: Service,
    proposals: Sequence[Proposal],
    memory: Memory,
    recommended: int,
    current: int,
    desired: int,
    now: float,
) -> Activity | None:
    """The change as cooldowns will look at it: per policy the part of its step that is really taken."""
    if desired == current:
        return None
    if (desired > current) != (recommended > current) or recommended == current:
        return Activity(now, current, desired, "bound")
    if desired < current:
        steps = {p.policy: p.desired - current for p in proposals if p.desired is not None and p.desired < current}
        return Activity(now, current, desired, "policy", desired - current, steps)
    steps = {
        p.policy: p.step - max(0, p.desired - desired)
        for p in proposals
        if p.desired is not None and p.desired > current
    }
    in_effect = behavior.fired_size(memory.activities, now - service.behavior.scale_out.cooldown)
    return Activity(now, current, desired, "policy", desired - current + in_effect, steps)


def _bucket_end(proposals: Sequence[Proposal], loads: Mapping[str, Sequence[Load]]) -> float | None:
    raising = [proposal for proposal in proposals if proposal.bucket_end is not None]
    if raising:
        return max(raising, key=lambda proposal: proposal.desired or 0).bucket_end
    return max((load.bucket_end for found in loads.values() for load in found), default=None)


def _load_share(service: Service, loads: Mapping[str, Sequence[Load]]) -> float | None:
    """The load of the hottest policy as a share of its scale-out threshold."""
    shares = []
    for policy in service.policies:
        if isinstance(policy, StepScalingPolicy):
            threshold = step_scaling.scale_out_threshold(policy)
            shown = max((load.shown for load in loads[policy.metric]), default=None)
        else:
            threshold = target_tracking.scale_out_threshold(policy)
            shown = max((load.per_serving for load in loads[policy.metric]), default=None)
        if threshold is not None and shown is not None:
            # Above a threshold of 0, as of a queue that should be empty, any load is one too much.
            shares.append(shown / threshold if threshold > 0 else float(shown > threshold))
    return max(shares, default=None)
