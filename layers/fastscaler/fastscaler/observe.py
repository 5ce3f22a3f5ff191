"""Adapters for an invocation that only observes: it reads what there is, decides, reports, and leaves no trace."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from fastscaler.aws.dynamodb import Head, Takeover
from fastscaler.errors import AwsError, NotFound
from fastscaler.look import Look
from fastscaler.loop import Ending, Report
from fastscaler.scaling.memory import Memory

NO_EPOCH = 0  # The first one that is taken is 1.


class ReadableState(Protocol):
    """What an observer reads of the state table."""

    def read_all(self) -> Takeover:
        """State, memory and directives without taking over. Raises AwsError."""

    def poll(self) -> Head:
        """The epoch and the directives. Raises AwsError."""


class ReadOnlyStore:
    """The port `StateStore` for an observer: takes nothing over, is never superseded, writes nothing.

    Before the first deployment there is no table; an observer then starts from no memory, and `found` is False.
    """

    def __init__(self, table: ReadableState) -> None:
        self._table = table
        self.found = True

    def take_over(self) -> int:
        """Nothing is taken over; an epoch that stands for none."""
        return NO_EPOCH

    def read_all(self) -> Takeover:
        """What a take-over would start from. Raises AwsError."""
        try:
            return self._table.read_all()
        except NotFound:
            self.found = False
            return Takeover(NO_EPOCH, (), {})

    def poll(self) -> Head:
        """The directives, under an epoch that nobody ends. Raises AwsError."""
        if not self.found:
            return Head(NO_EPOCH, ())
        head = self._table.poll()
        return Head(NO_EPOCH, head.directives, head.date)

    def save(self, epoch: int, memories: Mapping[str, Memory]) -> None:
        """Nothing is written."""


class LastLook:
    """Passes every report on, and keeps the last decision of each service for the invocation's answer."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.services: dict[str, dict[str, Any]] = {}

    def started(self, epoch: int, services: int) -> None:
        """Passed on."""
        self._report.started(epoch, services)

    def failed(self, doing: str, error: AwsError) -> None:
        """Passed on."""
        self._report.failed(doing, error)

    def ended(self, epoch: int, why: Ending) -> None:
        """Passed on."""
        self._report.ended(epoch, why)

    def looked(self, look: Look) -> None:
        """Passed on, and kept."""
        self._report.looked(look)
        for name, error in look.errors:
            if name:
                self.services[name] = {"error": str(error)}
        for name, decision in look.decisions.items():
            self.services[name] = {
                "current": decision.current,
                "desired": decision.desired,
                "running": look.states[name].running,
                "reason": decision.reason,
                "trail": [asdict(step) for step in decision.trail],
                "load": {key: round(load.shown, 3) for key, load in decision.loads.items()},
                "conflict": decision.memory.conflict or None,
            }
