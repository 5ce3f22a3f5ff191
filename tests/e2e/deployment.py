"""The deployed application as an operator of the account sees it: functions, state, schedules, queues and logs."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import Any

from tests.e2e.emulator import Emulator

STACK = "fastscaler"
# What the SAM CLI keeps for itself, once for all applications of an account.
SAMS_OWN = "aws-sam-cli-managed-default"


class Deployment:
    """The stack in `aws`."""

    def __init__(self, aws: Emulator) -> None:
        self.aws = aws
        (stack,) = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.scaler, self.synthetic = self.outputs["ScalerFunctionName"], self.outputs["SyntheticMetricsFunctionName"]
        self._lambda = aws.client("lambda")

    def mount_layers(self) -> None:
        """What the emulator leaves undone: it unpacks layers beside the code, where Lambda unpacks them into /opt.

        So the one setting that names a file of a layer is made to point there. Nothing else of the deployment is
        changed. As any change of a setting, it ends the warm sandboxes; the emulator also ends the running ones.
        """
        found = self._lambda.get_function_configuration(FunctionName=self.scaler)
        (layer,) = [n for n, layer in enumerate(found["Layers"]) if ":fastscaler-policies:" in layer["Arn"]]
        variables = found["Environment"]["Variables"]
        assert variables["POLICIES_FILE"] == "/opt/policies.yaml"
        variables["POLICIES_FILE"] = f"../layer_{layer}/policies.yaml"
        self._lambda.update_function_configuration(FunctionName=self.scaler, Environment={"Variables": variables})

    def invoke(self, function: str, event: object) -> Any:
        """Invokes a function and waits for its answer; Lambda's error object where it failed."""
        return json.loads(self._lambda.invoke(FunctionName=function, Payload=json.dumps(event))["Payload"].read())

    def invoke_later(self, function: str, event: object) -> None:
        """Invokes a function asynchronously, as EventBridge does."""
        self._lambda.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))

    def fire(self, schedule: str, at: datetime) -> None:
        """Enables the deployed `schedule` and lets it fire at `at`, once; its input and its target stay the template's.

        The emulator does not fill in Scheduler's context attributes, so the scheduled time is filled in here.
        """
        client = self.aws.client("scheduler")
        (name,) = [found["Name"] for found in client.list_schedules()["Schedules"] if schedule in found["Name"]]
        found = client.get_schedule(Name=name)
        kept = {
            key: found[key]
            for key in ("FlexibleTimeWindow", "Target", "ScheduleExpressionTimezone", "Description")
            if key in found
        }
        stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        assert "<aws.scheduler.scheduled-time>" in kept["Target"]["Input"]
        kept["Target"]["Input"] = kept["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", f"{stamp}Z")
        client.update_schedule(Name=name, ScheduleExpression=f"at({stamp})", State="ENABLED", **kept)

    def state(self) -> dict[str, dict[str, Any]]:
        """The items of the partition `loop`, by sort key."""
        answer = self.aws.client("dynamodb").query(
            TableName=self.outputs["TableName"],
            KeyConditionExpression="pk = :loop",
            ExpressionAttributeValues={":loop": {"S": "loop"}},
        )
        return {item["sk"]["S"]: item for item in answer["Items"]}

    def has_document(self) -> bool:
        """Whether the loop has kept its policy document, as it does after its first look."""
        answer = self.aws.client("dynamodb").query(
            TableName=self.outputs["TableName"],
            KeyConditionExpression="pk = :policies",
            ExpressionAttributeValues={":policies": {"S": "policies"}},
        )
        return bool(answer["Items"])

    def epoch(self) -> int:
        item = self.state().get("epoch")
        return int(item["epoch"]["N"]) if item else 0

    def add_to_epoch(self) -> None:
        """Ends the running loop, as a successor would."""
        self.aws.client("dynamodb").update_item(
            TableName=self.outputs["TableName"],
            Key={"pk": {"S": "loop"}, "sk": {"S": "epoch"}},
            UpdateExpression="ADD epoch :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    def memory(self, service: str) -> dict[str, Any]:
        item = self.state().get(f"memory#{service}")
        found: dict[str, Any] = json.loads(item["state"]["S"]) if item else {}
        return found

    def failed_events(self) -> list[dict[str, Any]]:
        """What waits in the on-failure queue."""
        queue = self.outputs["FailedEventsQueueUrl"]
        received = self.aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(message["Body"]) for message in received.get("Messages", [])]

    def calls(self, name: str) -> list[dict[str, Any]]:
        """The emulator's own record (CloudTrail's) of the calls of one operation, oldest first."""
        pages = (
            self.aws.client("cloudtrail")
            .get_paginator("lookup_events")
            .paginate(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])
        )
        found = [
            {"at": event["EventTime"].timestamp(), **(json.loads(event["CloudTrailEvent"])["requestParameters"] or {})}
            for page in pages
            for event in page["Events"]
        ]
        return sorted(found, key=lambda call: call["at"])

    def log_streams(self, group: str) -> list[list[str]]:
        """The messages of every stream of a log group; the emulator writes one stream per invocation that has ended."""
        logs = self.aws.client("logs")
        streams = [
            stream["logStreamName"]
            for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
            for stream in page["logStreams"]
        ]
        return [[event["message"] for event in self._log_events(logs, group, stream)] for stream in streams]

    @staticmethod
    def _log_events(logs: Any, group: str, stream: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
            events += page["events"]
            if not page["events"] or page["nextForwardToken"] == token.get("nextToken"):
                return events
            token = {"nextToken": page["nextForwardToken"]}


def inventory(aws: Emulator, *, log_groups_until: float = inf) -> set[str]:
    """All that a deployment makes in an account, whoever made it; log groups only if older than epoch seconds.

    An invocation that still runs when its stack is deleted logs its end, for which the emulator makes a log group anew.
    In AWS the functions' roles may not create one.
    """
    functions = aws.client("lambda")
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    listed: dict[str, list[str]] = {
        "stack": [
            stack["StackName"]
            for stack in aws.client("cloudformation").list_stacks()["StackSummaries"]
            if stack["StackStatus"] != "DELETE_COMPLETE"
        ],
        "function": [function["FunctionName"] for function in functions.list_functions()["Functions"]],
        "layer": [layer["LayerName"] for layer in functions.list_layers()["Layers"]],
        "table": aws.client("dynamodb").list_tables()["TableNames"],
        "queue": aws.client("sqs").list_queues().get("QueueUrls", []),
        "log group": [group["logGroupName"] for group in groups if group["creationTime"] / 1000 < log_groups_until],
        "rule": [rule["Name"] for rule in aws.client("events").list_rules()["Rules"]],
        "schedule": [schedule["Name"] for schedule in aws.client("scheduler").list_schedules()["Schedules"]],
        "role": [role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]],
        "alarm": [alarm["AlarmName"] for alarm in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "dashboard": [one["DashboardName"] for one in aws.client("cloudwatch").list_dashboards()["DashboardEntries"]],
    }
    found = {f"{kind} {name}" for kind, names in listed.items() for name in names}
    return {one for one in found if not re.fullmatch(f"stack {SAMS_OWN}", one)}


def stop_rules(aws: Emulator) -> None:
    """No rule fires any more: for tests that start the scaler themselves, outside Lambda."""
    events = aws.client("events")
    for rule in events.list_rules()["Rules"]:
        events.disable_rule(Name=rule["Name"])


def wait_for(what: str, condition: Callable[[], bool], seconds: float) -> float:
    """Waits until `condition` holds and returns how long that took. Raises AssertionError when `seconds` are over."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.25)
    return time.monotonic() - began
