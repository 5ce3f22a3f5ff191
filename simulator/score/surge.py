"""How fast a surge was answered: the call, the capacity, the last late request. Seconds from the surge; None: never."""

import numpy as np

from simulator.run import Run


def reaction_seconds(run: Run, surge_at: float, until: float) -> float | None:
    """To the return of the first UpdateService call that raises the count, before `until`."""
    returned = (call.at for call in run.calls if call.after > call.before and surge_at <= call.at < until)
    first = next(returned, None)
    return None if first is None else first - surge_at


def capacity_seconds(run: Run, surge_at: float, until: float) -> float | None:
    """To the first second in which as many tasks are healthy as the highest load before `until` needs."""
    seconds = slice(int(surge_at), int(until))
    need = max(run.settings.need(run.load[seconds].tolist()))
    enough = np.flatnonzero(run.healthy[seconds] >= need)
    return max(0.0, int(surge_at) + int(enough[0]) - surge_at) if len(enough) else None


def recovery_seconds(run: Run, surge_at: float, until: float) -> float | None:
    """To the end of the last second before `until` with a late or lost request; 0 without any.

    None where requests are still late at `until`: the surge was not recovered from.
    """
    troubled = np.flatnonzero((run.late + run.lost)[int(surge_at) : int(until)] > 0)
    if not len(troubled):
        return 0.0
    end = int(surge_at) + int(troubled[-1]) + 1
    return None if end >= int(until) else end - surge_at
