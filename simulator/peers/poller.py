"""A poller with a fixed table of absolute counts, as home-made scalers have it.

Every 3 s it averages the requests in flight of the first three tasks, looks the average up in a table of absolute
counts, sets the count and waits 60 s. It never scales in.
"""

from collections.abc import Sequence
from itertools import pairwise

# Requests in flight per task from which a count is set, and that count (tasks).
Table = tuple[tuple[float, int], ...]
TABLE: Table = ((50, 2), (100, 10), (300, 15), (500, 20))

SAMPLED_TASKS = 3


def scaled_table(first_threshold: float, maximum: int) -> Table:
    """TABLE for a service of another size: thresholds from `first_threshold` on, counts up to `maximum` tasks."""
    (smallest, _), (_, largest) = TABLE[0], TABLE[-1]
    return tuple(
        (threshold * first_threshold / smallest, max(1, round(count * maximum / largest))) for threshold, count in TABLE
    )


class Poller:
    """Sets the count of the highest row that the average reaches."""

    name = "fixed-table-poller"
    interval = 3.0

    def __init__(self, table: Table = TABLE, wait: float = 60.0) -> None:
        """`wait`: seconds without a look after a count was set.

        Raises ValueError for a table whose thresholds do not rise.
        """
        if any(lower >= upper for (lower, _), (upper, _) in pairwise(table)):
            raise ValueError("the poller's table must have rising thresholds")
        self._table = table
        self._wait = wait
        self._blind_until: float | None = None

    def step(self, now: float, desired: int, in_flight: Sequence[float]) -> int | None:
        """`in_flight`: requests in flight of each running task, the oldest task first; empty: nothing to look at."""
        if not in_flight or (self._blind_until is not None and now < self._blind_until):
            return None
        sample = in_flight[:SAMPLED_TASKS]
        average = sum(sample) / len(sample)
        count = max((count for threshold, count in self._table if average >= threshold), default=0)
        if count <= desired:
            return None
        self._blind_until = now + self._wait
        return count
