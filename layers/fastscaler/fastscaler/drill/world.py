"""What a drill uses of an account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fastscaler.drill.aws_clock import Heads
from fastscaler.drill.jobs import Background, Job
from fastscaler.ports import Clock, MetricSource, ServiceApi

if TYPE_CHECKING:
    from fastscaler.aws.function_log import Record


class Functions(Protocol):
    """The stack's functions."""

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """What the function answers. Raises FunctionFailed, AwsError."""

    def start(self, function: str, event: Mapping[str, Any]) -> None:
        """Has it run without waiting. Raises AwsError."""


class Log(Protocol):
    """The scaler's log."""

    def read(self, since: float) -> "list[Record]":
        """The records from `since` (epoch seconds) on. Raises AwsError."""


@dataclass(frozen=True, slots=True)
class World:
    """What a drill uses of the account; `say` tells the person who waits, `begin` starts an invocation beside it."""

    functions: Functions
    scaler: str
    synthetic: str
    metrics: MetricSource
    ecs: ServiceApi
    log: Log
    table: Heads
    clock: Clock
    say: Callable[[str], None]
    begin: Callable[[Callable[[], Any]], Job] = Background
