"""The operator's commands as a user runs them, against the stand-in for AWS: what they read, and how every error looks.

moto does not run functions, so that directives and drills are carried out in tests/e2e only.
"""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from demo.account import CLUSTER, SERVICE, TABLE, Account
from demo.local_aws import LocalAws
from fastscaler.aws.dynamodb import Table
from fastscaler.cli.stack_options import PERMISSIONS
from fastscaler.scaling.memory import Change, Memory
from fastscaler.scaling.observation import Floor
from tests.integration.shop import sdk_of

POLICIES = Path(__file__).parents[2] / "policies.yaml"
KEY = f"{CLUSTER}/{SERVICE}"
GROUP = "/fastscaler/scaler"
TEMPLATE = {
    "Resources": {
        "StateTable": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": TABLE,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            },
        },
        "ScalerLogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}},
    }
}
OTHER = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}


@pytest.fixture
def aws(prompt_aws: LocalAws) -> Iterator[LocalAws]:
    """An account with a service, a stack that has run, and another stack."""
    prompt_aws.reset()
    Account(prompt_aws).create_service(CLUSTER, SERVICE, desired=4)
    with sdk_of(prompt_aws):
        stacks = boto3.client("cloudformation")
        stacks.create_stack(StackName="fastscaler", TemplateBody=json.dumps(TEMPLATE))
        stacks.create_stack(StackName="other", TemplateBody=json.dumps(OTHER))
        now, table = time.time(), Table.connect(TABLE)
        epoch = table.take_over()
        table.save_document(epoch, POLICIES.read_text())
        change = Change(now - 7200, 2, 4, "requests-per-task", "requests-per-task: 180 per task against 100")
        table.save(epoch, {KEY: Memory(desired=4, change=change)})
        table.put_directive(Floor(KEY, "sale", 3, now + 600), now, "request")
        logs, stamp = boto3.client("logs"), int((now - 5) * 1000)
        logs.create_log_stream(logGroupName=GROUP, logStreamName="stream")
        metrics = {"_aws": {"Timestamp": stamp}, "service": KEY, "ServiceErrors": [0]}
        looks = {"_aws": {"Timestamp": stamp}, "service": "fastscaler", "Looks": [12]}
        lines = ["START RequestId: 1", json.dumps({**metrics, "Load": {"RequestsPerSecond": 62.5}}), json.dumps(looks)]
        events = [{"timestamp": stamp, "message": line} for line in lines]
        logs.put_log_events(logGroupName=GROUP, logStreamName="stream", logEvents=events)
        yield prompt_aws


@dataclass(frozen=True)
class Run:
    """One run of the command in a process of its own."""

    code: int
    out: str
    err: str


def run(aws: LocalAws, arguments: str, *, without: str = "nothing") -> Run:
    """Runs the command, without the environment variables whose names have `without` in them."""
    command = [str(Path(sys.executable).with_name("fastscaler")), *shlex.split(arguments)]
    variables = {name: value for name, value in aws.environment.items() if without not in name}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=60, check=False)
    return Run(done.returncode, done.stdout, done.stderr)


def refused(aws: LocalAws, arguments: str, *, without: str = "nothing") -> str:
    """The one line with which the command fails."""
    done = run(aws, arguments, without=without)
    assert done.code in (1, 2)
    assert done.out == ""
    (line,) = done.err.splitlines()
    return line


def test_status_of_a_stack_that_runs(aws: LocalAws) -> None:
    aws.calls.reset()
    done = run(aws, "status --stack fastscaler")
    assert (done.code, done.err) == (0, "")
    assert f"{KEY}: 4 tasks" in done.out
    assert "RequestsPerSecond 62.5 per task" in done.out
    assert "2 -> 4 tasks, 2 h ago: requests-per-task: 180 per task against 100" in done.out
    assert "floor 3 of sale" in done.out
    assert "no sign" not in done.out
    assert set(aws.calls.counts()) == {"ListStackResources", "Query", "DescribeServices", "FilterLogEvents"}


def test_status_as_json(aws: LocalAws) -> None:
    found = json.loads(run(aws, "status --stack fastscaler --json").out)
    (service,) = found["services"]
    assert (service["service"], service["desired"], service["load"]) == (KEY, 4, 62.5)
    assert found["silent"] is False


def test_schedules_of_a_stack(aws: LocalAws) -> None:
    assert "sale" in run(aws, "schedules --stack fastscaler").out


def test_without_the_right_to_read_the_log_the_rest_is_shown(aws: LocalAws) -> None:
    aws.fail("FilterLogEvents", "AccessDeniedException", status=400)
    done = run(aws, "status --stack fastscaler")
    assert done.code == 0
    assert f"{KEY}: 4 tasks" in done.out
    assert "permit logs:FilterLogEvents" in done.out


def test_a_busy_log_is_no_missing_permission(aws: LocalAws) -> None:
    aws.fail("FilterLogEvents", "ThrottlingException", status=400)
    done = run(aws, "status --stack fastscaler")
    assert (done.code, done.err) == (0, "")
    assert f"{KEY}: 4 tasks" in done.out
    assert "AWS asks for fewer calls (FilterLogEvents)" in done.out
    assert "allowed" not in done.out


COMMANDS = [
    "status --stack fastscaler",
    "watch --stack fastscaler",
    "pause --stack fastscaler",
    "resume --stack fastscaler",
    "prewarm --stack fastscaler --min-capacity 3 --minutes 5",
    "drill --stack fastscaler",
    "schedules --stack fastscaler",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_stack_name(aws: LocalAws, command: str) -> None:
    line = refused(aws, command.replace("fastscaler", "nope"))
    assert line == "fastscaler: stack nope: there is no such stack: look at --stack, --region and --aws-profile"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stack_without_fastscaler(aws: LocalAws, command: str) -> None:
    assert "stack other: it has no StateTable, so it is no FastScaler" in refused(
        aws, command.replace("fastscaler", "other")
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_no_credentials_no_region_and_no_such_profile(aws: LocalAws, command: str) -> None:
    assert "no AWS credentials were found: sign in" in refused(aws, command, without="ACCESS_KEY")
    assert "no AWS Region is known: give --region" in refused(aws, command, without="REGION")
    assert "give another --aws-profile" in refused(aws, f"{command} --aws-profile nope")


@pytest.mark.parametrize(
    ("operation", "code", "said"),
    [
        ("ListStackResources", "ExpiredToken", "AWS does not take the credentials (ExpiredToken): sign in again"),
        ("ListStackResources", "AccessDenied", "permit cloudformation:ListStackResources"),
        ("Query", "AccessDeniedException", "permit dynamodb:Query"),
        ("Query", "ThrottlingException", "AWS asks for fewer calls (Query): try again in a minute"),
    ],
)
def test_what_aws_refuses_is_one_line_with_what_to_do(aws: LocalAws, operation: str, code: str, said: str) -> None:
    aws.fail(operation, code, status=400)
    assert said in refused(aws, "status --stack fastscaler")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("operation", ["ListStackResources", "Query"])
def test_a_missing_permission_is_named(aws: LocalAws, command: str, operation: str) -> None:
    aws.fail(operation, "AccessDeniedException", status=400)
    assert refused(aws, command).endswith(f": permit {PERMISSIONS[operation]}")


def test_a_service_that_is_not_in_the_document(aws: LocalAws) -> None:
    line = refused(aws, "pause --stack fastscaler --service nope")
    assert line == f"fastscaler: --service nope: no such service; the document has {KEY}"


def test_a_stack_whose_loop_has_not_run_yet(aws: LocalAws) -> None:
    table = boto3.client("dynamodb")
    for key in ("current", "chunk#0000"):
        table.delete_item(TableName=TABLE, Key={"pk": {"S": "policies"}, "sk": {"S": key}})
    assert "the loop has kept no policy document yet" in refused(aws, "status --stack fastscaler")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--min-capacity 3", "--min-capacity and --minutes are needed, or --release"),
        ("--release --minutes 3", "--release ends a floor: it takes neither --min-capacity nor --minutes"),
    ],
)
def test_options_that_do_not_go_together(aws: LocalAws, options: str, said: str) -> None:
    assert refused(aws, f"prewarm --stack fastscaler {options}") == f"fastscaler: {said}"


def test_ctrl_c_ends_a_watch_cleanly(aws: LocalAws) -> None:
    command = [str(Path(sys.executable).with_name("fastscaler")), "watch", "--stack", "fastscaler", "--every", "2"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=aws.environment
    ) as process:
        assert process.stdout
        assert process.stderr
        assert KEY in process.stdout.readline()
        process.send_signal(2)
        assert "Traceback" not in process.stderr.read()
        assert process.wait(timeout=30) == 0
