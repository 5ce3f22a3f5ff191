"""Explains: what would be decided in a situation that somebody describes, and why.

Pure, and no copy of any rule: the situation becomes what a look would have gathered, the past what earlier looks would
have remembered of it, and the loop's own `decide` does the rest.
"""

from collections.abc import Container
from dataclasses import dataclass

from fastscaler.pace import BUCKET
from fastscaler.scaling.behavior import SLOT_SECONDS
from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.policy import Service
from fastscaler.situation import Scene, Situation


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision, the names of the policies it was made with, and what was taken for granted, a line each."""

    decision: Decision
    policies: tuple[str, ...]
    assumed: tuple[str, ...]


def explain(service: Service, situation: Situation, now: float) -> Explanation:
    """What is decided for `service` in `situation` at `now` (epoch seconds)."""
    asked, scene = _with_policies_of(service, situation.metrics), Scene(service, situation)
    lasted = _lasted(service, situation, scene)
    decision = decide(asked, scene.observation(now), _remembered(asked, scene, lasted, now), now)
    assumed = (*scene.assumed(), *_assumed_of_the_past(service, decision, lasted))
    return Explanation(decision, tuple(policy.name for policy in asked.policies), assumed)


def _with_policies_of(service: Service, metrics: Container[str]) -> Service:
    """The service with the policies of `metrics` alone.

    A metric that was not asked about must not decide. Whatever its value, it could: one at its target forbids scale-in,
    and a lower one asks for it where the other policies have no opinion.
    """
    # Not model_copy, which would carry over what the whole service has computed of itself.
    fields = {name: getattr(service, name) for name in Service.model_fields}
    fields["policies"] = tuple(policy for policy in service.policies if policy.metric in metrics)
    return Service.model_construct(**fields)


def _lasted(service: Service, situation: Situation, scene: Scene) -> float:
    """Seconds for which it has looked like this: longer than any stabilization window looks back.

    But no longer than since somebody asked for more tasks: it must have looked different to them.
    """
    if scene.asked_for:
        return 0.0
    rules = service.behavior
    window = max(rules.scale_out.stabilization_window_seconds, rules.scale_in.stabilization_window_seconds)
    # A window is watched in slots, and needs the one that it begins in and the one before.
    steady = window + 2 * SLOT_SECONDS + BUCKET
    since = situation.last_scale_out
    return steady if since is None else min(steady, since.seconds_ago)


def _remembered(service: Service, scene: Scene, lasted: float, now: float) -> Memory:
    """What a scaler remembers that has looked at this every 5 s for `lasted` seconds, and could not act."""
    memory, at = Memory(desired=scene.desired, activities=scene.activities(now)), now - lasted
    while at < now:
        memory = decide(service, scene.observation(at), memory, at).memory
        at += BUCKET
    return memory


def _assumed_of_the_past(service: Service, decision: Decision, lasted: float) -> list[str]:
    """How long it has looked like this, where the decision depends on it."""
    rules = service.behavior
    rule = rules.scale_in if decision.recommended < decision.current else rules.scale_out
    window = rule.stabilization_window_seconds
    if decision.recommended == decision.current or not window:
        return []
    if lasted < window:
        return [f"the stabilization window of {window} s began {lasted:g} s ago, when tasks were last asked for"]
    return [f"it has looked like this for longer than the stabilization window of {window} s"]
