"""The rules of a step table: Application Auto Scaling's own, and that every step can be reached.

Source: Application Auto Scaling API reference, StepAdjustment: ranges without overlap or gap; a negative lower bound
needs a step without lower bound, a positive upper bound one without upper bound; never both absent in one step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from fastscaler.document.block import Block, Finding

LOWER, UPPER = "MetricIntervalLowerBound", "MetricIntervalUpperBound"


@dataclass(frozen=True, slots=True)
class _Step:
    block: Block
    lower: float
    upper: float


def step_table_findings(policy: Block) -> Iterator[Finding]:
    """What is wrong with the step table of one step scaling policy, as far as its keys can be read."""
    configuration = policy.block("StepScalingPolicyConfiguration")
    yield from _adjustment_findings(configuration)
    steps = _readable_steps(configuration)
    ill_formed = list(_bound_findings(steps))
    yield from ill_formed
    if not ill_formed:  # Order means nothing yet: a step upside down would be reported a second time as a gap.
        yield from _order_findings(steps)
        yield from _open_end_findings(steps)
        yield from _unreachable_findings(steps, policy.text("ComparisonOperator"))


def plain_number(value: float) -> str:
    """The number as a person writes it: 50, not 50.0."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else str(float(value))


def _adjustment_findings(configuration: Block) -> Iterator[Finding]:
    adjustment_type = configuration.text("AdjustmentType")
    if adjustment_type == "ExactCapacity":
        for step in configuration.listed("StepAdjustments"):
            if (step.number("ScalingAdjustment") or 0) < 0:
                yield step.finding(
                    "ScalingAdjustment", "must be 0 or more with ExactCapacity, where it is the count to have"
                )
    known_other = adjustment_type in ("ChangeInCapacity", "ExactCapacity")
    # EC2 Auto Scaling answers "not supported by the specified adjustment type"; a floor that is ignored would mislead.
    if known_other and configuration.number("MinAdjustmentMagnitude") is not None:
        yield configuration.finding(
            "MinAdjustmentMagnitude", "must be left out; it applies to PercentChangeInCapacity only"
        )


def _readable_steps(configuration: Block) -> list[_Step]:
    """All steps, or none where a bound of one of them cannot be read: half a table must not be judged."""
    steps = []
    for block in configuration.listed("StepAdjustments"):
        lower, upper = block.number(LOWER, -inf), block.number(UPPER, inf)
        if lower is None or upper is None or not block.readable:
            return []
        steps.append(_Step(block, lower, upper))
    return steps


def _bound_findings(steps: list[_Step]) -> Iterator[Finding]:
    for step in steps:
        if (step.lower, step.upper) == (-inf, inf):
            yield Finding(
                step.block.location, f"must be a step with {LOWER}, {UPPER} or both", value="a step without bounds"
            )
        elif step.lower >= step.upper:
            yield step.block.finding(UPPER, f"must be above the step's own {LOWER} ({plain_number(step.lower)})")


def _order_findings(steps: list[_Step]) -> Iterator[Finding]:
    for before, after in pairwise(sorted(steps, key=lambda step: (step.lower, step.upper))):
        if after.lower == -inf:
            yield after.block.finding(LOWER, "is required; only the lowest step may have no lower bound")
        elif before.upper == inf:
            begins = plain_number(after.lower)
            yield before.block.finding(
                UPPER, f"must be {begins}, where the next step begins; only the highest step may have no upper bound"
            )
        elif after.lower != before.upper:
            wrong = "overlap" if after.lower < before.upper else "leave a gap"
            ends = plain_number(before.upper)
            yield after.block.finding(LOWER, f"must be {ends}, where the step below ends; steps must not {wrong}")


def _open_end_findings(steps: list[_Step]) -> Iterator[Finding]:
    if not steps:
        return
    lowest, highest = min(steps, key=lambda step: step.lower), max(steps, key=lambda step: step.upper)
    if 0 < highest.upper < inf:
        yield highest.block.finding(
            UPPER, "must be left out in the highest step; a table with a bound above 0 is open at its upper end"
        )
    if -inf < lowest.lower < 0:
        yield lowest.block.finding(
            LOWER, "must be left out in the lowest step; a table with a bound below 0 is open at its lower end"
        )


def _unreachable_findings(steps: list[_Step], operator: str | None) -> Iterator[Finding]:
    """Steps outside what `ComparisonOperator` lets through: whoever wrote one expects it to act, and it never would."""
    for step in steps:
        unreachable = {
            "GreaterThanThreshold": step.upper <= 0,
            "GreaterThanOrEqualToThreshold": step.upper < 0,
            "LessThanThreshold": step.lower >= 0,
            "LessThanOrEqualToThreshold": step.lower > 0,
        }
        if operator is not None and unreachable.get(operator):
            above = operator.startswith("Greater")
            key, side = (UPPER, "above") if above else (LOWER, "below")
            yield step.block.finding(
                key,
                f"must be {side} 0 with {operator}, or the step is never reached; it needs a policy of its own",
            )
