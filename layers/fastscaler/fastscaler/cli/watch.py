"""`fastscaler watch`: the status, live; in a pipe a line for each change."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from fastscaler.cli.counts import to_the_second
from fastscaler.cli.stack_options import AsJson, Profile, Region, StackName, deployed_stack, why
from fastscaler.cli.status import service_data
from fastscaler.cli.status_lines import (
    UNBROKEN,
    as_line,
    block,
    broken,
    heading,
    headline,
    name_width_of,
    summed_up,
    warnings,
)
from fastscaler.clock import SystemClock
from fastscaler.errors import Throttled, Unavailable
from fastscaler.ports import Clock
from fastscaler.status import ServiceStatus, Status
from fastscaler.status_reader import StatusReader

REDRAWN = 1.0  # Seconds between two screens: ages go on while nothing is read.


def watch(
    stack: StackName,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
    every: Annotated[
        float, typer.Option(min=2, max=300, metavar="SECONDS", help="Seconds between two readings.")
    ] = 5.0,
) -> None:
    """Show the status, live, until Ctrl-C; what needs attention first.

    In a pipe, or with --json: one line per service, then one for each change.
    Beyond 100 services it is read less often, to spare ECS's read quota.
    Exits with 1 if the stack cannot be read.
    """
    clock, console = SystemClock(), Console(highlight=False)
    with deployed_stack(stack, region, profile) as deployed, suppress(KeyboardInterrupt):
        reader = StatusReader(deployed, clock)
        readings = readings_of(reader, clock, every)
        if console.is_terminal and not as_json:
            _show(readings, console, clock)
        else:
            for line in changes(readings, as_json=as_json):
                typer.echo(line)


def readings_of(reader: StatusReader, clock: Clock, every: float) -> Iterator[tuple[Status, str]]:
    """A status whenever it is due and the last one in between, once a second, each with what went wrong since.

    Raises AwsError where the first reading fails, and later where trying again cannot help.
    """
    status, wrong = reader.read(), ""
    due = clock.now() + reader.seconds_between(every)
    while True:
        yield status, wrong
        clock.sleep(min(REDRAWN, due - clock.now()))
        if clock.now() < due:
            continue
        try:
            status, wrong = reader.read(), ""
        except (Throttled, Unavailable) as error:
            wrong = f"Shown as before: {why(error)}"
        due = clock.now() + reader.seconds_between(every)


def changes(readings: Iterator[tuple[Status, str]], *, as_json: bool) -> Iterator[str]:
    """A line for every service at first, and then for every change: of counts, reasons, floors, pauses, or troubles.

    What concerns the whole stack is a line when it begins, and one when it is over.
    """
    last: dict[str, ServiceStatus] = {}
    known = (False, False, False, False)
    for status, wrong in readings:
        kinds = (bool(wrong), status.silent, bool(status.log_error), bool(status.counts_error))
        if kinds != known:
            known = kinds
            said = [wrong] if wrong else []
            said += [line.plain for line in warnings(status, UNBROKEN)]
            trouble = " ".join(said) or "The loop looks, and all of it can be read."
            at = round(status.at, 3)
            yield json.dumps({"at": at, "stack": trouble}) if as_json else f"{to_the_second(status.at)} {trouble}"
        for service in status.services:
            # Loads and ages change all the time; they are told with what matters.
            seen = replace(service, load=None, data_age=None)
            if last.get(service.service) != seen:
                last[service.service] = seen
                if as_json:
                    yield json.dumps({"at": round(status.at, 3), **service_data(service)})
                else:
                    yield f"{to_the_second(status.at)} {as_line(service, status.at)}"


def screen(status: Status, wrong: str, width: int, height: int) -> list[Text]:
    """What fits on `height` lines of `width` columns: what needs attention first."""
    name_width = name_width_of(status.services, width)
    top = [headline(status), *warnings(status, width)]
    if wrong:
        top += [Text(line, style="red") for line in broken(wrong, width)]
    top = [*top, heading(name_width)][: height - 1]
    lines: list[Text] = []
    ordered = sorted(status.services, key=lambda service: not service.needs_attention)
    room = height - len(top) - 1
    for number, service in enumerate(ordered):
        found = block(service, status.at, name_width, width, wrapped=False)
        # Calm services lose their details first, then their rows.
        if len(lines) + len(found) > room and len(lines) < room:
            found = found[: room - len(lines)]
        if len(lines) + len(found) > room:
            hidden = len(ordered) - number
            return [*top, *lines, Text(f"{hidden} more. {summed_up(status)}", style="dim")]
        lines += found
    return [*top, *lines, Text("Ctrl-C ends", style="dim")]


def _show(readings: Iterator[tuple[Status, str]], console: Console, clock: Clock) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for status, wrong in readings:
            lines = screen(replace(status, at=clock.now()), wrong, console.width, console.height)
            for line in lines:
                line.truncate(console.width, overflow="ellipsis")
            live.update(Group(*lines), refresh=True)
