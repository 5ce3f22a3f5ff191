"""The options of every command that works on a deployed stack, and what becomes of its errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from fastscaler.cli.failure import fail, what_to_do
from fastscaler.errors import AwsError, FunctionFailed

if TYPE_CHECKING:
    from fastscaler.aws.deployed import Deployed

# What may be denied to the commands that work on a stack, and the permission that is missing then.
PERMISSIONS = {
    "DescribeServices": "ecs:DescribeServices",
    "FilterLogEvents": "logs:FilterLogEvents",
    "GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
    "GetMetricData": "cloudwatch:GetMetricData",
    "GetSchedule": "scheduler:GetSchedule",
    "Invoke": "lambda:InvokeFunction",
    "ListStackResources": "cloudformation:ListStackResources",
    "Query": "dynamodb:Query",
}

StackName = Annotated[str, typer.Option("--stack", help="Name of the deployed stack.")]
Region = Annotated[str | None, typer.Option("--region", help="AWS Region; default: as configured.")]
Profile = Annotated[str | None, typer.Option("--profile", "--aws-profile", help="AWS profile; default: as configured.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def deployed_stack(stack: str, region: str | None, profile: str | None) -> Iterator["Deployed"]:
    """The stack; an error of AWS or of its functions ends the command with 1 and one line that says what to do."""
    from fastscaler.aws.deployed import Deployed

    with told_errors(stack):
        yield Deployed.connect(stack, region, profile)


@contextmanager
def told_errors(stack: str) -> Iterator[None]:
    """The same for work on a stack that is at hand."""
    try:
        yield
    except AwsError as error:
        fail(f"stack {stack}: {why(error)}", 1)
    except FunctionFailed as error:
        fail(refusal(error) or f"stack {stack}: the function failed ({error}): sam logs shows its log", 1)


def why(error: AwsError) -> str:
    """What is wrong, and what to do about it, for a command that works on a stack."""
    return what_to_do(error, "", PERMISSIONS, "--stack, --region and --aws-profile")


def refusal(error: FunctionFailed) -> str:
    """What the function found wrong with what it was asked; empty where it failed otherwise."""
    if error.kind not in ("DirectiveRefused", "EventInvalid"):
        return ""
    problems = [line.removeprefix("event: ") for line in error.message.splitlines()]
    return "refused: " + "; ".join(problems)
