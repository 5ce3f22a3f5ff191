"""What the scaler logged, as one Invocation per log stream."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Invocation:
    """One invocation of the scaler that took over, by its log records. `epoch` is the one that it was given."""

    epoch: int
    records: Sequence[dict[str, Any]]

    def of(self, message: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["message"] == message]

    @property
    def looks(self) -> list[float]:
        """When it looked, in epoch seconds."""
        return [record["now"] for record in self.of("tick")]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        return [record for record in self.of("decision") if record["applied"]]

    @property
    def ended(self) -> str | None:
        """Why it ended; None where the emulator ended it."""
        return next((record["why"] for record in self.of("ended")), None)


def invocations(streams: Iterable[Sequence[str]]) -> list[Invocation]:
    """The invocations that took over, by epoch; directives and observations are left out."""
    found = []
    for messages in streams:
        records = _records(messages)
        epoch = next((record["epoch"] for record in records if record["message"] == "started"), 0)
        if epoch:
            found.append(Invocation(epoch, records))
    return sorted(found, key=lambda invocation: invocation.epoch)


def hand_over_gaps(found: Sequence[Invocation]) -> list[float]:
    """Seconds between the last look of each invocation and the first of its successor."""
    return [after.looks[0] - before.looks[-1] for before, after in pairwise(found)]


def _records(messages: Iterable[str]) -> list[dict[str, Any]]:
    records = []
    for message in messages:
        try:
            record = json.loads(message)
        except ValueError:
            continue
        if isinstance(record, dict) and "message" in record:
            records.append(record)
    return records
