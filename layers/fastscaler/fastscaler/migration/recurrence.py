"""When scheduled actions fire, as far as their expressions say it exactly: once, or at the same times every week.

Source: Application Auto Scaling user guide, "Schedule recurring scaling actions using cron expressions": six fields,
Minutes Hours Day_of_month Month Day_of_week Year, with Sunday as day 1, in UTC or in the action's Timezone.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

DAY = 24 * 60  # Minutes.
WEEK = 7 * DAY
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

_CRON = re.compile(r"cron\((\d+) (\d+) (\S+) (\S+) (\S+) (\S+)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?)\)")


def zone(name: str) -> tzinfo | None:
    """The time zone of this name; None where this machine does not know it."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def once(expression: str, timezone: str) -> datetime | None:
    """The moment of an `at(...)`; None for any other expression."""
    found, place = _AT.fullmatch(expression), zone(timezone)
    if found is None or place is None:
        return None
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=place)
    except ValueError:
        return None


def weekly(expression: str) -> tuple[int, ...]:
    """The minutes of the week, from Sunday 00:00, at which a cron fires; none where weeks differ or it is no cron."""
    found = _CRON.fullmatch(" ".join(expression.split()))
    if found is None or found[3] not in ("*", "?") or found[4] != "*" or found[6] != "*":
        return ()
    days = _days(found[5])
    minute, hour = int(found[1]), int(found[2])
    return tuple(day * DAY + hour * 60 + minute for day in days) if minute < 60 and hour < 24 else ()


def _days(field: str) -> tuple[int, ...]:
    """The days of the week in a cron's field, Sunday 0; none where it says more than days and ranges."""
    if field in ("*", "?"):
        return tuple(range(7))
    found: set[int] = set()
    for part in field.upper().split(","):
        first, _, last = part.partition("-")
        start, end = _day(first), _day(last or first)
        if start is None or end is None:
            return ()
        found.update(day % 7 for day in range(start, (end if end >= start else end + 7) + 1))
    return tuple(sorted(found))


def _day(text: str) -> int | None:
    if text in DAYS:
        return DAYS.index(text)
    return int(text) - 1 if re.fullmatch("[1-7]", text) else None


def until_next(fires: Sequence[int], others: Sequence[int]) -> int | None:
    """Minutes from each time in `fires` to the next in `others`, all within a week; None where they are not all equal.

    `others` includes `fires`: an action also ends what it did the time before.
    """
    gaps = {min((other - start - 1) % WEEK + 1 for other in others) for start in fires}
    return gaps.pop() if len(gaps) == 1 else None


def next_weekly(after: datetime, fires: Sequence[int]) -> datetime:
    """The first time after `after` of an action that fires at these minutes of the week, in the zone of `after`."""
    sunday = (after - timedelta(days=(after.weekday() + 1) % 7)).replace(hour=0, minute=0, second=0, microsecond=0)
    times = (sunday + timedelta(minutes=fire + offset) for fire in fires for offset in (0, WEEK))
    return min(time for time in times if time > after)
