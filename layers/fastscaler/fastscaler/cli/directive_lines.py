"""What came of a directive, in words: what stands now, and what of it was not done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any

from fastscaler.cli.counts import clock_time

WAYS = {"ScaleOut": "scale-out", "ScaleIn": "scale-in"}
Entry = Mapping[str, Any]  # A floor or a pause, as the scaler's answer has it.


@dataclass(frozen=True, slots=True)
class Told:
    """Lines about one service: `done` of what stands as it was asked for, `undone` of what does not, and `warnings`."""

    done: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def told(event: Mapping[str, Any], answer: Mapping[str, Any], stack: str, now: float) -> Told:
    """What the scaler's `answer` to `event` means to whoever has sent it, at `now` (epoch seconds)."""
    found = Told()
    ends = event["Directive"] == "resume" or event.get("DurationMinutes") == 0
    # What is said of each direction, so that two of which the same is said share a line.
    said: dict[str, list[str]] = {}
    for stored in answer["stored"]:
        place = _place(stored)
        standing = next((one for one in answer["holds"] if _place(one) == place), None)
        newer = "" if stored["changed"] else ", by a newer directive"
        if not _took_effect(stored, standing, ends=ends):
            stands = _nothing(stored) if standing is None else _words(standing, now)
            found.undone.append(
                f"{stored['service']}: not done, since a newer directive is there: {stands}; "
                "if yours is still meant, send it again in a minute"
            )
        elif ends and "owner" in stored:
            _tell_release(stored, answer["holds"], found, now)
        elif ends:
            what = "not paused" if stored["before"] is None else f"resumed{_why(stored)}"
            said.setdefault(what, []).append(WAYS[stored["direction"]])
        elif standing is not None and "owner" in standing:
            found.done.append(f"{stored['service']}: {_words(standing, now)}{newer}")
        elif standing is not None:
            said.setdefault(_paused(standing, now) + newer, []).append(WAYS[standing["direction"]])
    service = answer["stored"][0]["service"]
    for what, ways in said.items():
        verb = "" if what.startswith("resumed") else "is " if len(ways) == 1 else "are "
        found.done.append(f"{service}: {' and '.join(ways)} {verb}{what}")
    if event["Directive"] == "prewarm" and not ends and found.done:
        found.warnings.extend(_in_the_way(answer, stack, now))
    return found


def _took_effect(stored: Entry, standing: Entry | None, *, ends: bool) -> bool:
    """Whether what was asked for holds now, by this directive or by one that asks for as much."""
    if ends or standing is None:
        return ends and standing is None
    as_many = standing.get("min_capacity", 0) >= stored.get("min_capacity", 0)
    return as_many and _until(standing) >= _until(stored)


def _tell_release(stored: Entry, holds: Sequence[Entry], found: Told, now: float) -> None:
    service, owner = stored["service"], stored["owner"]
    others = "; ".join(_words(one, now) for one in holds if "owner" in one)
    if stored["before"] is not None:
        still = f"; still {others}" if others else ""
        found.done.append(f"{service}: floor of {owner} released{_why(stored)}{still}")
    else:
        there = f"what holds: {others}; give its --owner" if others else "no floor holds there"
        found.undone.append(f"{service}: {owner} has no floor, so nothing was released; {there}")


def _in_the_way(answer: Mapping[str, Any], stack: str, now: float) -> list[str]:
    """Why a floor that was stored adds no task now."""
    service = answer["stored"][0]["service"]
    found = []
    if answer["observes"]:
        found.append(f"{service}: but it is in Mode observe, so nothing is called and no task is added")
    for one in answer["holds"]:
        if one.get("direction") == "ScaleOut":
            found.append(f"{service}: but {_words(one, now)}, so no task is added; to go on:")
            found.append(f"    fastscaler resume --stack {stack} --service {service} --direction ScaleOut")
    return found


def _words(entry: Entry, now: float) -> str:
    """A floor or a pause that holds."""
    if "owner" in entry:
        tasks = "1 task" if entry["min_capacity"] == 1 else f"{entry['min_capacity']} tasks"
        return f"at least {tasks} {_when(entry, now)}, for {entry['owner']}{_why(entry)}"
    return f"{WAYS[entry['direction']]} is {_paused(entry, now)}"


def _paused(entry: Entry, now: float) -> str:
    return f"paused {_when(entry, now)}{_why(entry)}"


def _when(entry: Entry, now: float) -> str:
    until = _until(entry)
    return "until resumed" if until == inf else f"until {clock_time(until, now)}"


def _nothing(entry: Entry) -> str:
    return f"{entry['owner']} has no floor" if "owner" in entry else f"{WAYS[entry['direction']]} is not paused"


def _why(entry: Entry) -> str:
    return f" ({entry['reason']})" if entry.get("reason") else ""


def _until(entry: Entry) -> float:
    until = entry["expires_at"]
    return inf if until is None else datetime.fromisoformat(until).timestamp()


def _place(entry: Entry) -> tuple[bool, str]:
    """An owner has one floor of a service, a direction one pause."""
    return "owner" in entry, str(entry.get("owner") or entry["direction"])
