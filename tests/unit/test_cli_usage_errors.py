"""Usage errors: one line for every command, with the exit code 2 and nothing on standard output."""

import subprocess
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner, Result

from fastscaler.cli import app
from fastscaler.cli.usage_errors import OneLineErrors

POLICIES = str(Path(__file__).parents[2] / "policies.yaml")
COMMANDS = [
    command.name or command.callback.__name__.replace("_", "-")
    for command in app.registered_commands
    if command.callback
]


def run(*arguments: str, of: typer.Typer = app) -> Result:
    return CliRunner().invoke(of, arguments, prog_name="fastscaler")


def added() -> typer.Typer:
    """The group with commands of somebody else, who knows nothing of it."""
    group = typer.Typer(cls=OneLineErrors, no_args_is_help=True, add_completion=False)

    @group.command()
    def drill(tasks: Annotated[int, typer.Option(max=9)], kind: Literal["surge", "ramp"] = "surge") -> None:
        if kind == "ramp":
            raise typer.BadParameter("must be surge, there is no ramp yet", param_hint="--kind")

    @group.command(no_args_is_help=True)
    def record(name: str) -> None:
        pass

    return group


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("foo",), "fastscaler: no such command 'foo'; see fastscaler --help"),
        (("validat",), "fastscaler: no such command 'validat'. Did you mean 'validate'? See fastscaler --help"),
        (("--foo",), "fastscaler: no such option: --foo; see fastscaler --help"),
        (("explain",), "fastscaler explain: missing argument 'FILE'; see fastscaler explain --help"),
        (("import",), "fastscaler import: missing option '--cluster'; see fastscaler import --help"),
        (("schema", "--foo"), "fastscaler schema: no such option: --foo; see fastscaler schema --help"),
        (
            ("explain", POLICIES, "--desired"),
            "fastscaler explain: option '--desired' requires an argument; see fastscaler explain --help",
        ),
        (
            ("validate", "--cost=3", POLICIES),
            "fastscaler validate: option '--cost' does not take a value; see fastscaler validate --help",
        ),
        (
            ("schema", "a", "b"),
            "fastscaler schema: got unexpected extra argument(s) (a b); see fastscaler schema --help",
        ),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_command_and_its_help(arguments: tuple[str, ...], line: str) -> None:
    result = run(*arguments)
    assert result.stderr == f"{line}\n"
    assert (result.stdout, result.exit_code) == ("", 2)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_answers_in_more_lines(command: str) -> None:
    result = run(command, "--no-such-option")
    assert result.stderr.startswith(f"fastscaler {command}: no such option: --no-such-option")
    assert result.stderr.count("\n") == 1
    assert (result.stdout, result.exit_code) == ("", 2)


@pytest.mark.parametrize(
    ("arguments", "begins", "names"),
    [
        (("--tasks", "x"), "'--tasks': 'x'", "must be a whole number"),
        (("--tasks", "10"), "'--tasks': ", "10"),
        (("--tasks", "1", "--kind", "a\nb"), "'--kind': 'a\\nb'", "'surge', 'ramp'"),
        (("--tasks", "1", "--kind", "ramp"), "--kind: must be surge", "there is no ramp yet"),
    ],
)
def test_a_command_that_somebody_adds_is_covered(arguments: tuple[str, ...], begins: str, names: str) -> None:
    result = run("drill", *arguments, of=added())
    [line] = result.stderr.splitlines()
    assert line.startswith(f"fastscaler drill: {begins}")
    assert names in line
    assert line.endswith("; see fastscaler drill --help")
    assert (result.stdout, result.exit_code) == ("", 2)


@pytest.mark.parametrize("typed", ["a\nb", "a\rb", "a\x1b[31mb", "a\u2028b"])
def test_what_was_typed_cannot_end_the_line_or_colour_it(typed: str) -> None:
    for arguments in ((typed,), ("schema", f"--{typed}"), ("schema", typed)):
        result = run(*arguments)
        assert len(result.stderr.splitlines()) == 1
        assert "\x1b" not in result.stderr


def test_what_import_refuses_is_shown_as_it_was_typed() -> None:
    result = run("import", "--cluster", "shop\nprod", "--service", "web")
    assert result.stderr.startswith("fastscaler: --cluster shop\\nprod: must be the name, not the ARN")
    assert (result.stderr.count("\n"), result.exit_code) == (1, 2)


def test_without_any_argument_the_help_is_shown() -> None:
    assert "Commands" in run().stdout
    assert run().stderr == ""
    assert "Usage: fastscaler record" in run("record", of=added()).stdout


def test_the_installed_command_says_its_own_name() -> None:
    script = "import sys; sys.argv[0] = 'fastscaler'; from fastscaler.cli import app; app()"
    done = subprocess.run([sys.executable, "-c", script, "explain"], capture_output=True, text=True, check=False)
    assert done.stderr == "fastscaler explain: missing argument 'FILE'; see fastscaler explain --help\n"
    assert (done.stdout, done.returncode) == ("", 2)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_h_is_help(command: str) -> None:
    asked = command.split()
    assert run(*asked, "-h").stdout == run(*asked, "--help").stdout
    assert run(*asked, "-h").exit_code == 0


def test_the_version_is_that_of_the_installed_library() -> None:
    result = run("--version")
    assert (result.stdout, result.exit_code) == (f"fastscaler {version('fastscaler')}\n", 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fills_the_lines_of_a_terminal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.strip() for line in run(command, "--help").stdout.partition("\u256d")[0].splitlines()]
    for line, following in pairwise(lines):
        if line and following:  # The next word would not have fitted: no line is broken anywhere else.
            assert len(f"{line} {following.split()[0]}") > 78
