"""What a controller did to and fro."""

from collections.abc import Sequence
from itertools import pairwise

from simulator.run import Call, Run

FLAP_SECONDS = 300  # Kubernetes' default window for scale-in: a change that is taken back within it was a flap.
RETRIGGER_SECONDS = 120  # A scale-in that a scale-out follows so soon took away what was needed.


def turns(calls: Sequence[Call]) -> list[float]:
    """Seconds between the two calls, for each pair that raises the count and then lowers it, or the other way round."""
    return [
        later.at - one.at
        for one, later in pairwise(_changes(calls))
        if (one.after > one.before) != (later.after > later.before)
    ]


def direction_changes(run: Run, within: float = float("inf")) -> int:
    """How often the count changed its direction within so many seconds."""
    return sum(seconds <= within for seconds in turns(run.calls))


def retriggers(run: Run) -> int:
    """Scale-ins that a scale-out followed within two minutes."""
    return sum(
        one.after < one.before and later.after > later.before and later.at - one.at <= RETRIGGER_SECONDS
        for one, later in pairwise(_changes(run.calls))
    )


def peak_over_need(run: Run) -> float:
    """The highest desired count, relative to the fewest tasks that meet the objective at the highest load.

    `minimum` tasks are always needed.
    """
    need = max(run.settings.minimum, max(run.settings.need(run.load.tolist())))
    return float(run.desired.max()) / need


def _changes(calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.after != call.before]
