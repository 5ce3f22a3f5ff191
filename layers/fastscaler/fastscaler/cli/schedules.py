"""`fastscaler schedules`: the pre-warm rules of a deployed stack."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

import typer
from rich.table import Table

from fastscaler.cli.console import show
from fastscaler.cli.stack_options import AsJson, Profile, Region, StackName, deployed_stack
from fastscaler.clock import SystemClock
from fastscaler.schedules import PrewarmRule, prewarm_rules


def schedules(stack: StackName, region: Region = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """List the pre-warm rules of a stack, and which floors hold now.

    Exits with 1 if the stack cannot be read.
    """
    with deployed_stack(stack, region, profile) as deployed:
        directives = deployed.table.poll().directives
        rules = prewarm_rules(deployed.stack.schedules(), directives, SystemClock().now())
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
    show(table)


def _local_time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z")
