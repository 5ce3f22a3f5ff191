"""What is wrong with the AWS settings of the machine: one line that names the culprit, for every command alike."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from fastscaler.cli import app
from fastscaler.cli.failure import LOOK_AT, NOT_VALID, SIGN_IN, what_to_do
from fastscaler.cli.stack_options import PERMISSIONS, why
from fastscaler.errors import (
    AccessDenied,
    AwsError,
    Misconfigured,
    NotFound,
    NotReady,
    Rejected,
    Throttled,
    Unavailable,
)

ON_A_STACK = {
    "status": (),
    "watch": (),
    "pause": ("--service", "shop/web"),
    "resume": ("--service", "shop/web"),
    "prewarm": ("--service", "shop/web", "--min-capacity", "3", "--minutes", "5"),
    "drill": ("--service", "web"),
    "schedules": (),
}
OF_A_SERVICE = ("import", "record")
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
FILES = {
    "unclosed": "[default\nregion = us-east-1\n",
    "signed out": (
        "[default]\nregion = us-east-1\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
        "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n"
    ),
    "half": "[default]\nregion = us-east-1\naws_access_key_id = local\n",
    "no program": "[default]\nregion = us-east-1\ncredential_process = /nonexistent/keys\n",
    "no source": "[default]\nregion = us-east-1\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = gone\n",
    "bad endpoint": (
        "[default]\nregion = us-east-1\naws_access_key_id = local\naws_secret_access_key = local\nendpoint_url = here\n"
    ),
}


def arguments(command: str) -> list[str]:
    if command in OF_A_SERVICE:
        return [command, "--cluster", "shop", "--service", "web"]
    return [command, "--stack", "fastscaler", *ON_A_STACK[command]]


def options(command: str) -> set[str]:
    commands: Any = get_command(app)
    return {name for parameter in commands.commands[command].params for name in parameter.opts}


def flags(line: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", line))


def run(command: str, environment: dict[str, str], *more: str) -> Result:
    """Runs a command on a machine that has these AWS settings and no others."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", *KEYS):
            patch.delenv(name, raising=False)
        nowhere = {"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
        for name, value in ({**nowhere, "AWS_EC2_METADATA_DISABLED": "true"} | environment).items():
            patch.setenv(name, value)
        return CliRunner().invoke(app, [*arguments(command), *more], prog_name="fastscaler")


def line_of(result: Result) -> str:
    """The one line with which it failed."""
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    return line


COMMANDS = pytest.mark.parametrize("command", [*ON_A_STACK, *OF_A_SERVICE])


def test_every_command_that_asks_aws_is_looked_at() -> None:
    commands: Any = get_command(app)
    assert {name for name in commands.commands if "--region" in options(name)} == {*ON_A_STACK, *OF_A_SERVICE}


@COMMANDS
def test_every_command_takes_an_aws_profile_by_the_same_name(command: str) -> None:
    assert "--aws-profile" in options(command)
    line = line_of(run(command, KEYS, "--aws-profile", "nobody"))
    assert "The config profile (nobody) could not be found: give another --aws-profile" in line


@COMMANDS
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "both"])
def test_an_endpoint_that_is_no_url_is_named(command: str, name: str) -> None:
    named = {"AWS_ENDPOINT_URL": "nonsense"}
    if name == "both":
        named["AWS_ENDPOINT_URL_LAMBDA"] = "https://lambda.local"
    line = line_of(run(command, KEYS | named))
    assert "this machine's AWS settings cannot be used (Invalid endpoint: nonsense" in line
    assert all(f"{variable}={value}" in line for variable, value in named.items())
    assert flags(line) <= options(command)


@COMMANDS
@pytest.mark.parametrize(
    ("file", "culprit"),
    [
        ("unclosed", "Unable to parse config file: "),
        (
            "signed out",
            "could be had (Error loading SSO Token: Token for corp does not exist): sign in again with aws sso login",
        ),
        ("half", "missing: aws_secret_access_key"),
        ("no program", "/nonexistent/keys: No such file or directory"),
        ("no source", 'source_profile "gone"'),
        ("bad endpoint", "Invalid endpoint: here"),
    ],
)
def test_a_broken_configuration_is_named(command: str, file: str, culprit: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(FILES[file])
    line = line_of(run(command, {"AWS_CONFIG_FILE": str(path)}))
    assert culprit in line
    assert flags(line) <= options(command)
    assert file != "unclosed" or str(path) in line


@COMMANDS
def test_without_a_region_or_credentials_it_says_what_to_give(command: str) -> None:
    keys = {name: value for name, value in KEYS.items() if "REGION" not in name}
    no_region = line_of(run(command, keys))
    assert no_region.endswith("no AWS Region is known: give --region")
    no_keys = line_of(run(command, {"AWS_DEFAULT_REGION": "us-east-1"}))
    assert "no AWS credentials were found: sign in, or give an --aws-profile" in no_keys
    assert flags(no_region) | flags(no_keys) <= options(command)
    assert "give another --region" in line_of(run(command, KEYS, "--region", "eu west"))


@COMMANDS
def test_an_address_where_nobody_answers_is_named(command: str) -> None:
    line = line_of(run(command, KEYS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}))
    assert 'AWS cannot be reached: Could not connect to the endpoint URL: "http://127.0.0.1:1/' in line
    assert flags(line) <= options(command)


CODES = {"NoRegionError", "ProfileNotFound", "InvalidRegionError", "NoCredentials", "FailedResourceAccessException"}
CODES |= {"ClusterNotFoundException", "Other", *SIGN_IN, *NOT_VALID, *LOOK_AT}
KINDS = (AccessDenied, Misconfigured, NotFound, NotReady, Rejected, Throttled, Unavailable)


@COMMANDS
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_advised_is_what_the_command_takes(command: str, kind: type[AwsError]) -> None:
    for code in CODES:
        error = kind("Query", code, "what AWS says")
        line = why(error) if command in ON_A_STACK else what_to_do(error, "shop", {})
        assert flags(line) <= options(command), code


def test_a_denied_call_names_the_permission_and_who_lacks_it() -> None:
    message = "User: arn:aws:sts::123456789012:assumed-role/on-call/me is not authorized to perform: dynamodb:Query"
    line = why(AccessDenied("Query", "AccessDeniedException", message))
    assert line == f"Query is not allowed ({message}): permit {PERMISSIONS['Query']}"


def test_a_role_that_may_not_be_assumed_is_no_call_of_ours() -> None:
    line = why(AccessDenied("AssumeRole", "AccessDenied", "not authorized to perform: sts:AssumeRole on role/x"))
    assert line.endswith("role/x): permit sts:AssumeRole")


def test_no_text_of_a_command_names_an_option_that_no_command_has() -> None:
    commands: Any = get_command(app)
    known = set().union(*(options(name) for name in commands.commands))
    library = Path(what_to_do.__code__.co_filename).parents[1]
    texts = "".join(path.read_text() for folder in ("cli", "drill") for path in (library / folder).glob("*.py"))
    assert flags(texts) <= known | {"--help", "--version"}
