"""Usage errors of every command as one line: which command, what is wrong, and where it says how it is used."""

from typing import Any, NoReturn

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from fastscaler.one_line import one_line

NUMBERS = {"int_parsing": "must be a whole number", "float_parsing": "must be a number"}
INVALID_VALUE = "Invalid value for "  # What Typer puts before the option's name; the line is clear without it.


class OneLineErrors(TyperGroup):
    """The group of all commands: what Typer refuses is one line on standard error, where it would print a box of five.

    It covers every command of the group, whoever adds it. The exit code is Typer's: 2.
    """

    def make_context(self, info_name: str | None, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().make_context(info_name, *args, **kwargs)
        except typer.TyperException as error:
            _refuse(error, info_name or "fastscaler")

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            _refuse(error, " ".join(filter(None, (ctx.command_path, ctx.invoked_subcommand))))


def _refuse(error: typer.TyperException, command: str) -> NoReturn:
    """Prints the line and exits; `command` is for errors that do not know theirs, such as an option without value."""
    # That one refuses nothing: no argument was given, and the help is printed. Typer does not export its class.
    if type(error).__name__ == "NoArgsIsHelpError":
        raise error
    context = getattr(error, "ctx", None)
    command = command if context is None else context.command_path
    # Typer lists what is allowed in lines of their own.
    words = one_line(" ".join(_words(error).split())).removeprefix(INVALID_VALUE).removesuffix(".")
    see = " See" if words.endswith("?") else "; see"
    typer.echo(f"{command}: {_in_a_sentence(words)}{see} {command} --help", err=True)
    raise typer.Exit(error.exit_code) from None


def _words(error: typer.TyperException) -> str:
    """Typer's message; where it is pydantic's, which leaves out what was typed, with that in it."""
    words, cause = error.format_message(), error.__cause__
    if not isinstance(cause, ValidationError):
        return words
    first = cause.errors()[0]
    if first["type"] == "value_error":  # Of Typer's own, such as a word that is not one of a few: it names the value.
        return words.removesuffix(error.message) + str(first["ctx"]["error"])
    allowed = NUMBERS.get(first["type"]) or _in_a_sentence(first["msg"])
    return f"{words.removesuffix(error.message)}{first['input']!r}: {allowed}"


def _in_a_sentence(words: str) -> str:
    return words[:1].lower() + words[1:]
