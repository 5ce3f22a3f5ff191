"""The policy document that scales a service as Application Auto Scaling does today, with comments where it differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fastscaler.errors import FastScalerError
from fastscaler.migration.balancer import load_balancer
from fastscaler.migration.behavior import behavior
from fastscaler.migration.capacity import max_capacity, min_capacity, suspended
from fastscaler.migration.carried import Carried
from fastscaler.migration.commented_yaml import ABSENT, Note, Noted, notes_in, plain, render
from fastscaler.migration.metrics import ALARM_PERIOD, Answer, metric_notes
from fastscaler.migration.page import introduction, scheduled
from fastscaler.migration.policies import carry_over
from fastscaler.migration.scheduled_actions import ScheduledAction, scheduled_action

if TYPE_CHECKING:
    from fastscaler.aws.existing_scaling import ExistingScaling


class NothingToImport(FastScalerError):
    """Nothing of what scales the service can be written as a policy document; the message says why."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The document as text, and in how many places it asks for a person's attention."""

    text: str
    differences: int


def translate(existing: "ExistingScaling", now: datetime, profile: str | None = None) -> Imported:
    """The equivalent policy document; `profile` is the AWS profile that the command in it names.

    Raises NothingToImport where there is no scalable target, or no policy that can be carried over.
    """
    key = f"{existing.cluster}/{existing.service}"
    if existing.target is None:
        raise NothingToImport(
            f"{key} has no scalable target in {existing.region}: Application Auto Scaling does not scale it, "
            "so there is nothing to import. Begin with policies.yaml."
        )
    actions = [action for action in map(scheduled_action, existing.scheduled_actions) if not action.is_over(now)]
    over = [action["ScheduledActionName"] for action in existing.scheduled_actions]
    over = [name for name in over if name not in {action.name for action in actions}]
    service = _head(existing, existing.target, actions)
    carried, left_out = carry_over(existing, service)
    if not carried:
        reasons = " ".join(note.text for note in left_out) or "It has no scaling policy."
        raise NothingToImport(f"{key} has no policy that can be carried over. {reasons}")
    _complete(service, existing, existing.target, carried, left_out)
    mode = {"Mode": Noted("observe", [Note("Decide and report, change nothing. Remove this line to scale.", False)])}
    services = {"Services": [service]}
    ending, more = scheduled(existing, existing.target, actions, over, plain(service["MinCapacity"]))
    lines = [*introduction(existing, profile), "", *render(mode), "", *render(services), *ending]
    differences = sum(note.differs for note in (*notes_in(services), *more))
    return Imported("".join(f"{line}\n" for line in lines), differences)


def _head(existing: "ExistingScaling", target: Answer, actions: Sequence[ScheduledAction]) -> dict[str, Any]:
    """The service's name and capacities."""
    highest = max_capacity(target, actions)
    lowest = min_capacity(target, actions, highest.value)
    service: dict[str, Any] = {"Cluster": existing.cluster, "Service": existing.service}
    if existing.ecs_service.get("resourceManagementType") == "ECS":
        words = "ECS Express Mode manages this service; FastScaler leaves such a service alone."
        service["Service"] = Noted(existing.service, [Note(words)])
    if suspended(target) >= {"ScaleOut", "ScaleIn"}:
        words = (
            "Dynamic scaling is suspended in both directions on the scalable target (SuspendedState), so this service "
            "is only observed. Remove this line, too, to scale."
        )
        service["Mode"] = Noted("observe", [Note(words)])
    service["MinCapacity"] = Noted(lowest.value, lowest.notes)
    service["MaxCapacity"] = Noted(highest.value, highest.notes)
    return service


def _complete(
    service: dict[str, Any],
    existing: "ExistingScaling",
    target: Answer,
    carried: Sequence[Carried],
    left_out: Sequence[Note],
) -> None:
    """The rest of the service's block."""
    metrics = carried[-1].metrics
    entries = {key: Noted(block, metric_notes(block)) for key, block in metrics.items()}
    slow = [key for key, block in metrics.items() if block["Period"] >= ALARM_PERIOD]
    advice = (
        f"The loop is as fast as its data. {', '.join(slow)}: a datapoint a minute or slower. To scale within seconds, "
        "publish a metric every 5 s from the tasks (README.md) and give it a policy."
    )
    service["Metrics"] = Noted(entries, [Note(advice)] if slow else [])
    balancer = load_balancer(existing.ecs_service, existing.target_groups)
    if balancer is not None:
        service["LoadBalancer"] = balancer
    policies = [Noted(one.block, one.notes) for one in carried]
    service["Policies"] = Noted([*policies, Noted(ABSENT, left_out)], _agreement(carried))
    limits = behavior(carried, set() if "Mode" in service else suspended(target))
    if limits:
        service["Behavior"] = limits


def _agreement(carried: Sequence[Carried]) -> list[Note]:
    """AWS lets a step policy's alarm take tasks away by itself; target tracking policies have to agree there, too."""
    shrinking = [one.block for one in carried if one.scales_in]
    if len(shrinking) < 2 or all(block["PolicyType"] == "TargetTracking" for block in shrinking):
        return []
    names = ", ".join(block["Name"] for block in shrinking)
    return [Note(f"Scale-in needs all of these to agree: {names}. In AWS the alarm of a step policy acts by itself.")]
