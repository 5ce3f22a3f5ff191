"""FastScaler without one of its ideas, for each idea: what does it contribute? The saturation boost is off in the
shipped document, so it is switched on.

Where the policy document can say it, the document is edited. Else the decision is made on an observation, or with a
service, that the idea cannot work on; nothing of this is an option of the shipped library. Counting requests when they
are finished instead of when they come is the application's doing: `Settings.completions`.

Each function raises NothingToSwitch for a service that the idea makes no difference to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf

from fastscaler.pace import Pace
from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import Observation
from fastscaler.scaling.policy import Policy, Service, TargetTrackingPolicy
from fastscaler.scaling.step_scaling import has_scale_in_steps, scale_out_threshold
from simulator.controllers.fastscaler import FastScaler

UNREACHABLE = 1e9  # A threshold, or a multiple of a target, that no load reaches.
CAPACITY_OVER_TARGET = 1.4  # The TaskCapacity that the shipped document has switched off, 140 for a target of 100.


class NothingToSwitch(ValueError):
    """What is to be switched off is not there, or what is to be switched on is on already."""


def without_proportional_sizing(service: Service) -> FastScaler:
    """Target tracking only takes tasks away; the step tables alone add them. The saturation boost goes with it."""
    off = {"scale_out_tolerance": UNREACHABLE, "task_capacity": None}
    tracking = [one for one in service.policies if isinstance(one, TargetTrackingPolicy)]
    if not tracking or len(tracking) == len(service.policies):
        raise NothingToSwitch(f"{service.key}: needs a TargetTracking policy and a StepScaling one that is left")
    policies = [one.model_copy(update=off) if one in tracking else one for one in service.policies]
    return FastScaler(_with_policies(service, policies), "fastscaler without proportional sizing")


def without_step_table(service: Service) -> FastScaler:
    """Target tracking alone."""
    policies = [one for one in service.policies if isinstance(one, TargetTrackingPolicy)]
    if not policies or len(policies) == len(service.policies):
        raise NothingToSwitch(f"{service.key}: needs a StepScaling policy and a TargetTracking one that is left")
    return FastScaler(_with_policies(service, policies), "fastscaler without step table")


def with_saturation_boost(service: Service) -> FastScaler:
    """Twice the load that saturated tasks show is assumed."""
    tracking = [one for one in service.policies if isinstance(one, TargetTrackingPolicy)]
    if not tracking or any(one.task_capacity for one in tracking):
        raise NothingToSwitch(f"{service.key}: needs a TargetTracking policy, and none that has a TaskCapacity")
    policies = [
        one.model_copy(update={"task_capacity": CAPACITY_OVER_TARGET * one.target_value}) if one in tracking else one
        for one in service.policies
    ]
    return FastScaler(_with_policies(service, policies), "fastscaler with saturation boost")


def without_in_flight_credit(service: Service) -> FastScaler:
    """Tasks count as capacity once they report, not when they are asked for."""
    uncredited = service.model_copy(update={"task_start_timeout": 0})
    return FastScaler(service, "fastscaler without in-flight credit", partial(_decide_for, uncredited))


def without_looking_again(service: Service) -> FastScaler:
    """One look per bucket, however late the bucket is."""
    return FastScaler(service, "fastscaler without looking again", pace=partial(Pace, again=inf))


def without_incomplete_buckets(service: Service) -> FastScaler:
    """A bucket counts once enough tasks have reported it."""
    return FastScaler(service, "fastscaler without incomplete buckets", _decide_on_complete)


def without_anti_flap(service: Service) -> FastScaler:
    """A scale-in goes to the target, though that is nearer to a scale-out threshold than the margin."""
    far = [_out_of_reach(policy) for policy in service.policies]
    return FastScaler(service, "fastscaler without anti-flap", partial(_decide_near, _with_policies(service, far)))


def without_scale_in_window(service: Service) -> FastScaler:
    """The newest recommendation counts for a scale-in too."""
    scale_in = service.behavior.scale_in
    if not scale_in.stabilization_window_seconds:
        raise NothingToSwitch(f"{service.key}: Behavior.ScaleIn.StabilizationWindowSeconds is 0 already")
    calm = scale_in.model_copy(update={"stabilization_window_seconds": 0})
    behavior = service.behavior.model_copy(update={"scale_in": calm})
    return FastScaler(service.model_copy(update={"behavior": behavior}), "fastscaler without scale-in window")


ABLATIONS: Mapping[str, Callable[[Service], FastScaler]] = {
    "proportional sizing": without_proportional_sizing,
    "step table": without_step_table,
    "saturation boost, switched on": with_saturation_boost,
    "in-flight credit": without_in_flight_credit,
    "looking again": without_looking_again,
    "incomplete buckets": without_incomplete_buckets,
    "anti-flap": without_anti_flap,
    "scale-in window": without_scale_in_window,
}


def _decide_for(other: Service, service: Service, observation: Observation, memory: Memory, now: float) -> Decision:
    return decide(other, observation, memory, now)


def _decide_on_complete(service: Service, observation: Observation, memory: Memory, now: float) -> Decision:
    complete = {key: replace(seen, partial=None) for key, seen in observation.metrics.items()}
    return decide(service, replace(observation, metrics=complete), memory, now)


def _decide_near(far: Service, service: Service, observation: Observation, memory: Memory, now: float) -> Decision:
    """Decides on a scale-in again with thresholds that are far away. Who wants one does not ask for more tasks."""
    decision = decide(service, observation, memory, now)
    if decision.recommended >= decision.current:
        return decision
    return replace(decide(far, observation, memory, now), load_share=decision.load_share)


def _out_of_reach(policy: Policy) -> Policy:
    """`policy` as far as it takes tasks away."""
    if isinstance(policy, TargetTrackingPolicy):
        return policy.model_copy(update={"scale_out_tolerance": UNREACHABLE})
    if scale_out_threshold(policy) is None:
        return policy
    if not has_scale_in_steps(policy):
        return policy.model_copy(update={"threshold": UNREACHABLE})
    configuration = policy.step_scaling_policy_configuration
    bounds = ((one, one.metric_interval_upper_bound) for one in configuration.step_adjustments)
    below = [one for one, upper in bounds if upper is not None and upper <= 0]
    steps = configuration.model_copy(update={"step_adjustments": tuple(below)})
    return policy.model_copy(update={"step_scaling_policy_configuration": steps})


def _with_policies(service: Service, policies: Sequence[Policy]) -> Service:
    # A copy would keep what the original has already worked out from its own policies.
    fields = {name: getattr(service, name) for name in type(service).model_fields}
    return Service.model_construct(**fields | {"policies": tuple(policies)})
