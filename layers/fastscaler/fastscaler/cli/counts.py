"""How counts, moments and loads are written on a terminal."""

from datetime import UTC, datetime

from fastscaler.scaling.memory import Change

MINUTE, HOUR, DAY = 60, 3600, 86_400


def ago(seconds: float) -> str:
    """An age in its largest unit, such as `3 min ago`."""
    for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def clock_time(at: float, now: float) -> str:
    """A moment in local time; with its date where that is not today's."""
    moment, today = (datetime.fromtimestamp(one, UTC).astimezone() for one in (at, now))
    return moment.strftime("%H:%M" if moment.date() == today.date() else "%Y-%m-%d %H:%M")


def to_the_second(at: float) -> str:
    """A moment of today, in local time."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S")


def figure(value: float) -> str:
    """A load in four characters or so."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def changed(change: Change, now: float, *, observes: bool = False) -> str:
    """A change of the desired count in words."""
    words = f"{change.previous} -> {change.desired} tasks, {ago(now - change.at)}"
    if observes:
        return f"would set {words}"
    return f"refused: {words}" if change.refused else words
