"""MinCapacity, MaxCapacity and the suspended directions of a scalable target, in the document's terms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastscaler.migration.commented_yaml import Note
from fastscaler.migration.scheduled_actions import ScheduledAction, minutes_until_ended

MOST_TASKS = 5000  # What MaxCapacity may be, and the ECS quota of tasks per service.


@dataclass(frozen=True, slots=True)
class Bound:
    """One of the two capacities, with what to know of it."""

    value: int
    notes: tuple[Note, ...]


def min_capacity(target: Mapping[str, Any], actions: Sequence[ScheduledAction], highest: int) -> Bound:
    """The minimum of now. A lower one of scheduled actions only where a pre-warm schedule brings today's back.

    Floors only ever raise a minimum, so one that goes up and down is its lowest value with floors above it.
    """
    now, notes, is_suspended = target["MinCapacity"], [], "Scheduled" in suspended(target)
    scheduled = sorted({action.minimum for action in actions if action.minimum is not None})
    lowest = now
    if not is_suspended and _is_restored(now, actions):
        recurring = [action.minimum for action in actions if action.minimum is not None and not action.is_one_off]
        lowest = min(now, *recurring)
    if set(scheduled) - {now}:
        notes.append(Note(_of_scheduled_minima(scheduled, now, lowest, is_suspended)))
    if lowest < 1:
        notes.append(Note("It is 0 there. FastScaler keeps at least one task: without any there is no load to see."))
    return Bound(min(max(lowest, 1), highest), tuple(notes))


def _is_restored(minimum: int, actions: Sequence[ScheduledAction]) -> bool:
    """Whether an action sets `minimum` or more again and again, each time for as long as its schedule can say."""
    return any(
        action.minimum is not None
        and action.minimum >= minimum
        and not action.is_one_off
        and minutes_until_ended(action, actions) is not None
        for action in actions
    )


def _of_scheduled_minima(scheduled: Sequence[int], now: int, lowest: int, is_suspended: bool) -> str:
    words = [f"Scheduled actions set this to {_listed(scheduled)}; it is {now} now."]
    if lowest < now:
        words.append(
            f"The lowest that recurs stands here; {now} holds again once the next pre-warm schedule has fired."
        )
    elif scheduled[0] < now:
        why = "scheduled scaling is suspended" if is_suspended else f"no schedule of known duration brings {now} back"
        words.append(f"It is not lowered here: {why}.")
    if scheduled[-1] > lowest:
        words.append("The pre-warm schedules at the end of this file raise it.")
    return " ".join(words)


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
