"""Reads what a function has logged. FilterLogEvents is not billed, unlike Logs Insights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastscaler.aws.calls import calling

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

# A bound, not a rule: three minutes of 1,000 services at INFO are below 5 MB. What is beyond it is the oldest. Pages
# are not counted, since FilterLogEvents may answer with empty ones before the last.
MAX_CHARACTERS = 50_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """One structured record, and when it was logged (epoch seconds)."""

    at: float
    fields: Mapping[str, Any]

    @property
    def message(self) -> str:
        """What it is about; empty for a metric record."""
        return str(self.fields.get("message", ""))


class FunctionLog:
    """The log group of one function."""

    def __init__(self, client: "CloudWatchLogsClient", group: str) -> None:
        self._client, self.group = client, group

    def read(self, since: float) -> list[Record]:
        """The JSON records logged from `since` (epoch seconds) on, oldest first. Raises AwsError.

        Of more than `MAX_CHARACTERS` the newest are returned.
        """
        request: dict[str, Any] = {
            "logGroupName": self.group,
            "startTime": int(since * 1000),
            "startFromHead": False,  # Newest first, so that the bound cuts off the oldest.
        }
        found, characters = [], 0
        while characters < MAX_CHARACTERS:
            with calling("FilterLogEvents"):
                page = self._client.filter_log_events(**request)
            for event in page["events"]:
                message = event.get("message", "")
                characters += len(message)
                fields = _fields(message)
                if fields is not None:
                    found.append(Record(event.get("timestamp", 0) / 1000, fields))
            if "nextToken" not in page:
                break
            request["nextToken"] = page["nextToken"]
        if found and found[0].at >= found[-1].at:
            found.reverse()  # Or the records of one millisecond would stay in the wrong order.
        return sorted(found, key=lambda record: record.at)


def _fields(message: str) -> Mapping[str, Any] | None:
    """The record in a line; None for Lambda's own lines."""
    if not message.startswith("{"):
        return None
    try:
        fields = json.loads(message)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
