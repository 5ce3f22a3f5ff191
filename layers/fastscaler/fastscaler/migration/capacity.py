"""MinCapacity, MaxCapacity and the suspended directions of a scalable target, in the document's terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastscaler.migration.commented_yaml import Note
from fastscaler.migration.scheduled_actions import ScheduledAction

MOST_TASKS = 5000  # What MaxCapacity may be, and the ECS quota of tasks per service.


@dataclass(frozen=True, slots=True)
class Bound:
    """One of the two capacities, with what to know of it."""

    value: int
    notes: tuple[Note, ...]


def min_capacity(target: Mapping[str, Any], actions: Sequence[ScheduledAction], highest: int) -> Bound:
    """The lowest minimum that the target has, now or by a scheduled action: pre-warm floors only ever raise one."""
    now, notes = target["MinCapacity"], []
    scheduled = sorted({action.minimum for action in actions if action.minimum is not None})
    lowest = min([now, *scheduled])
    if scheduled:
        notes.append(
            Note(
                f"Scheduled actions set this to {_listed(scheduled)}; it is {now} now. The lowest stands here. The "
                "pre-warm schedules at the end of this file raise it."
            )
        )
    if lowest < 1:
        notes.append(Note("It is 0 there. FastScaler keeps at least one task: without any there is no load to see."))
    return Bound(min(max(lowest, 1), highest), tuple(notes))


def max_capacity(target: Mapping[str, Any], actions: Sequence[ScheduledAction]) -> Bound:
    """The highest maximum that the target has, now or by a scheduled action."""
    now, notes = target["MaxCapacity"], []
    scheduled = sorted({action.maximum for action in actions if action.maximum is not None})
    highest = max([now, *scheduled])
    if set(scheduled) - {now}:
        notes.append(
            Note(
                f"Scheduled actions set this to {_listed(scheduled)}; it is {now} now. FastScaler has one maximum for "
                "all hours; the highest stands here."
            )
        )
    if highest < 1:
        notes.append(Note("It is 0 there; FastScaler keeps at least one task."))
    elif highest > MOST_TASKS:
        notes.append(Note(f"It is {highest} there; FastScaler takes {MOST_TASKS} at most, the ECS quota of a service."))
    return Bound(min(max(highest, 1), MOST_TASKS), tuple(notes))


def suspended(target: Mapping[str, Any]) -> set[str]:
    """Which of ScaleOut, ScaleIn and Scheduled are suspended."""
    state = target.get("SuspendedState") or {}
    names = {
        "DynamicScalingOutSuspended": "ScaleOut",
        "DynamicScalingInSuspended": "ScaleIn",
        "ScheduledScalingSuspended": "Scheduled",
    }
    return {name for key, name in names.items() if state.get(key)}


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
