"""Tables on standard output: as wide as the terminal, and in a pipe as wide as they need to be."""

import os

import typer
from rich.console import Console, RenderableType

PIPED_WIDTH = 200  # A log has no margin. COLUMNS sets one.


def show(*lines: RenderableType) -> None:
    """Prints `lines`; in a pipe without the spaces that fill the columns of a table."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(*lines, sep="\n")
        return
    if "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=PIPED_WIDTH)
    with console.capture() as captured:
        console.print(*lines, sep="\n")
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
