"""The options of `fastscaler explain`: a service and a situation from what was typed, or one line that says why not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from math import isfinite
from typing import NoReturn, get_args

from fastscaler.scaling.observation import NoData
from fastscaler.scaling.policy import Direction, Document, Service
from fastscaler.situation import MISSING, Change, Situation, policy_metrics

MOST_TASKS = 5000  # Tasks per service: the ECS quota.
MOST_LOAD = 1e15  # More than any load, and times the tasks of a service still a number.
MOST_NAMES = 10  # Names that a message lists; a document may have a thousand services.


class OptionRefused(Exception):
    """An option that cannot be used; the message names it, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The options as they were typed; None and empty: not given."""

    metrics: Sequence[str] = ()
    desired: str | None = None
    running: str | None = None
    pending: str | None = None
    deployment_in_progress: bool = False
    load_balancer: str | None = None
    floor: str | None = None
    pauses: Sequence[str] = ()
    last_scale_out: str | None = None
    last_scale_in: str | None = None


def chosen_service(document: Document, name: str | None) -> Service:
    """The service called `name`, which is `cluster/service` or the service's name alone. Raises OptionRefused."""
    services = document.services
    found = [service for service in services if name is None or name in (service.key, service.service)]
    if len(found) == 1:
        return found[0]
    if name is None:
        raise OptionRefused(f"--service is needed, since there are several: {_listed(s.key for s in services)}")
    if found:
        _refuse("--service", name, f"several are called so; give one of {_listed(s.key for s in found)}")
    return _refuse("--service", name, f"no such service; the document has {_listed(s.key for s in services)}")


def situation_of(service: Service, typed: Typed) -> Situation:
    """The situation that was typed. Raises OptionRefused."""
    desired = _count("--desired", typed.desired)
    floor = _count("--floor", typed.floor, 1, service.max_capacity, "MaxCapacity")
    last_out = _change("--last-scale-out", typed.last_scale_out, 1)
    last_in = _change("--last-scale-in", typed.last_scale_in, -1)
    if last_out is not None:
        since = last_in.tasks if last_in is not None and last_in.seconds_ago <= last_out.seconds_ago else 0
        most = (service.min_capacity if desired is None else desired) + since
        if last_out.tasks > most:
            _refuse(
                "--last-scale-out", typed.last_scale_out, f"CHANGE must be at most {most}, the desired count after it"
            )
    return Situation(
        metrics=_metrics(service, typed.metrics),
        desired=desired,
        running=_count("--running", typed.running),
        pending=_count("--pending", typed.pending),
        deployment_in_progress=typed.deployment_in_progress,
        load_balancer=_rate(service, typed.load_balancer),
        floor=floor,
        paused=frozenset(_direction(pause) for pause in typed.pauses),
        last_scale_out=last_out,
        last_scale_in=last_in,
    )


def time_of(at: str | None, now: float) -> float:
    """The time that was typed, in epoch seconds: ISO 8601, or HH:MM of the day of `now`. Raises OptionRefused.

    Without a zone it is local time.
    """
    if at is None:
        return now
    try:
        if len(at) <= len("HH:MM:SS"):
            return datetime.combine(datetime.fromtimestamp(now).astimezone(), time.fromisoformat(at)).timestamp()
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError, OSError):
        return _refuse("--at", at, "must be HH:MM, or a date and time such as 2026-11-21T09:30 or 2026-11-21T09:30Z")


def _metrics(service: Service, typed: Sequence[str]) -> dict[str, float | NoData]:
    found: dict[str, float | NoData] = {}
    for option in typed:
        key, separator, value = option.rpartition("=")
        if not separator:
            _refuse("--metric", option, "must be KEY=VALUE, or KEY=missing")
        if key not in policy_metrics(service):
            why = "no policy uses it" if key in service.metrics else "no such metric"
            _refuse("--metric", option, f"{why}; the policies of {service.key} use {_listed(policy_metrics(service))}")
        if key in found:
            _refuse("--metric", option, f"{key} is given twice")
        if value == "missing":
            found[key] = MISSING
            continue
        # A load is never below zero; a metric of one's own may be.
        lowest = 0.0 if service.metrics[key].is_shared_load else -MOST_LOAD
        found[key] = _number("--metric", option, value, lowest, ", or missing")
    return found


def _rate(service: Service, typed: str | None) -> float | None:
    if typed is None:
        return None
    if service.load_balancer is None:
        _refuse("--load-balancer", typed, f"{service.key} has no LoadBalancer")
    return _number("--load-balancer", typed, typed, 0.0)


def _number(option: str, typed: str, value: str, lowest: float, otherwise: str = "") -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not lowest <= number <= MOST_LOAD:
        allowed = f"must be a number from {lowest:g} to {MOST_LOAD:g}{otherwise}"
        _refuse(option, typed, allowed)
    return number


def _count(
    option: str, typed: str | None, lowest: int = 0, highest: int = MOST_TASKS, what: str = "the ECS quota"
) -> int | None:
    if typed is None:
        return None
    try:
        count = int(typed)
    except ValueError:
        count = -1
    if not lowest <= count <= highest:
        _refuse(option, typed, f"must be a whole number of tasks from {lowest} to {highest} ({what})")
    return count


def _change(option: str, typed: str | None, sign: int) -> Change | None:
    if typed is None:
        return None
    seconds, _, tasks = typed.partition(":")
    try:
        change = Change(float(seconds), int(tasks) * sign)
    except ValueError:
        change = Change(float("nan"), 0)
    if not (isfinite(change.seconds_ago) and change.seconds_ago >= 0 and 0 < change.tasks <= MOST_TASKS):
        example = "60:+4" if sign > 0 else "60:-2"
        _refuse(option, typed, f"must be SECONDS_AGO:CHANGE such as {example}, CHANGE in tasks")
    return change


def _direction(typed: str) -> Direction:
    for direction in get_args(Direction):
        if typed == direction:
            return direction  # type: ignore[no-any-return]
    return _refuse("--pause", typed, f"must be {' or '.join(get_args(Direction))}")


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return ", ".join(listed[:MOST_NAMES]) + more


def _refuse(option: str, typed: object, why: str) -> NoReturn:
    raise OptionRefused(f"{option} {typed}: {why}")
