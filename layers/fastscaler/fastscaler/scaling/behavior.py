"""Limits on how fast a service may change: stabilization window, rate policies, cooldown.

Sources: Kubernetes' HorizontalPodAutoscaler v2 `behavior` for the window and the rate policies, Application Auto
Scaling's step scaling policies for the cooldown.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil

from fastscaler.scaling.memory import Activity, Memory
from fastscaler.scaling.policy import Behavior, RatePolicy

SLOT_SECONDS = 30  # Maxima of the window are kept per 30 s; shorter windows have ten slots of 5 s or more.


def slot_seconds(window: int) -> int:
    """Seconds in one slot of a stabilization window."""
    return SLOT_SECONDS if window >= 10 * SLOT_SECONDS else max(5, window // 10)


def remember(memory: Memory, recommended: int, current: int, window: int, now: float) -> Memory:
    """Memory with this tick's recommendation in the window of `window` seconds.

    At or above the current count the window starts over: that recommendation forbids scale-in until it has left the
    window, and so does history that is missing.
    """
    seconds = slot_seconds(window)
    if recommended >= current or window == 0:
        return replace(memory, maxima=()) if memory.maxima else memory
    slot, oldest = int(now // seconds), _oldest_slot(window, now)
    known = memory.maxima if memory.slot_seconds == seconds else ()
    if known and known[-1][0] == slot:
        if known[-1][1] >= recommended and known[0][0] >= oldest:
            return memory
        known, recommended = known[:-1], max(known[-1][1], recommended)
    kept = tuple(entry for entry in known if oldest <= entry[0] < slot)
    return replace(memory, maxima=(*kept, (slot, recommended)), slot_seconds=seconds)


def stabilized(memory: Memory, recommended: int, current: int, window: int, now: float) -> int:
    """The highest recommendation within the window, at most `current`; missing history counts as that too."""
    if window == 0:
        return recommended
    seconds = slot_seconds(window)
    needed = int(now // seconds) - _oldest_slot(window, now) + 1
    # The loop looks every 5 s, so an absent slot was not watched at all.
    if memory.slot_seconds != seconds or len(memory.maxima) < needed:
        return current
    return min(current, max(recommended, max(highest for _, highest in memory.maxima[1:])))


def _oldest_slot(window: int, now: float) -> int:
    """The slot before the window: the history may begin in the middle of a slot, but not of one that counts."""
    return int((now - window) // slot_seconds(window)) - 1


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

    A percentage rounds to the larger step, as in Kubernetes. One point differs: tasks added within the period do not
    lower the base, so that a service never loses more than the policy says of what it has.
    """

    def limit(policy: RatePolicy) -> int:
        base = max(current, current - _net_change(activities, now - policy.period_seconds))
        return base - policy.value if policy.type == "Tasks" else base * (100 - policy.value) // 100

    rule = behavior.scale_in
    return _select(rule.select_policy, (limit(policy) for policy in rule.policies), current, min, max, min)


def _net_change(activities: Sequence[Activity], since: float) -> int:
    return sum(activity.change for activity in activities if activity.at > since and activity.cause != "external")


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
