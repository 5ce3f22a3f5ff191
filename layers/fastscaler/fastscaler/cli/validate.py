"""`fastscaler validate` and `fastscaler schema`: the policy document, without AWS."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from fastscaler.document.parse import parse_document
from fastscaler.errors import DocumentInvalid, Problem
from fastscaler.scaling.policy import Document


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy documents, YAML or JSON.")],
) -> None:
    """Check policy documents and print every problem.

    Exits with 0 if all are valid, 1 if one is not, 2 if one cannot be read.
    """
    raise typer.Exit(max([_validate(file) for file in files]))


def schema() -> None:
    """Print the JSON Schema of the policy document, by which editors complete and check it."""
    # Draft 7 is the newest that the YAML language server supports in full; nothing here needs a newer one.
    document = {"$schema": "http://json-schema.org/draft-07/schema#", **Document.model_json_schema()}
    typer.echo(json.dumps(document, indent=2))


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
