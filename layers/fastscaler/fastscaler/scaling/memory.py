"""What the loop must remember of a service between ticks and across hand-overs.

Cooldowns, rate limits and in-flight credit are not kept as timers of their own: all three follow from the list of
recent scaling activities. An activity that is on its way is an intent; it becomes an activity when its effect is known.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Cause = Literal["policy", "bound", "external"]
Extremes = tuple[tuple[int, int], ...]  # Per slot: its start (epoch seconds), and the extreme recommendation in it.

FORMAT = 1  # Of the stored form. A form that is not known is lost memory, and lost memory holds.
INTENT_LIFETIME = 10.0  # Seconds after which a call that shows no effect is taken not to have happened.
MAX_LEDGERS = 5  # Scale-outs of one service that are followed at once.
# Activities of one service that are kept: a change at each look for longer than tasks take to start. With twenty
# policies of long names these are 200 KB, half of what DynamoDB takes for an item.
MAX_ACTIVITIES = 40
MAX_RUNNING = 40  # Changes of the running count that are kept.
SUPERSEDED_LIFETIME = 30.0  # Seconds in which a predecessor's late call is still recognised.


@dataclass(frozen=True, slots=True)
class Activity:
    """One change of the desired count: `at` (epoch seconds), from `previous` to `desired` tasks.

    `steps` holds, per policy, the whole step in effect, so that within its cooldown a larger one adds the difference.
    `size` is the same for the service as a whole.
    """

    at: float
    previous: int
    desired: int
    cause: Cause
    size: int = 0
    steps: Mapping[str, int] = field(default_factory=dict)

    @property
    def change(self) -> int:
        """Tasks added; negative: removed."""
        return self.desired - self.previous


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of the desired count as a person asks for it: `at` (epoch seconds), and why. No rule reads it.

    `cause` is the stage that had the last word, `reason` its sentence. `refused`: the call had no effect.
    """

    at: float
    previous: int
    desired: int
    cause: str
    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Ledger:
    """When each stage of one scale-out was reached, in epoch seconds; None: not yet."""

    previous: int
    desired: int
    bucket_end: float | None
    read: float
    decided: float
    updated: float | None = None
    running: float | None = None
    healthy: float | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """Tasks that were asked for and do not run yet, watched by `guards`. Times are epoch seconds.

    `since`: when they were first seen missing, or when a task last came to run. `running`: tasks that ran when last
    seen. `deployment`: the one that they belong to. `asked`: when ECS was last asked for failed launches; `failed` are
    those since `since`, the newest of them at `failed_at` with `reason`.
    """

    since: float
    running: int
    deployment: str = ""
    asked: float = 0.0
    failed: int = 0
    failed_at: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """The controller's memory of one service. A new one knows nothing, and so holds.

    `desired` is the count this controller believes in. `intent` is an activity whose UpdateService call is not known to
    have taken effect; `superseded` is one that was overtaken by a newer decision while unacknowledged, kept so that its
    late effect is recognised. `maxima` and `minima` are the highest and lowest recommendations per slot of the two
    stabilization windows, `ledgers` the scale-outs whose tasks are not all healthy yet. `launch` watches tasks that
    were asked for. `conflict` is what another scaler may do to the service: empty for nothing, None where nobody has
    asked. `running` holds how many tasks ran from when on (epoch seconds), where a metric needs to know it later.
    `silent`: since when (epoch seconds) a metric by which the load is known has told nothing. `lifted`: a floor or a
    higher MaxCapacity has held more tasks than the policies want, and they have not all been given back. `change` is
    the last change of the desired count, for `fastscaler status`.
    """

    desired: int | None = None
    intent: Activity | None = None
    superseded: Activity | None = None
    activities: tuple[Activity, ...] = ()
    maxima: Extremes = ()
    minima: Extremes = ()
    ledgers: tuple[Ledger, ...] = ()
    launch: Launch | None = None
    conflict: str | None = None
    running: tuple[tuple[int, int], ...] = ()
    silent: Mapping[str, int] = field(default_factory=dict)
    lifted: bool = False
    change: Change | None = None

    def raised_since(self, since: float) -> int:
        """Tasks asked for after `since`, whoever asked."""
        return sum(activity.change for activity in self.activities if activity.at > since and activity.change > 0)

    def acknowledge(self) -> "Memory":
        """The intent has taken effect: it is an activity now, and its cooldown counts from when it was decided."""
        if self.intent is None:
            return self
        return replace(self, desired=self.intent.desired, intent=None)._and(self.intent)

    def _and(self, activity: Activity) -> "Memory":
        """With one more activity. The two oldest become one where there are too many."""
        activities = (*self.activities, activity)
        if len(activities) > MAX_ACTIVITIES:
            activities = (_merged(*activities[:2]), *activities[2:])
        return replace(self, activities=activities)

    def withdraw(self) -> "Memory":
        """The intent had no effect: as if it had never been decided."""
        change, ledgers = self.change, tuple(one for one in self.ledgers if one.updated is not None)
        if change is not None and self.intent is not None and change.at == self.intent.at:
            change = replace(change, refused=True)
        return replace(self, intent=None, ledgers=ledgers, change=change)

    def intend(self, activity: Activity, ledger: Ledger | None, change: Change | None = None) -> "Memory":
        """A new decision; an older one that is still unacknowledged may yet take effect, so it is remembered."""
        opened = (ledger,) if ledger is not None else ()
        return replace(
            self,
            intent=activity,
            superseded=self.intent or self.superseded,
            ledgers=(*self.ledgers, *opened)[-MAX_LEDGERS:],
            change=change or self.change,
        )

    def prune(self, now: float, horizon: float) -> "Memory":
        """Without what no rule looks at any more: activities older than `horizon` seconds."""
        superseded = self.superseded
        if superseded is not None and now - superseded.at > SUPERSEDED_LIFETIME:
            superseded = None
        if superseded is self.superseded and (not self.activities or self.activities[0].at > now - horizon):
            return self
        kept = tuple(activity for activity in self.activities if activity.at > now - horizon)
        return replace(self, superseded=superseded, activities=kept)

    def worth_saving(self, saved: "Memory") -> bool:
        """Whether a successor would decide differently without this memory than with `saved`.

        A stabilization window is saved as its slots close, when one has a new extreme, and when it starts over. Its
        first slot alone is not worth a write, since a successor without it waits a slot longer, no more. The second is:
        an invocation that hands over after a minute may never have a third.
        """
        if replace(self, maxima=(), minima=()) != replace(saved, maxima=(), minima=()):
            return True
        windows = ((self.maxima, saved.maxima), (self.minima, saved.minima))
        return any(mine != theirs and (len(mine) > 1 or bool(theirs)) for mine, theirs in windows)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Memory brought in line with what ECS reports. `current` is the count to decide from."""

    memory: Memory
    current: int
    note: str = ""
    restore: int | None = None


def reconcile(memory: Memory, desired: int, running: int, now: float) -> Reconciled:
    """Explains the desired count that ECS reports at `now` by what this controller did, or adopts it.

    - No memory: adopted; tasks that do not run yet are credited, since whoever asked for them did so for a reason.
    - The intent's count: the call took effect, though its answer was lost.
    - The count before an activity of the last few seconds: an answer older than that call; ignored.
    - The count of an overtaken intent: a late call. If it took tasks away they are asked for again.
    - Anything else was set by someone else: adopted, reported, never fought.
    """
    intent, believed = memory.intent, memory.desired
    if believed is None:
        adopted = replace(memory, desired=desired)
        return Reconciled(_credit(adopted, min(running, desired), desired, now), desired, "memory is new")
    if intent is not None and desired == intent.desired:
        return Reconciled(memory.acknowledge(), desired, "the call on its way has taken effect")
    if intent is not None and now - intent.at >= INTENT_LIFETIME:
        memory = memory.withdraw()
    if desired == believed:
        return Reconciled(memory, desired)
    if _was_lately(desired, memory.activities, believed, now):
        return Reconciled(memory, believed, "ECS still shows the count before the last call")
    late = memory.superseded
    # One of long ago is still here after a time in which nobody looked.
    if late is not None and desired == late.desired and now - late.at <= SUPERSEDED_LIFETIME:
        note = f"a call decided earlier arrived late and set {desired}"
        memory = _credit(replace(memory, desired=desired, superseded=None), believed, desired, now)
        return Reconciled(memory, desired, note, believed if believed > desired else None)
    note = f"desired count was set to {desired} by someone else"
    memory = replace(memory, desired=desired, change=Change(now, believed, desired, "external", note))
    return Reconciled(_credit(memory, believed, desired, now), desired, note)


def _was_lately(desired: int, activities: Sequence[Activity], believed: int, now: float) -> bool:
    """Whether `desired` was the count before one of the last changes, all of them of the last few seconds.

    Someone else who made one of them may have taken it back since. Then only a lower count is taken to be old: who
    believed the lower of the two would call a cut a raise.
    """
    after, by_others = believed, False
    for activity in reversed(activities):
        # A time that lies far ahead is of a machine whose clock was wrong.
        if abs(now - activity.at) >= INTENT_LIFETIME or activity.desired != after:
            return False
        after, by_others = activity.previous, by_others or activity.cause == "external"
        if after == desired:
            return not by_others or desired < believed
    return False


def _credit(memory: Memory, previous: int, desired: int, now: float) -> Memory:
    """Records a change that is no activity of this memory, so that tasks that it asked for count as in flight."""
    if previous == desired:
        return memory
    return memory._and(Activity(now, previous, desired, "external"))


def _merged(first: Activity, second: Activity) -> Activity:
    """Both as one change, at the time of the later: what counts for a while counts a little longer."""
    steps = {name: max(one.steps.get(name, 0) for one in (first, second)) for name in {**first.steps, **second.steps}}
    return replace(second, previous=first.previous, steps=steps)


def to_json(memory: Memory) -> str:
    """The stored form, compact: DynamoDB bills by the kilobyte."""
    fields = {key: value for key, value in asdict(memory).items() if value not in (None, (), {}) and value is not False}
    return json.dumps({"format": FORMAT, **fields}, separators=(",", ":"))


def from_json(text: str) -> Memory | None:
    """The memory stored as `text`; None where it cannot be read, which a caller treats as lost."""
    try:
        stored: dict[str, Any] = json.loads(text)
        if stored.pop("format") != FORMAT:
            return None
        return Memory(
            desired=stored.get("desired"),
            intent=_activity(stored.get("intent")),
            superseded=_activity(stored.get("superseded")),
            activities=tuple(Activity(**activity) for activity in stored.get("activities", ())),
            maxima=_extremes(stored.get("maxima", ())),
            minima=_extremes(stored.get("minima", ())),
            ledgers=tuple(Ledger(**ledger) for ledger in stored.get("ledgers", ())),
            launch=Launch(**launch) if (launch := stored.get("launch")) else None,
            conflict=stored.get("conflict"),
            running=_extremes(stored.get("running", ())),
            silent={str(key): int(since) for key, since in stored.get("silent", {}).items()},
            lifted=bool(stored.get("lifted", False)),
            change=Change(**change) if (change := stored.get("change")) else None,
        )
    except (ArithmeticError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _extremes(stored: Sequence[Sequence[int]]) -> Extremes:
    return tuple((int(start), int(extreme)) for start, extreme in stored)


def _activity(stored: dict[str, Any] | None) -> Activity | None:
    return Activity(**stored) if stored else None
