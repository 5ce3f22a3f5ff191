"""Reads a policy document for a command, and says what is wrong with it."""

from pathlib import Path

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from fastscaler.document.parse import parse_document
from fastscaler.errors import DocumentInvalid, Problem
from fastscaler.one_line import one_line
from fastscaler.scaling.policy import Document


def read_document(file: Path, *, problems_to_stderr: bool = False) -> Document:
    """The document in `file`. Exits with 1, its problems printed, if it is invalid; with 2 if it cannot be read."""
    try:
        return parse_document(file.read_text(encoding="utf-8-sig"), str(file))
    except OSError as error:
        typer.echo(f"{one_line(file)}: cannot be read: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        typer.echo(f"{one_line(file)}:{line}: cannot be read: not UTF-8 text; save it as UTF-8", err=True)
        raise typer.Exit(2) from None
    except DocumentInvalid as error:
        _print_problems(file, error.problems, problems_to_stderr)
        raise typer.Exit(1) from None


def _print_problems(file: Path, problems: tuple[Problem, ...], to_stderr: bool) -> None:
    console = Console(highlight=False, stderr=to_stderr)
    if not console.is_terminal:  # One line each, for grep and for the log of a build.
        typer.echo("\n".join(str(problem) for problem in problems), err=to_stderr)
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
