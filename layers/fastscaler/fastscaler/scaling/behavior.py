"""Limits on how fast a service may change: stabilization window, rate policies, cooldown.

Sources: Kubernetes' HorizontalPodAutoscaler v2 `behavior` for the window and the rate policies, Application Auto
Scaling's step scaling policies for the cooldown.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil

from fastscaler.scaling.memory import Activity, Extremes, Memory
from fastscaler.scaling.policy import Behavior, RatePolicy

SLOT_SECONDS = 30  # A window is kept as one extreme per 30 s; shorter windows have up to ten slots of 5 s or more.


def slot_seconds(window: int) -> int:
    """Seconds in one slot of a stabilization window."""
    return SLOT_SECONDS if window >= 10 * SLOT_SECONDS else max(5, window // 10)


def remember(memory: Memory, recommended: int, current: int, behavior: Behavior, now: float) -> Memory:
    """Memory with this tick's recommendation in the stabilization window of its direction.

    The window of a direction starts over with every recommendation that does not go that way: it forbids to go there
    until it has left the window, and so does history that is missing.
    """
    shrinking, growing = _scale_in_window(behavior), behavior.scale_out.stabilization_window_seconds
    maxima = _extended(memory.maxima, recommended, shrinking, now, max) if recommended < current else ()
    minima = _extended(memory.minima, recommended, growing, now, min) if recommended > current else ()
    unchanged = maxima == memory.maxima and minima == memory.minima
    return memory if unchanged else replace(memory, maxima=maxima, minima=minima)


def highest_recommendation(memory: Memory, recommended: int, current: int, behavior: Behavior, now: float) -> int:
    """The highest recommendation within the scale-in window, at most `current`; missing history counts as that too."""
    window = _scale_in_window(behavior)
    return (
        recommended if window == 0 else min(current, max(recommended, *_watched(memory.maxima, current, window, now)))
    )


def lowest_recommendation(memory: Memory, recommended: int, current: int, behavior: Behavior, now: float) -> int:
    """The lowest recommendation within the scale-out window, at least `current`; missing history counts as that too."""
    window = behavior.scale_out.stabilization_window_seconds
    return (
        recommended if window == 0 else max(current, min(recommended, *_watched(memory.minima, current, window, now)))
    )


def _scale_in_window(behavior: Behavior) -> int:
    return behavior.scale_in.stabilization_window_seconds


def _slots(window: int, now: float) -> range:
    """The starts of the slots that a window needs (epoch seconds), with the one before it.

    The history may begin in the middle of a slot, but not of one that counts.
    """
    seconds = slot_seconds(window)
    newest, before = int(now // seconds), int((now - window) // seconds) - 1
    return range(before * seconds, (newest + 1) * seconds, seconds)


def _extended(
    known: Extremes, recommended: int, window: int, now: float, extreme: Callable[[int, int], int]
) -> Extremes:
    """The extremes per slot with `recommended` among them, without those that have left the window."""
    if window == 0:
        return ()
    slots = _slots(window, now)
    newest = slots[-1]
    if known and known[-1][0] == newest:
        recommended = extreme(known[-1][1], recommended)
        known = known[:-1]
    return (*(entry for entry in known if entry[0] in slots and entry[0] < newest), (newest, recommended))


def _watched(known: Extremes, current: int, window: int, now: float) -> Sequence[int]:
    """The extremes of the slots that count; `current` where one is missing: no look for a slot is no watching."""
    slots = _slots(window, now)
    found = [extreme for start, extreme in known if start in slots]
    return found[1:] if len(found) == len(slots) else [current]


def fired_step(activities: Sequence[Activity], policy: str, since: float) -> int:
    """The largest scale-out step of `policy` that is in effect since `since`, in tasks; 0 where there is none."""
    return max((activity.steps.get(policy, 0) for activity in _in_effect(activities, since)), default=0)


def fired_size(activities: Sequence[Activity], since: float) -> int:
    """The size of the service's last scale-out by a policy since `since`, in tasks; 0 where there is none."""
    return next((activity.size for activity in _in_effect(activities, since)), 0)


def _in_effect(activities: Sequence[Activity], since: float) -> Iterator[Activity]:
    """Scale-outs by a policy after `since`, newest first; what came before a scale-in is not in effect any more."""
    for activity in reversed(activities):
        if activity.at <= since or (activity.change < 0 and activity.cause != "external"):
            return
        if activity.change > 0 and activity.cause == "policy":
            yield activity


def scaled_in_since(activities: Sequence[Activity], since: float, policy: str | None = None) -> bool:
    """Whether a scale-in cooldown that began at `since` still runs; a later scale-out has cancelled it."""
    for activity in reversed(activities):
        if activity.at <= since or (activity.change > 0 and activity.cause != "external"):
            return False
        if activity.change < 0 and activity.cause != "external" and (policy is None or policy in activity.steps):
            return True
    return False


def scale_out_limit(behavior: Behavior, current: int, activities: Sequence[Activity], now: float) -> int | None:
    """The most tasks that the scale-out rate policies allow now; None: no limit."""

    def limit(policy: RatePolicy) -> int:
        base = current - _net_change(activities, now - policy.period_seconds)
        return base + policy.value if policy.type == "Tasks" else ceil(base * (100 + policy.value) / 100)

    rule = behavior.scale_out
    return _select(rule.select_policy, (limit(policy) for policy in rule.policies), current, max, min, max)


def scale_in_limit(behavior: Behavior, current: int, activities: Sequence[Activity], now: float) -> int | None:
    """The fewest tasks that the scale-in rate policies allow now; None: no limit.

    A percentage rounds to the larger step, as in Kubernetes. One point differs: it is of the most tasks that there were
    within the period, so that a service never loses more than the policy says of what it had.
    """

    def limit(policy: RatePolicy) -> int:
        base = _highest(activities, current, now - policy.period_seconds)
        return base - policy.value if policy.type == "Tasks" else base * (100 - policy.value) // 100

    rule = behavior.scale_in
    return _select(rule.select_policy, (limit(policy) for policy in rule.policies), current, min, max, min)


def _net_change(activities: Sequence[Activity], since: float) -> int:
    return sum(activity.change for activity in activities if activity.at > since and activity.cause != "external")


def _highest(activities: Sequence[Activity], current: int, since: float) -> int:
    """The highest count after `since`, without what others have changed."""
    counts = [current]
    for activity in reversed(activities):
        if activity.at > since and activity.cause != "external":
            counts.append(counts[-1] - activity.change)
    return max(counts)


def _select(
    how: str,
    limits: Iterable[int],
    current: int,
    widest: Callable[[list[int]], int],
    narrowest: Callable[[list[int]], int],
    bound: Callable[[int, int], int],
) -> int | None:
    if how == "Disabled":
        return current
    found = list(limits)
    if not found:
        return None
    return bound(current, widest(found) if how == "Max" else narrowest(found))
