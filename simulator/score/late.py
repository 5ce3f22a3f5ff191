"""When requests were late."""

from collections.abc import Sequence

from simulator.run import Run

GAP = 60  # Seconds: what is closer together is one trouble to whoever looks into it.


def late_periods(run: Run, gap: int = GAP) -> Sequence[tuple[int, int]]:
    """From which second to which requests were late or lost; what is at most `gap` seconds apart is one period."""
    found: list[tuple[int, int]] = []
    for second in ((run.late + run.lost) > 0).nonzero()[0].tolist():
        if found and second - found[-1][1] <= gap:
            found[-1] = (found[-1][0], second + 1)
        else:
            found.append((second, second + 1))
    return found
