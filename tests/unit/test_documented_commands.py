"""Every `fastscaler` command line that a reader is given is one that the command takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from fastscaler.cli import app
from tests.unit.template import ROOT, of_type

COMMAND: Any = typer.main.get_command(app)
# What typer raises for an option that there is not, for one that is missing, and for a bad value.
REFUSAL: Any = typer.BadParameter.__base__
ENDS = {"|", ">", ">>", "<", "&&", "||", ";", "}", "&"}  # Where the shell takes over again.
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "events").glob("*.md")])
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def lines_of(page: Path) -> Iterator[str]:
    """Command lines in blocks of code, as such or after a prompt, and between backquotes."""
    text = page.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if typed := re.match(r"(?:\s*|\s*\$ |\s*- run: |.*; )(fastscaler [a-z].*)", line):
            yield typed[1]
    yield from re.findall(r"`(fastscaler [^`\n]+)`", text)


def words(line: str) -> list[str]:
    """The arguments up to a comment, or to where the shell takes over."""
    found = []
    for word in shlex.split(line.rstrip(","), comments=True)[1:]:
        if word in ENDS:
            break
        found.append(word.rstrip(";"))
        if word.endswith(";"):
            break
    return found


def refused(line: str) -> str:
    """Why the command does not take this line; empty where it does. Nothing is run."""
    arguments = words(line)
    try:
        with COMMAND.make_context("fastscaler", arguments.copy()) as context:
            name, command, rest = COMMAND.resolve_command(context, arguments)
            if rest:  # A command that is only mentioned by its name is not typed like that.
                command.make_context(name, rest, parent=context)
    except typer.Exit:  # --help
        return ""
    except REFUSAL as error:
        return str(error.format_message())
    return ""


COMMANDS = [(page.name, line) for page in [*PAGES, *WORKFLOWS] for line in lines_of(page)]


def test_the_pages_have_commands_to_check() -> None:
    named = {words(line)[0] for _, line in COMMANDS}
    assert named == set(COMMAND.commands)
    assert {page for page, _ in COMMANDS} > {"README.md", "operations.md", "deploying.md", "deploy.yml", "validate.yml"}


@pytest.mark.parametrize(("page", "line"), sorted(set(COMMANDS)), ids=lambda value: value[:60])
def test_a_documented_command_is_taken(page: str, line: str) -> None:
    assert not refused(line), f"{page}: {line}: {refused(line)}"


def test_the_commands_of_the_alarms_are_taken() -> None:
    texts = [alarm["AlarmDescription"] for alarm in of_type("AWS::CloudWatch::Alarm").values()]
    found = [line for text in texts for line in re.findall(r"fastscaler [a-z]+(?: (?:--\w+ )?[\w.-]+)*", text)]
    full = [line.rstrip(".") for line in found if " --" in line or "validate" in line]
    assert len(full) >= 6
    assert [(line, refused(line)) for line in full if refused(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        "fastscaler stauts",
        "fastscaler explain policies.yaml --metrics X=1",
        "fastscaler validate --cost --cheap policies.yaml",
    ],
)
def test_a_misspelt_one_would_be_noticed(line: str) -> None:
    assert refused(line)
