"""The oracle: what a controller could do that knew the load and every start-up time beforehand.

It is the limit that the others are measured against: no request is late, with the fewest task-hours (from the launch of
a task to its end). Each task is looked at by itself: the k-th is needed in the seconds whose need is k or more. It is
launched as late as possible, so that it serves from the first such second on. Where it is not needed any more it is
stopped at once, unless that costs more than it saves: a stopped task runs on until it is deregistered, and the next one
runs from its launch, so a gap that is no longer than both together is bridged.

With start-up times that differ this stays free of late requests and nearly the cheapest: tasks are launched in order,
the next launch alone decides which gaps it pays to bridge, and a slow one among those to come keeps tasks that it could
not bring back in time. In the first minute of a run the oracle can be late as well: it has had no time to launch. ECS's
launch limit is not planned for: a service of up to 100 tasks never asks for more than the 100 that start at once (AWS
Fargate throttling quotas).
"""

from collections.abc import Callable, Sequence
from math import ceil

from simulator.peers.bounds import Bounds


class Oracle:
    """Knows the tasks that the load will need, second by second."""

    name = "oracle"
    interval = 1.0

    def __init__(
        self,
        need: Sequence[int],
        lead: Callable[[int], float],
        minimum: int,
        maximum: int,
        deregistration: float = 10.0,
        start: float = 0.0,
    ) -> None:
        """`need`: the fewest tasks that meet the objective, by second from `start` on; later seconds need `minimum`.

        `lead`: seconds from the call to the first request, start-up and health check, of the n-th launch of the run,
        counted from 0. `deregistration`: seconds that a stopping task runs on.

        Raises ValueError where the bounds are not 0 <= minimum <= maximum.
        """
        self._bounds = Bounds(minimum, maximum)
        self._need = [self._bounds.clamp(tasks) for tasks in need]
        self._lead = lead
        self._deregistration = ceil(deregistration)
        self._start = start
        self._launched = 0
        self._started_by = 0  # The second from which on all launched tasks serve.
        self._ahead: tuple[int, int] | None = None  # For how many launches so far, the longest start of those to come.

    def step(self, now: float, desired: int) -> int:
        """The count to set now; it must be called every second, and what it says must be done."""
        second = int(now - self._start)
        # A task that is still starting was launched for a second that is yet to come.
        bridged = max(self._seconds(self._launched) + self._deregistration, self._started_by - second)
        kept = min(desired, self._most(second, bridged))
        if kept < desired:
            kept = min(desired, max(kept, self._not_regained(second, kept)))
        count = max(kept, self._to_launch(second, desired))
        for launch in range(self._launched, self._launched + count - desired):
            self._started_by = max(self._started_by, second + self._seconds(launch))
        self._launched += max(0, count - desired)
        return count

    def _not_regained(self, second: int, kept: int) -> int:
        """The fewest tasks to keep so that later launches, slow ones among them, bring the others back in time."""
        fewest, longest = kept, 0
        for launch in range(self._most(second, self._longest_ahead()) - kept):
            longest = max(longest, self._seconds(self._launched + launch))
            fewest = max(fewest, self._most(second, longest) - launch)
        return fewest

    def _to_launch(self, second: int, desired: int) -> int:
        """The count that may not wait until the next second; 0 where no launch is due."""
        due = 0
        for task in range(desired, self._most(second, self._longest_ahead())):
            if self._most(second, self._seconds(self._launched + task - desired)) > task:
                due = task + 1
        return due

    def _longest_ahead(self) -> int:
        """The longest start of the launches that one step could make."""
        if self._ahead is None or self._ahead[0] != self._launched:
            launches = range(self._launched, self._launched + self._bounds.maximum)
            self._ahead = (self._launched, max((self._seconds(launch) for launch in launches), default=0))
        return self._ahead[1]

    def _most(self, second: int, seconds: int) -> int:
        """The highest need from `second` to `seconds` later."""
        return max(self._need[second : second + seconds + 1], default=self._bounds.minimum)

    def _seconds(self, launch: int) -> int:
        return ceil(self._lead(launch))
