"""Scheduled actions: as pre-warm schedules for template.yaml, and in what they mean for MinCapacity and MaxCapacity."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastscaler.directives import A_MONTH
from fastscaler.migration import recurrence
from fastscaler.migration.commented_yaml import Note

FILL_IN = "FILL_IN_MINUTES"  # No JSON: a block that was not completed cannot be mistaken for one that was.


@dataclass(frozen=True, slots=True)
class ScheduledAction:
    """One scheduled action; `minimum` and `maximum` are None where it leaves that bound as it is."""

    name: str
    expression: str
    timezone: str
    minimum: int | None
    maximum: int | None
    start: datetime | None
    end: datetime | None

    @property
    def when(self) -> str:
        """The schedule as a person reads it."""
        return self.expression if self.expression.startswith("rate") else f"{self.expression} {self.timezone}"

    @property
    def is_one_off(self) -> bool:
        """Whether it fires once only."""
        return self.expression.startswith("at")

    @property
    def fires_weekly(self) -> tuple[int, ...]:
        """Its times in a week, where every week is like the next."""
        return () if self.start or self.end else recurrence.weekly(self.expression)

    def is_over(self, now: datetime) -> bool:
        """Whether it will not fire again."""
        fires = recurrence.once(self.expression, self.timezone)
        return any(moment is not None and moment <= now for moment in (fires, self.end))


def scheduled_action(answer: Mapping[str, Any]) -> ScheduledAction:
    """A ScheduledAction of Application Auto Scaling's API."""
    bounds = answer.get("ScalableTargetAction", {})
    return ScheduledAction(
        name=answer["ScheduledActionName"],
        expression=answer["Schedule"],
        timezone=answer.get("Timezone") or "UTC",
        minimum=bounds.get("MinCapacity"),
        maximum=bounds.get("MaxCapacity"),
        start=answer.get("StartTime"),
        end=answer.get("EndTime"),
    )


def minutes_until_ended(action: ScheduledAction, actions: Sequence[ScheduledAction]) -> int | None:
    """For how long the minimum of `action` holds: until the next action that sets one. None where that is not exact."""
    setters = [one for one in actions if one.minimum is not None]
    recurring = [one for one in setters if not one.is_one_off]
    if any(not one.fires_weekly for one in recurring):
        return None
    if action in recurring:
        if {one.timezone for one in recurring} != {action.timezone}:
            return None
        return recurrence.until_next(action.fires_weekly, [fire for one in recurring for fire in one.fires_weekly])
    begins = recurrence.once(action.expression, action.timezone)
    if begins is None:
        return None
    ends = [recurrence.once(one.expression, one.timezone) for one in setters if one not in recurring]
    for one in recurring:
        place = recurrence.zone(one.timezone)
        ends.append(None if place is None else recurrence.next_weekly(begins.astimezone(place), one.fires_weekly))
    if None in ends:
        return None
    later = [end.astimezone(UTC) for end in ends if end is not None and end > begins]
    return round((min(later) - begins.astimezone(UTC)).total_seconds() / 60) if later else None


def prewarm_schedules(
    actions: Sequence[ScheduledAction], cluster: str, service: str, min_capacity: int
) -> Iterator[tuple[list[Note], list[str]]]:
    """For every action that sets a minimum: what to know of it, and its block for template.yaml where it needs one."""
    names: set[str] = set()
    for action in actions:
        if action.minimum is None:
            continue
        if action.minimum <= min_capacity:
            what = f"{action.name}, {action.when}: minimum {action.minimum}."
            why = "MinCapacity is that: it needs no schedule."
            if action.minimum < min_capacity:
                why = f"Left out: a pre-warm schedule only raises the minimum, and MinCapacity is {min_capacity}."
            yield [Note(f"{what} {why}", differs=action.minimum < min_capacity)], []
            continue
        minutes = minutes_until_ended(action, actions)
        if minutes is not None and minutes > A_MONTH:
            minutes = None
        yield _notes(action, minutes), _block(action, minutes, cluster, service, names)


def _notes(action: ScheduledAction, minutes: int | None) -> list[Note]:
    what = f"{action.name}, {action.when}: minimum {action.minimum}"
    if minutes is None:
        words = (
            f"{what}. A scheduled action has no end of its own, and when the next one changes the minimum cannot be "
            f"told here: write for how many minutes the floor holds ({A_MONTH} at most) in place of {FILL_IN}."
        )
        return [Note(words)]
    found = [Note(f"{what}, for {minutes} minutes: until the next action sets another one.", differs=False)]
    if action.timezone != "UTC" and _spans_a_night(action, minutes):
        found.append(Note("When the clocks change during these minutes, the floor ends an hour early or late."))
    return found


def _spans_a_night(action: ScheduledAction, minutes: int) -> bool:
    """Whether the floor holds past midnight; a one-off is computed for its day, clocks and all."""
    return any(fire % recurrence.DAY + minutes > recurrence.DAY for fire in action.fires_weekly)


def _block(action: ScheduledAction, minutes: int | None, cluster: str, service: str, names: set[str]) -> list[str]:
    """The lines of an entry of Events under ScalerFunction, in the form and indentation of template.yaml's own."""
    name = _unique(_logical_id(service, action.name), names)
    owner = _unique(re.sub(r"[^A-Za-z0-9_.-]+", "-", action.name)[:60].strip("-") or "scheduled-action", names)
    reason = _escaped(f"scheduled action {action.name}"[:256])
    dates = [
        f"{key}: {moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        for key, moment in (("StartDate", action.start), ("EndDate", action.end))
        if moment is not None
    ]
    zone = [] if action.expression.startswith("rate") else [f"ScheduleExpressionTimezone: {action.timezone}"]
    properties = [
        "OmitName: true",
        "Description: Pre-warm, as a scheduled action of Application Auto Scaling had it.",
        f"ScheduleExpression: {action.expression}",
        *zone,
        *(f'{key}: "{value}"' for key, _, value in (date.partition(": ") for date in dates)),
        "State: !Ref PrewarmState",
        'FlexibleTimeWindow: {Mode: "OFF"}',
        "RetryPolicy: {MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 3600}",
        "DeadLetterConfig: {Arn: !GetAtt UndeliveredSchedulesQueue.Arn}",
        "RoleArn: !GetAtt ScheduleRole.Arn",
        "Input: !Sub |",
        f'  {{"Directive": "prewarm", "Cluster": "{cluster}", "Service": "{service}",',
        f'   "Owner": "{owner}", "MinCapacity": {action.minimum}, "DurationMinutes": {minutes or FILL_IN},',
        f'   "Reason": {reason}, "ScheduledTime": "<aws.scheduler.scheduled-time>"}}',
    ]
    indent = " " * 8
    return [
        f"{indent}{name}:",
        f"{indent}  Type: ScheduleV2",
        f"{indent}  Properties:",
        *(f"{indent}    {one}" for one in properties),
    ]


def _logical_id(service: str, action: str) -> str:
    """A name for the event that says which service and which action: CloudFormation takes letters and digits."""
    words = re.findall("[A-Za-z0-9]+", f"{service} {action}")
    return "".join(word[0].upper() + word[1:] for word in words)[:100] + "Prewarm"


def _unique(name: str, taken: set[str]) -> str:
    found = next(one for one in (name, *(f"{name}{number}" for number in range(2, 1000))) if one not in taken)
    taken.add(found)
    return found


def _escaped(text: str) -> str:
    """The text as JSON inside Fn::Sub, which would take `${` for a variable."""
    return json.dumps(text).replace("${", "${!")
