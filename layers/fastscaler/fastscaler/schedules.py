"""Pre-warm rules as an operator asks for them: what is scheduled, and what holds now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastscaler.scaling.observation import Floor, Pause

if TYPE_CHECKING:
    from fastscaler.aws.stack import Schedule


@dataclass(frozen=True, slots=True)
class PrewarmRule:
    """A floor that is scheduled, or holds, or both. `active_until` is epoch seconds, None where it does not hold now.

    `schedule`, `expression` and `timezone` are empty for a floor that no schedule of the stack has set.
    """

    service: str
    owner: str
    min_capacity: int
    reason: str
    active_until: float | None
    schedule: str = ""
    expression: str = ""
    timezone: str = ""
    enabled: bool = False
    duration_minutes: int | None = None


def prewarm_rules(
    schedules: "Iterable[Schedule]", directives: Sequence[Floor | Pause], now: float
) -> list[PrewarmRule]:
    """Every schedule that sends a pre-warm directive, and every floor that holds at `now` without one."""
    floors = {(one.service, one.owner): one for one in directives if isinstance(one, Floor) and one.expires_at > now}
    rules = []
    for schedule in schedules:
        event = schedule.event
        if event.get("Directive") != "prewarm":
            continue
        service, owner = f"{event.get('Cluster')}/{event.get('Service')}", str(event.get("Owner"))
        floor = floors.pop((service, owner), None)
        rules.append(
            PrewarmRule(
                service=service,
                owner=owner,
                min_capacity=event.get("MinCapacity", 0),
                reason=str(event.get("Reason", "")),
                active_until=None if floor is None else floor.expires_at,
                schedule=schedule.name,
                expression=schedule.expression,
                timezone=schedule.timezone,
                enabled=schedule.enabled,
                duration_minutes=event.get("DurationMinutes"),
            )
        )
    rules += [PrewarmRule(f.service, f.owner, f.min_capacity, f.reason, f.expires_at) for f in floors.values()]
    return rules
