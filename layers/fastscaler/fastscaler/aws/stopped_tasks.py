"""Reads the tasks of a service that stopped before they were RUNNING."""

from typing import TYPE_CHECKING

from fastscaler.aws.calls import BRIEF, calling
from fastscaler.scaling.observation import FailedLaunch

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TaskTypeDef

MAX_TASKS = 100  # ListTasks answers and DescribeTasks takes at most 100; one page of each is enough to know.
# Stop codes of a task that could not start. The others say that somebody or something ended it while it might have
# started: a scale-in, a person, a deployment, Spot (ECS Developer Guide, stopped tasks error codes).
FAILED = {"TaskFailedToStart", "EssentialContainerExited"}
REASON_LENGTH = 160  # Characters of a reason; ECS's name the error first, and can go on for a kilobyte.


class EcsStoppedTasks:
    """The port `StoppedTasks`, on ECS. Its client is made when it is first needed."""

    def __init__(self, client: "ECSClient | None" = None) -> None:
        self._client = client

    def failed_launches(self, service: str) -> list[FailedLaunch]:
        """Tasks of `service` (`cluster/service`) that stopped before RUNNING, of those that ECS still knows.

        Stopped tasks stay for about an hour. At most 100 are looked at. Raises AwsError.
        """
        cluster, name = service.split("/", 1)
        with calling("ListTasks"):
            if self._client is None:
                import boto3

                self._client = boto3.client("ecs", config=BRIEF)
            listed = self._client.list_tasks(
                cluster=cluster, serviceName=name, desiredStatus="STOPPED", maxResults=MAX_TASKS
            )
        if not listed["taskArns"]:
            return []
        with calling("DescribeTasks"):
            described = self._client.describe_tasks(cluster=cluster, tasks=listed["taskArns"])
        return [failed for task in described["tasks"] if (failed := _failed_launch(task)) is not None]


def _failed_launch(task: "TaskTypeDef") -> FailedLaunch | None:
    """The task as a failed launch; None where it is none. `startedAt` is when a task came from PENDING to RUNNING."""
    # A task whose network interface is still being taken away is stopping for some ten seconds before it has stopped.
    at = task.get("stoppedAt") or task.get("stoppingAt")
    code = task.get("stopCode", "")
    if at is None or "startedAt" in task or code not in FAILED:
        return None
    reason = " ".join(task.get("stoppedReason", code).split())
    if len(reason) > REASON_LENGTH:
        reason = f"{reason[: REASON_LENGTH - 3]}..."
    return FailedLaunch(at.timestamp(), reason)
