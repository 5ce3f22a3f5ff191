"""What goes into a simulation and what comes out of it, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Trace:
    """Traffic: `load[second]` in requests/s."""

    name: str
    load: Sequence[float]

    def __post_init__(self) -> None:
        if not len(self.load):
            raise ValueError(f"trace {self.name}: must have at least one second")
        if not all(0 <= one < float("inf") for one in self.load):
            raise ValueError(f"trace {self.name}: every load must be a number of at least 0")


@dataclass(slots=True)
class Call:
    """One UpdateService call: when it returned (seconds of the run), and the desired count before and after."""

    at: float
    before: int
    after: int
    reason: str = ""


@dataclass(slots=True)
class Usage:
    """What the control plane used: what a bill, or a quota, would count."""

    metrics_read: int = 0  # GetMetricData: metrics, each time they are read. Statistics of one metric count once.
    metric_calls: int = 0  # GetMetricData: calls.
    published: int = 0  # PutMetricData: calls, one per publishing task and bucket.
    described: int = 0  # DescribeServices: calls.
    health_described: int = 0  # DescribeTargetHealth: calls.
    updates: int = 0  # UpdateService: calls.
    queries: int = 0  # DynamoDB: strongly consistent Queries of up to 4 KB.
    memories_written: int = 0  # DynamoDB: memories written, each a transaction of two items with its check.
    invocations: int = 0  # Lambda: starts. One runs at any time.
    looks: int = 0
    looks_again: int = 0  # Of them, those at a bucket that was late.


@dataclass(frozen=True, slots=True)
class Run:
    """One controller on one trace. The arrays hold a figure per second.

    Requests: `load` came in this second, and of those `late` took longer than the objective; `lost` were given up and
    `served` finished in this second, `queue` waits at its end. Tasks: `desired`, `running` (ECS's runningCount),
    `healthy` (they take requests) and `billed` (by Fargate) at its end. `seconds` is what the simulation took.
    """

    trace: str
    controller: str
    seed: int
    settings: Settings
    load: NDArray[np.float64]
    served: NDArray[np.float64]
    late: NDArray[np.float64]
    lost: NDArray[np.float64]
    queue: NDArray[np.float64]
    desired: NDArray[np.int64]
    running: NDArray[np.int64]
    healthy: NDArray[np.int64]
    billed: NDArray[np.int64]
    calls: tuple[Call, ...]
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
