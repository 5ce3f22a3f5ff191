"""Rules between the keys of an event."""

from collections.abc import Mapping, Set

from fastscaler.errors import Problem
from fastscaler.event_problems import problem

# Two keys of which the first must be the smaller, and whether they may be equal.
_ORDER = (
    ("BaseRequestsPerSecond", "PeakRequestsPerSecond", True),
    ("StepAtSeconds", "DurationSeconds", False),
    ("RampAtSeconds", "DurationSeconds", False),
    ("SpikeAtSeconds", "DurationSeconds", False),
    ("RestSeconds", "DurationSeconds", False),
)


def order_problems(event: Mapping[str, object], wrong: Set[str]) -> list[Problem]:
    """Rules between two keys, neither of which is `wrong` by itself."""
    problems = []
    for low, high, equal_allowed in _ORDER:
        first, second = event.get(low), event.get(high)
        if {low, high} & wrong or not isinstance(first, int | float) or not isinstance(second, int | float):
            continue
        if first > second or (first == second and not equal_allowed):
            allowed = f"must be {'at most' if equal_allowed else 'less than'} {high}, which is {second}"
            problems.append(problem(low, first, allowed))
    return problems
