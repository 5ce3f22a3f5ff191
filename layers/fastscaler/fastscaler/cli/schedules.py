"""`fastscaler schedules`: the pre-warm rules of a deployed stack."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fastscaler.clock import SystemClock
from fastscaler.errors import AwsError
from fastscaler.schedules import PrewarmRule, prewarm_rules


def schedules(
    stack: Annotated[str, typer.Option(help="Name of the deployed stack.")],
    region: Annotated[str | None, typer.Option(help="AWS Region; default: as configured.")] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile; default: as configured.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the pre-warm rules of a stack, and which floors hold now.

    Exits with 1 if the stack cannot be read.
    """
    from fastscaler.aws.stack import Stack

    try:
        deployed, table = Stack.connect(stack, region, profile)
        rules = prewarm_rules(deployed.schedules(), table.poll().directives, SystemClock().now())
    except AwsError as error:
        typer.echo(f"fastscaler: stack {stack}: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps([asdict(rule) for rule in rules], indent=2))
    elif not rules:
        typer.echo(f"stack {stack} has no pre-warm schedule, and no floor holds")
    else:
        _print_rules(rules)


def _print_rules(rules: list[PrewarmRule]) -> None:
    table = Table("service", "floor", "owner", "when", "state", "holds now", box=None, pad_edge=False)
    for rule in rules:
        when = f"{rule.expression} {rule.timezone}" if rule.schedule else "(no schedule)"
        state = ("enabled" if rule.enabled else "disabled") if rule.schedule else ""
        holds = "" if rule.active_until is None else f"until {_local_time(rule.active_until)}"
        table.add_row(rule.service, str(rule.min_capacity), rule.owner, when, state, holds)
    # Piped, a table is as wide as it needs to be: a log has no margin.
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=200)).print(table)


def _local_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z")
