"""The `fastscaler` command. Needs the `cli` extra, which the Lambda functions do without."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastscaler.clock import SystemClock
from fastscaler.document.parse import parse_document
from fastscaler.errors import AwsError, DocumentInvalid, Problem
from fastscaler.scaling.policy import Document
from fastscaler.schedules import PrewarmRule, prewarm_rules

try:
    import typer
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text
except ModuleNotFoundError:
    raise SystemExit("fastscaler: the command line needs more packages: pip install 'fastscaler[cli]'") from None

app = typer.Typer(
    help="Check and explain FastScaler policy documents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy documents, YAML or JSON.")],
) -> None:
    """Check policy documents and print every problem.

    Exits with 0 if all are valid, 1 if one is not, 2 if one cannot be read.
    """
    raise typer.Exit(max([_validate(file) for file in files]))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the policy document, by which editors complete and check it."""
    # Draft 7 is the newest that the YAML language server supports in full; nothing here needs a newer one.
    document = {"$schema": "http://json-schema.org/draft-07/schema#", **Document.model_json_schema()}
    typer.echo(json.dumps(document, indent=2))


@app.command()
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


def _validate(file: Path) -> int:
    try:
        document = parse_document(file.read_text(encoding="utf-8-sig"), str(file))
    except OSError as error:
        typer.echo(f"{file}: cannot be read: {error.strerror}", err=True)
        return 2
    except UnicodeDecodeError as error:
        typer.echo(f"{file}: cannot be read: not UTF-8 text (byte {error.start})", err=True)
        return 2
    except DocumentInvalid as error:
        _print_problems(file, error.problems)
        return 1
    count = len(document.services)
    typer.echo(f"{file}: {count} {'service' if count == 1 else 'services'}, valid")
    return 0


def _print_problems(file: Path, problems: tuple[Problem, ...]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:  # One line each, for grep and for the log of a build.
        typer.echo("\n".join(str(problem) for problem in problems))
        return
    # Two lines each: a key's path and its text would not fit the columns of a table side by side.
    for problem in problems:
        where = ": ".join(part for part in (problem.source, problem.service) if part)
        console.print(Text(where, style="dim"))
        found = Text.assemble((problem.key, "bold"), " = ", (problem.value, "yellow"))
        console.print(Padding(found, (0, 0, 0, 2), expand=False))
        console.print(Padding(Text(problem.allowed, style="green"), (0, 0, 0, 4), expand=False))
    count = len(problems)
    console.print(Text(f"{file}: {count} {'problem' if count == 1 else 'problems'}", style="bold red"))
