"""How many tasks share the load: as many as really run, or a fixed number."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from fastscaler.errors import FastScalerError

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


class TaskCountUnknown(FastScalerError):
    """ECS did not say how many tasks run."""


@dataclass(frozen=True, slots=True)
class FixedTasks:
    """The same number always: a load test without a service."""

    tasks: int

    def read(self) -> int:
        return self.tasks


@dataclass(frozen=True, slots=True)
class RunningTasks:
    """`runningCount` of a service: it closes the loop, since every task the scaler adds takes its share of the load."""

    client: "ECSClient"
    cluster: str
    service: str

    def read(self) -> int:
        """One DescribeServices call; raises `TaskCountUnknown`."""
        try:
            answer = self.client.describe_services(cluster=self.cluster, services=[self.service])
        except ClientError as error:
            raise self._unknown(error.response.get("Error", {}).get("Code", "Unknown")) from error
        except BotoCoreError as error:
            raise self._unknown(f"{type(error).__name__}: {error}") from error
        if not answer["services"]:
            reasons = ", ".join(failure.get("reason", "") for failure in answer["failures"])
            raise self._unknown(reasons or "no such service")
        return answer["services"][0]["runningCount"]

    def _unknown(self, reason: str) -> TaskCountUnknown:
        return TaskCountUnknown(f"cannot tell how many tasks of {self.cluster}/{self.service} run: {reason}")
