"""What `import` and `record` have in common: an ECS service by its names, and a file to write about it."""

import re
from pathlib import Path
from typing import Annotated

import typer

from fastscaler.cli.failure import fail
from fastscaler.one_line import one_line

ClusterName = Annotated[str, typer.Option("--cluster", help="Name of the ECS cluster.")]
EcsServiceName = Annotated[str, typer.Option("--service", help="Name of the ECS service.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]


def check(cluster: str, service: str, output: Path | None, *, force: bool) -> None:
    """Ends the command with 2 where a name is none, or the file is there already."""
    for option, name in (("--cluster", cluster), ("--service", service)):
        if not re.fullmatch("[A-Za-z0-9_-]{1,255}", name):
            fail(
                f"{option} {one_line(name)}: must be the name, not the ARN: letters, digits, hyphens or underscores", 2
            )
    if output is not None and output.exists() and not force:
        fail(f"{one_line(output)} is there already: --force overwrites it", 2)


def write(text: str, output: Path | None) -> str:
    """Writes `text`, and returns the beginning of a line about it. Ends the command with 2 where it cannot."""
    if output is None:
        typer.echo(text, nl=False)
        return ""
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{one_line(output)}: cannot be written: {error.strerror}", 2)
    return f"{output}: "
