"""`fastscaler status`: every service of a stack, what holds it, and the last decision and why."""

import json
from dataclasses import asdict
from math import isinf
from typing import Any

import typer
from rich.console import Console

from fastscaler.cli.stack_options import AsJson, Profile, Region, StackName, deployed_stack
from fastscaler.cli.status_lines import UNBROKEN, as_line, headline, page, summed_up, warnings
from fastscaler.clock import SystemClock
from fastscaler.status import ServiceStatus, Status
from fastscaler.status_reader import StatusReader


def status(stack: StackName, region: Region = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Show every service: load, counts, floors, pauses, the last decision and why.

    LOAD is of one task, and of the last minute; above OUT AT, tasks are added.
    In a pipe there is one line per service.
    Exits with 1 if the stack cannot be read.
    """
    with deployed_stack(stack, region, profile) as deployed:
        found = StatusReader(deployed, SystemClock()).read()
    if as_json:
        typer.echo(json.dumps(as_data(found), indent=2))
    else:
        print_status(found, Console(highlight=False))


def print_status(found: Status, console: Console) -> None:
    """The status as a screen; in a pipe, one line per service, as long as it needs to be."""
    if console.is_terminal:
        for line in page(found, console.width):
            console.print(line, soft_wrap=True)
        return
    lines = [headline(found), *warnings(found, UNBROKEN)]
    typer.echo("\n".join([line.plain for line in lines]))
    for service in found.services:
        typer.echo(as_line(service, found.at))
    typer.echo(summed_up(found))


def as_data(found: Status) -> dict[str, Any]:
    """The status as it is printed with --json. Times are epoch seconds; a pause without end has null."""
    return {
        "stack": found.stack,
        "at": round(found.at, 3),
        "invocation": found.epoch,
        "last_look": found.last_look,
        "silent": found.silent,
        "log_error": None if found.log_error is None else str(found.log_error),
        "counts_error": None if found.counts_error is None else str(found.counts_error),
        "services": [service_data(service) for service in found.services],
    }


def service_data(service: ServiceStatus) -> dict[str, Any]:
    """One service as data."""
    data = asdict(service)
    for pause in data["pauses"]:
        pause["expires_at"] = None if isinf(pause["expires_at"]) else pause["expires_at"]
    return {**data, "in_flight": service.in_flight, "needs_attention": service.needs_attention}
