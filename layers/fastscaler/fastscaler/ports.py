"""What the loop needs of the world, as small as it needs it. The adapters in `aws/` and the fakes of the tests fit."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Protocol

from fastscaler.errors import AwsError
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import FailedLaunch, ServiceState

if TYPE_CHECKING:
    from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
    from fastscaler.aws.dynamodb import Head, Takeover


class Clock(Protocol):
    """Time, in epoch seconds."""

    def now(self) -> float:
        """The time."""

    def sleep(self, seconds: float) -> None:
        """Waits; not at all for zero or less."""


class Threads(Protocol):
    """Makes what runs calls beside the loop: `ThreadPoolExecutor`, or in simulated time what runs each at once."""

    def __call__(self, most: int, name: str, /) -> Executor:
        """For up to `most` calls at once, in threads whose names begin with `name`."""


class MetricSource(Protocol):
    """Where the load is read."""

    def read(self, reads: "Sequence[MetricRead]", now: float) -> "Mapping[MetricName, Answer]":
        """Datapoints up to `now` per metric, or the error that kept them away."""


class ServiceApi(Protocol):
    """Where services are read and scaled. Services are named `cluster/service`."""

    def describe(self, services: Sequence[str]) -> Mapping[str, ServiceState | AwsError]:
        """The state of each service, or the error that kept it away."""

    def update(self, service: str, desired: int) -> None:
        """Sets the desired count. Raises Unavailable if its effect is unknown, another AwsError if it has none."""


class TargetHealth(Protocol):
    """Where the last stage of the latency ledger is read."""

    def healthy(self, target_groups: Sequence[str]) -> int:
        """Targets that are healthy in all of these target groups. Raises AwsError."""


class StoppedTasks(Protocol):
    """Where the launches that failed are read."""

    def failed_launches(self, service: str) -> Sequence[FailedLaunch]:
        """Tasks of `service` that stopped lately before they were RUNNING. Raises AwsError."""


class ScalableTargets(Protocol):
    """Where other scalers of the same services are found."""

    def competitors(self, services: Sequence[str]) -> Mapping[str, str]:
        """What Application Auto Scaling may do to each of up to 50 services; empty for nothing. Raises AwsError."""


class StateStore(Protocol):
    """What survives an invocation, behind a fence: see `aws.dynamodb`."""

    def take_over(self) -> int:
        """Makes the caller the one writer; its epoch. Raises AwsError."""

    def read_all(self) -> "Takeover":
        """Memory and directives: after a take-over all that the predecessor wrote. Raises AwsError."""

    def poll(self) -> "Head":
        """The epoch and the directives. Raises AwsError."""

    def save(self, epoch: int, memories: Mapping[str, Memory]) -> None:
        """Writes memories if `epoch` still holds. Raises Superseded, AwsError."""
