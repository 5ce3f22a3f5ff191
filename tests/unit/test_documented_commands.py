"""Every command line of `fastscaler` and of `aws` that a reader is given is one that the command takes."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from botocore import xform_name

from fastscaler.cli import app
from tests.unit.template import ROOT, of_type

COMMAND: Any = typer.main.get_command(app)
# What typer raises for an option that there is not, for one that is missing, and for a bad value.
REFUSAL: Any = typer.BadParameter.__base__
ENDS = {"|", ">", ">>", "<", "&&", "||", ";", "}", "&"}  # Where the shell takes over again.
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "events").glob("*.md")])
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


# Where the AWS CLI adds to a service's own operations, or names an option otherwise (command reference, version 2).
ADDED = {
    ("cloudformation", "deploy"): {"--stack-name", "--template-file", "--parameter-overrides", "--capabilities"},
    ("cloudformation", "wait"): {"--stack-name"},
    ("ecr", "get-login-password"): set[str](),
    ("logs", "tail"): {"--since", "--follow", "--filter-pattern", "--format"},
    ("sns", "subscribe"): {"--topic-arn", "--protocol", "--notification-endpoint"},
}
EVERYWHERE = {"--region", "--profile", "--output", "--query"}


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


def aws_lines(text: str) -> Iterator[str]:
    """Command lines of the AWS CLI: as such, in a substitution, and between backquotes."""
    text = text.replace("\\\n", " ")
    yield from re.findall(r"^\s*(?:\w+=\$\()?(aws [a-z].*)", text, flags=re.MULTILINE)
    yield from re.findall(r"`(aws [a-z][^`\n]+ --[^`\n]+)`", text)


@cache
def operations(service: str) -> dict[str, Any]:
    """The operations of a service by their names on the command line."""
    model = boto3.client(service, region_name="us-east-1").meta.service_model
    return {xform_name(name, "-"): model.operation_model(name).input_shape for name in model.operation_names}


def refused_by_aws(line: str) -> str:
    """Why the AWS CLI would not take this line; empty where it would, as far as names of options go."""
    found = shlex.split(line.partition(" | ")[0].rstrip(").,"))
    service, operation, *arguments = found[1:]
    given = {argument for argument in arguments if argument.startswith("--")}
    if (service, operation) in ADDED:
        known, needed = ADDED[service, operation], set[str]()
    elif (shape := operations(service).get(operation)) is None:
        return f"{service} has no {operation}"
    else:
        known = {f"--{xform_name(member, '-')}" for member in shape.members}
        needed = {f"--{xform_name(member, '-')}" for member in shape.required_members}
    unknown, missing = given - known - EVERYWHERE, needed - given
    return f"unknown {unknown}, missing {missing}" if unknown or missing else ""


AWS_COMMANDS = {
    *((page.name, line) for page in PAGES for line in aws_lines(page.read_text())),
    *(
        (name, line)
        for name, alarm in of_type("AWS::CloudWatch::Alarm").items()
        for line in re.findall(r"aws logs tail(?: (?:--)?[\w/-]+)+", alarm["AlarmDescription"])
    ),
}


def test_the_pages_and_the_alarms_have_aws_commands_to_check() -> None:
    assert {name for name, _ in AWS_COMMANDS} > {"operations.md", "deploying.md", "importing.md", "NoLookAlarm"}


@pytest.mark.parametrize(("page", "line"), sorted(AWS_COMMANDS), ids=lambda value: value[:60])
def test_a_documented_command_of_aws_is_taken(page: str, line: str) -> None:
    assert not refused_by_aws(line), f"{page}: {line}: {refused_by_aws(line)}"


@pytest.mark.parametrize(
    "line", ["aws sqs purge --queue-url x", "aws sqs purge-queue --url x", "aws ecs update-service --desired-count 2"]
)
def test_a_misspelt_one_of_aws_would_be_noticed(line: str) -> None:
    assert refused_by_aws(line)
