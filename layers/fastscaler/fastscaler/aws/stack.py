"""Reads a deployed stack: its resources, and the schedules among them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fastscaler.aws.calls import calling
from fastscaler.errors import NotFound, NotReady, Rejected

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

# A resource that is not there, by its status, and what to do.
LATER = "wait for sam deploy to end, and try again"
AGAIN = "the stack was rolled back or deleted; delete what is left with sam delete, and sam deploy again"
NOT_THERE = {
    "CREATE_IN_PROGRESS": LATER,
    "CREATE_FAILED": AGAIN,
    "DELETE_IN_PROGRESS": AGAIN,
    "DELETE_COMPLETE": AGAIN,
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """An EventBridge Scheduler schedule of the stack, named as in the template; `event` is what it sends."""

    name: str
    expression: str
    timezone: str
    enabled: bool
    event: Mapping[str, Any]


class Stack:
    """One deployed FastScaler stack."""

    def __init__(
        self, name: str, cloudformation: "CloudFormationClient", scheduler: "EventBridgeSchedulerClient"
    ) -> None:
        self.name = name
        self._cloudformation, self._scheduler = cloudformation, scheduler

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource, by its name in the template. Raises AwsError; NotReady where it is gone."""
        for _, found, physical, status in self._resources:
            if found != logical_id:
                continue
            if physical and status not in NOT_THERE:
                return physical
            why = f"its {logical_id} is {status}: {NOT_THERE.get(status, LATER)}"
            raise NotReady("ListStackResources", status, why)
        why = f"it has no {logical_id}, so it is no FastScaler, or was not deployed to its end"
        raise NotFound("ListStackResources", "MISSING", why)

    def schedules(self) -> list[Schedule]:
        """The stack's schedules, in the order of their names. Raises AwsError."""
        found = []
        for kind, logical, physical, status in self._resources:
            if kind != "AWS::Scheduler::Schedule" or status in NOT_THERE:
                continue
            with calling("GetSchedule"):
                schedule = self._scheduler.get_schedule(Name=physical)
            found.append(
                Schedule(
                    name=logical.removeprefix("ScalerFunction"),
                    expression=schedule["ScheduleExpression"],
                    timezone=schedule.get("ScheduleExpressionTimezone", "UTC"),
                    enabled=schedule.get("State", "ENABLED") == "ENABLED",
                    event=_event(schedule["Target"].get("Input", "{}")),
                )
            )
        return sorted(found, key=lambda one: one.name)

    @cached_property
    def _resources(self) -> list[tuple[str, str, str, str]]:
        """Type, logical id, physical id and status of every resource; those of a stack that was rolled back too."""
        found: list[tuple[str, str, str, str]] = []
        try:
            with calling("ListStackResources"):
                for page in self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name):
                    found += [
                        (
                            one["ResourceType"],
                            one["LogicalResourceId"],
                            one.get("PhysicalResourceId", ""),
                            one["ResourceStatus"],
                        )
                        for one in page["StackResourceSummaries"]
                    ]
        except Rejected as error:
            # CloudFormation's code for a stack that does not exist is ValidationError.
            raise NotFound("ListStackResources", error.code, "there is no such stack") from error
        return found


def _event(text: str) -> Mapping[str, Any]:
    try:
        event = json.loads(text)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
