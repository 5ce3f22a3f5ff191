"""The stack's schedules, read through clients whose requests are checked against the service models."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from fastscaler.aws.stack import Stack
from fastscaler.errors import AccessDenied, NotFound, NotReady

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
EVENT = {"Directive": "prewarm", "Cluster": "shop", "Service": "web", "Owner": "weekday", "MinCapacity": 5}


def resource(kind: str, logical: str, physical: str, status: str = "CREATE_COMPLETE") -> dict[str, Any]:
    return {
        "ResourceType": kind,
        "LogicalResourceId": logical,
        "PhysicalResourceId": physical,
        "LastUpdatedTimestamp": 0,
        "ResourceStatus": status,
    }


class Stubbed:
    def __init__(self) -> None:
        cloudformation, scheduler = boto3.client("cloudformation", **KEYS), boto3.client("scheduler", **KEYS)
        self.cloudformation, self.scheduler = Stubber(cloudformation), Stubber(scheduler)
        self.cloudformation.activate()
        self.scheduler.activate()
        self.stack = Stack("fastscaler", cloudformation, scheduler)

    def lists(self, *resources: dict[str, Any]) -> None:
        self.cloudformation.add_response(
            "list_stack_resources", {"StackResourceSummaries": list(resources)}, {"StackName": "fastscaler"}
        )


@pytest.fixture
def stubbed() -> Stubbed:
    return Stubbed()


def test_schedules_carry_what_they_send_and_their_name_in_the_template(stubbed: Stubbed) -> None:
    stubbed.lists(
        resource("AWS::DynamoDB::Table", "StateTable", "fastscaler-state"),
        resource("AWS::Scheduler::Schedule", "ScalerFunctionWeekdayPrewarm", "fastscaler-Weekday-1A2B"),
    )
    stubbed.scheduler.add_response(
        "get_schedule",
        {
            "ScheduleExpression": "cron(30 8 ? * MON-FRI *)",
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "State": "DISABLED",
            "Target": {
                "Arn": "arn:aws:lambda:x",
                "RoleArn": "arn:aws:iam::123456789012:role/x",
                "Input": json.dumps(EVENT),
            },
        },
        {"Name": "fastscaler-Weekday-1A2B"},
    )
    [schedule] = stubbed.stack.schedules()
    assert (schedule.name, schedule.expression, schedule.timezone) == (
        "WeekdayPrewarm",
        "cron(30 8 ? * MON-FRI *)",
        "Europe/Berlin",
    )
    assert not schedule.enabled
    assert schedule.event == EVENT


def test_the_table_is_found_by_its_type(stubbed: Stubbed) -> None:
    stubbed.lists(resource("AWS::DynamoDB::Table", "StateTable", "fastscaler-state"))
    assert stubbed.stack.resource("StateTable") == "fastscaler-state"


def test_another_stack_is_told_apart(stubbed: Stubbed) -> None:
    stubbed.lists(resource("AWS::SQS::Queue", "Queue", "some-queue"))
    with pytest.raises(NotFound, match="so it is no FastScaler"):
        stubbed.stack.resource("StateTable")


def test_a_stack_that_does_not_exist_is_said_so(stubbed: Stubbed) -> None:
    stubbed.cloudformation.add_client_error("list_stack_resources", "ValidationError", http_status_code=400)
    with pytest.raises(NotFound, match="there is no such stack"):
        stubbed.stack.schedules()


def test_a_denied_call_is_no_missing_stack(stubbed: Stubbed) -> None:
    stubbed.cloudformation.add_client_error("list_stack_resources", "AccessDenied", http_status_code=403)
    with pytest.raises(AccessDenied):
        stubbed.stack.schedules()


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("DELETE_COMPLETE", "rolled back or deleted; delete what is left with sam delete, and sam deploy again"),
        ("CREATE_FAILED", "rolled back or deleted; delete what is left with sam delete, and sam deploy again"),
        ("CREATE_IN_PROGRESS", "wait for sam deploy to end"),
    ],
)
def test_what_was_rolled_back_or_is_not_there_yet_is_said_with_what_to_do(
    stubbed: Stubbed, status: str, advice: str
) -> None:
    stubbed.lists(resource("AWS::DynamoDB::Table", "StateTable", "fastscaler-state", status))
    with pytest.raises(NotReady) as refused:
        stubbed.stack.resource("StateTable")
    assert f"its StateTable is {status}: " in refused.value.message
    assert advice in refused.value.message


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_FAILED"])
def test_what_an_update_left_there_is_used(stubbed: Stubbed, status: str) -> None:
    stubbed.lists(resource("AWS::DynamoDB::Table", "StateTable", "fastscaler-state", status))
    assert stubbed.stack.resource("StateTable") == "fastscaler-state"
