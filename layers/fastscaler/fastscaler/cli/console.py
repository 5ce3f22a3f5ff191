"""Tables on standard output: as wide as the terminal, and in a pipe as wide as they need to be."""

import os
from textwrap import wrap

import typer
from rich.console import Console, RenderableType

PIPED_WIDTH = 200  # A log has no margin. COLUMNS sets one.


def say(text: str, *, err: bool = False) -> None:
    """Prints a line; on a terminal broken between words, and its rest indented."""
    console = Console(stderr=err)
    lines = [text]
    if console.is_terminal:
        indent = " " * (len(text) - len(text.lstrip()))
        lines = wrap(text, console.width, subsequent_indent=f"{indent}  ", break_on_hyphens=False) or [""]
    typer.echo("\n".join(lines), err=err)


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
