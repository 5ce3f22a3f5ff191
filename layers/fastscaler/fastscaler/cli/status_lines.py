"""The status as lines of text: a row per service, and under it why it is as it is."""

from collections.abc import Iterable, Sequence
from math import inf
from textwrap import wrap

from rich.text import Text

from fastscaler.cli.counts import ago, changed, clock_time, figure
from fastscaler.cli.stack_options import why
from fastscaler.status import ServiceStatus, Status

HEADINGS = ("LOAD", "OUT AT", "DESIRED", "RUNNING", "FLOOR", "PAUSED")
WIDTHS = (8, 6, 7, 7, 5, 6)
GAP = "  "
FIXED = sum(WIDTHS) + len(GAP) * len(WIDTHS)
LONGEST_NAME, SHORTEST_NAME = 60, 16
INDENT = "    "
UNBROKEN = 10_000  # Columns of a line that is not broken.
SUMMED_UP = 10  # From so many services on, a line sums them up.


def page(status: Status, width: int, *, wrapped: bool = True) -> list[Text]:
    """The whole status, no line wider than `width`. Without `wrapped`, what does not fit on one line is cut."""
    name_width = name_width_of(status.services, width)
    lines = [_cut(headline(status), width), *warnings(status, width), heading(name_width)]
    for service in status.services:
        lines += block(service, status.at, name_width, width, wrapped=wrapped)
    if len(status.services) >= SUMMED_UP:
        lines += [Text(), Text(summed_up(status))]
    return lines


def headline(status: Status) -> Text:
    """Which stack, and whether its loop is alive."""
    look = "not known" if status.last_look is None else ago(status.at - status.last_look)
    text = Text.assemble((status.stack, "bold"), f"  last look {look}, invocation {status.epoch}")
    return text.append(f", {clock_time(status.at, status.at)}")


def warnings(status: Status, width: int) -> list[Text]:
    """What concerns the whole stack."""
    found = []
    if status.silent:
        since = "3 minutes" if status.last_look is None else ago(status.at - status.last_look).removesuffix(" ago")
        found.append(
            f"The loop has given no sign for {since}: nothing is scaled. See sam logs, and the rule EveryMinute."
        )
    if status.log_error is not None:
        known = "missing" if status.last_look is None else "those of before"
        found.append(f"Load and reasons are {known}, since the log cannot be read now: {why(status.log_error)}.")
    if status.counts_error is not None:
        found.append(f"Counts are missing: {why(status.counts_error)}.")
    return [Text(line, style="bold red") for text in found for line in broken(text, width)]


def heading(name_width: int) -> Text:
    """The line over the rows."""
    cells = [f"{title:>{width}}" for title, width in zip(HEADINGS, WIDTHS, strict=True)]
    return Text(GAP.join([f"{'SERVICE':<{name_width}}", *cells]).rstrip(), style="dim")


def block(service: ServiceStatus, now: float, name_width: int, width: int, *, wrapped: bool = True) -> list[Text]:
    """The row of a service and the lines under it."""
    lines = [row(service, name_width)]
    for text, style in _details(service, now):
        parts = broken(text, width, INDENT) if wrapped else [INDENT + text]
        lines += [_cut(Text(part, style=style), width) for part in parts]
    return lines


def row(service: ServiceStatus, name_width: int) -> Text:
    """The figures of a service."""
    cells: Sequence[tuple[str, str]] = (
        ("-" if service.load is None else figure(service.load), "bold red" if _over(service) else ""),
        ("-" if service.threshold is None else figure(service.threshold), ""),
        (_count(service.desired), "bold"),
        (_count(service.running), "yellow" if service.in_flight else ""),
        (_count(max((floor.min_capacity for floor in service.floors), default=None)), ""),
        (_paused(service), "yellow"),
    )
    text = Text(f"{_shortened(service.service, name_width):<{name_width}}", style="bold" if service.error else "")
    for (cell, style), width in zip(cells, WIDTHS, strict=True):
        text.append(GAP).append(f"{cell:>{width}}", style)
    text.rstrip()
    return text


def as_line(service: ServiceStatus, now: float) -> str:
    """A service as one line for a log."""
    counts = "?" if service.desired is None else f"{service.desired} tasks, {service.running} running"
    load = "no load known"
    if service.load is not None:
        load = f"{service.load_metric} {figure(service.load)} per task"
        load += f" (scale-out at {figure(service.threshold)})" if service.threshold else ""
    details = [text for text, _ in _details(service, now)]
    return "; ".join([f"{service.service}: {counts}, {load}", *details])


def summed_up(status: Status) -> str:
    """How many services are in which state."""
    services = status.services
    counts = {
        "scaling": sum(bool(one.in_flight) for one in services),
        "held": sum(one.cause not in ("", "steady") and not one.in_flight for one in services),
        "paused": sum(bool(one.pauses) for one in services),
        "with trouble": sum(bool(one.error or one.notes) for one in services),
    }
    found = [f"{count} {what}" for what, count in counts.items() if count]
    steady = sum(not one.needs_attention for one in services)
    total = "1 service" if len(services) == 1 else f"{len(services)} services"
    return f"{total}: " + ", ".join([f"{steady} steady", *found])


def _details(service: ServiceStatus, now: float) -> Iterable[tuple[str, str]]:
    """The lines under a row, with their styles."""
    if service.error:
        yield service.error, "red"
    observes = service.mode == "observe"
    if observes:
        yield "observe: decides and reports, calls nothing", "dim"
    same = service.change is not None and service.reason == service.change.reason
    if service.change is not None:
        yield f"{changed(service.change, now, observes=observes)}: {service.change.reason}", "dim"
    if service.reason and not same and service.cause not in ("", "steady"):
        yield f"now: {service.reason}", ""
    for floor in service.floors:
        why = f" ({floor.reason})" if floor.reason else ""
        yield f"floor {floor.min_capacity} of {floor.owner} until {clock_time(floor.expires_at, now)}{why}", "dim"
    for pause in service.pauses:
        until = "until it is resumed" if pause.expires_at == inf else f"until {clock_time(pause.expires_at, now)}"
        why = f" ({pause.reason})" if pause.reason else ""
        yield f"{'scale-out' if pause.direction == 'ScaleOut' else 'scale-in'} is paused {until}{why}", "yellow"
    for note in service.notes:
        yield note, "yellow"


def _count(count: int | None) -> str:
    return "-" if count is None else str(count)


def _over(service: ServiceStatus) -> bool:
    return bool(service.load is not None and service.threshold and service.load > service.threshold)


def _paused(service: ServiceStatus) -> str:
    directions = {pause.direction for pause in service.pauses}
    if len(directions) == 2:
        return "both"
    return "out" if "ScaleOut" in directions else "in" if directions else "-"


def name_width_of(services: Sequence[ServiceStatus], width: int) -> int:
    """Columns for the names: what is left of `width`, if the names need as much."""
    longest = max((len(one.service) for one in services), default=0)
    return max(SHORTEST_NAME, min(longest, LONGEST_NAME, width - FIXED))


def _shortened(name: str, width: int) -> str:
    """Cut in the middle: both the cluster and the end of the service's name tell services apart."""
    if len(name) <= width:
        return name
    kept = width - 1
    return f"{name[: kept // 2]}…{name[len(name) - (kept - kept // 2) :]}"


def broken(text: str, width: int, indent: str = "") -> list[str]:
    """The text in lines of `width` columns, broken between words."""
    rest = indent + ("  " if indent else "")
    return wrap(text, max(20, width), initial_indent=indent, subsequent_indent=rest, break_on_hyphens=False)


def _cut(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    return text
