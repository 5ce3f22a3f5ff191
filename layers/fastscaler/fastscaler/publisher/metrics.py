"""What a task says about one bucket: the metrics, their units and their samples, before any sink's format."""

from dataclasses import dataclass
from typing import Literal

REQUESTS_PER_SECOND = "RequestsPerSecond"
AVERAGE_RESPONSE_TIME = "AverageResponseTime"
ACTIVE_CONNECTIONS = "ActiveConnections"
SERVER_ERRORS = "HTTPCode_Target_5XX_Count"  # The load balancer's name for the same count.

# Seconds, like the load balancer's own TargetResponseTime, so that one threshold and one chart axis serve both.
UNITS: dict[str, Literal["Count/Second", "Seconds", "Count"]] = {
    REQUESTS_PER_SECOND: "Count/Second",
    AVERAGE_RESPONSE_TIME: "Seconds",
    ACTIVE_CONNECTIONS: "Count",
    SERVER_ERRORS: "Count",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A value and how many times it occurred within the bucket."""

    value: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one bucket. The unit follows from the name (`UNITS`)."""

    name: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class BucketMetrics:
    """All metrics of one bucket, stamped with its start (epoch seconds): the unit in which sinks are handed data."""

    start: int
    metrics: tuple[Metric, ...]
