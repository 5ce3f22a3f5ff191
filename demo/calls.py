"""What was asked of the stand-in: every call, who made it, how it ended, and what AWS would bill for."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from threading import Lock
from typing import Any


@dataclass(frozen=True)
class Call:
    """One API call. Times are epoch seconds of the stand-in's clock; `error` is the AWS error code, or None.

    `caller` is the SDK's application id (environment variable AWS_SDK_UA_APP_ID), or "".
    """

    operation: str
    caller: str
    started: float
    finished: float
    status: int
    error: str | None


@dataclass
class CallLog:
    """All calls since the start or the last reset, oldest first."""

    calls: list[Call] = field(default_factory=list)
    billed: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = Lock()

    def record(self, call: Call) -> None:
        with self._lock:
            self.calls.append(call)

    def bill(self, at: float, queries: Iterable[dict[str, Any]]) -> None:
        with self._lock:
            self.billed.append((at, billed_metrics(queries)))

    def of(self, operation: str, caller: str | None = None) -> list[Call]:
        """The calls of one operation, by everybody or by one caller."""
        with self._lock:
            return [c for c in self.calls if c.operation == operation and caller in (None, c.caller)]

    def counts(self, caller: str | None = None) -> dict[str, int]:
        """Calls per operation, failed ones included, by everybody or by one caller."""
        with self._lock:
            return dict(sorted(Counter(c.operation for c in self.calls if caller in (None, c.caller)).items()))

    def billed_between(self, start: float, end: float) -> int:
        """Metrics that GetMetricData calls in [start, end) are billed for."""
        with self._lock:
            return sum(metrics for at, metrics in self.billed if start <= at < end)

    @property
    def billed_metrics(self) -> int:
        """Metrics that all GetMetricData calls are billed for."""
        return self.billed_between(float("-inf"), float("inf"))

    def reset(self) -> None:
        with self._lock:
            self.calls.clear()
            self.billed.clear()


def billed_metrics(queries: Iterable[dict[str, Any]]) -> int:
    """CloudWatch pricing: up to five statistics of one metric in one call count as one metric."""
    statistics: dict[object, set[object]] = {}
    for query in queries:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        dimensions = frozenset((d["Name"], d["Value"]) for d in metric.get("Dimensions", []))
        key = (metric["Namespace"], metric["MetricName"], dimensions)
        statistics.setdefault(key, set()).add((stat["Stat"], stat["Period"]))
    return sum(ceil(len(found) / 5) for found in statistics.values())
