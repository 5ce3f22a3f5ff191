"""One policy on its way into the document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastscaler.migration.commented_yaml import Note
from fastscaler.migration.metrics import Answer, Blocks

LONGEST_WAIT = 3600  # Seconds; the most that a cooldown or a window of the document can be.
AWS_COOLDOWN = 300  # Seconds; Application Auto Scaling's default for ECS services, of every cooldown.


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long AWS watches before it takes tasks away: seconds, and what says so."""

    seconds: int
    why: str


@dataclass(frozen=True, slots=True)
class Carried:
    """One entry of Policies, Metrics with what it reads, and what it means for Behavior.

    Cooldowns are a target tracking policy's own, in seconds; None where it has none. `waiting` is for scale-in.
    """

    block: Mapping[str, Any]
    metrics: Blocks
    notes: tuple[Note, ...] = ()
    scales_in: bool = False
    waiting: Waiting | None = None
    scale_in_cooldown: int | None = None
    scale_out_cooldown: int | None = None


def datapoints(alarm: Answer) -> tuple[int, int, int | None]:
    """Of how many datapoints how many must breach until the alarm acts, and their period in seconds."""
    evaluated = alarm.get("EvaluationPeriods", 1)
    periods = [alarm.get("Period")]
    periods += [query["MetricStat"].get("Period") for query in alarm.get("Metrics", []) if "MetricStat" in query]
    return alarm.get("DatapointsToAlarm") or evaluated, evaluated, next((period for period in periods if period), None)


def waiting_for(alarm: Answer) -> Waiting | None:
    """What scale-in waits for with this alarm; None where it acts on one datapoint."""
    _, evaluated, period = datapoints(alarm)
    if evaluated < 2 or period is None:
        return None
    why = f"alarm {alarm['AlarmName']} looks at {evaluated} datapoints of {period} s"
    return Waiting(evaluated * period, why)
