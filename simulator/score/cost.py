"""What a run would have cost: tasks, and what it takes to scale them. USD, us-east-1, list prices, without free tiers.

Sources: the pricing pages of AWS Fargate (Linux/x86, On-Demand) and Amazon CloudWatch; the loop's prices are those of
`fastscaler.cost`. Not included: Kubernetes' and Knative's control planes, which no page prices per service.
"""

from dataclasses import dataclass

from fastscaler.cost import (
    HOURS,
    LOOP_LOG,
    LOOP_METRICS,
    MEMORY_GB,
    OVERLAP,
    PER_CUSTOM_METRIC,
    PER_GB_SECOND,
    PER_INVOCATION,
    PER_LOG_BYTE,
    PER_METRIC_READ,
    PER_READ_UNIT,
    PER_WRITE_UNIT,
    SCALE_OUT_METRICS,
    SERVICE_LOG,
    SERVICE_METRICS,
    UNITS_PER_WRITE,
)
from simulator.run import Run

PER_VCPU_HOUR, PER_GB_HOUR = 0.04048, 0.004445
PER_PUT = 0.01 / 1_000  # PutMetricData: a call. The price of a metric that is read is the same.
PUBLISHED_METRICS = 3  # Of fastscaler.publisher, shared by all tasks.
PER_ALARM, PER_FAST_ALARM = 0.10, 0.30  # A month; fast: a period below 60 s.
ALARMS = {  # Two for each peer that acts on alarms.
    "aws-target-tracking-60s": 2 * PER_ALARM,
    "aws-target-tracking-20s": 2 * PER_FAST_ALARM,
    "aws-step-scaling": 2 * PER_FAST_ALARM,
}


@dataclass(frozen=True, slots=True)
class TaskSize:
    """What Fargate bills for one task."""

    vcpu: float = 0.5
    gigabytes: float = 1.0

    @property
    def usd_per_hour(self) -> float:
        """Price of one task-hour."""
        return self.vcpu * PER_VCPU_HOUR + self.gigabytes * PER_GB_HOUR


SIZE = TaskSize()


def task_hours(run: Run) -> float:
    """Hours that Fargate bills. Its minimum of one minute a task is left out."""
    return float(run.billed.sum()) / 3600


def cost_usd(run: Run, size: TaskSize = SIZE) -> float:
    """The whole bill of the run: tasks, publishing and control plane."""
    return task_hours(run) * size.usd_per_hour + control_plane_usd(run)


def control_plane_usd(run: Run) -> float:
    """What the scaling costs: metrics published and read, alarms, and FastScaler's own functions and table."""
    hours = len(run.load) / 3600
    usage, month = run.usage, hours / HOURS
    usd = usage.metrics_read * PER_METRIC_READ + usage.published * PER_PUT + ALARMS.get(run.controller, 0.0) * month
    if usage.published:
        usd += PUBLISHED_METRICS * PER_CUSTOM_METRIC * month
    if usage.invocations:
        usd += hours * 3600 * MEMORY_GB * PER_GB_SECOND
        usd += usage.invocations * (OVERLAP * MEMORY_GB * PER_GB_SECOND + PER_INVOCATION + PER_WRITE_UNIT)
        usd += usage.queries * PER_READ_UNIT + usage.memories_written * UNITS_PER_WRITE * PER_WRITE_UNIT
        usd += (LOOP_METRICS + SERVICE_METRICS + SCALE_OUT_METRICS) * PER_CUSTOM_METRIC * month
        usd += (LOOP_LOG + SERVICE_LOG) * hours * PER_LOG_BYTE
    return usd
