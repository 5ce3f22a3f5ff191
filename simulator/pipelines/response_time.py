"""The application's response time: a statistic over requests, which tells nothing of how many tasks have reported."""

from collections.abc import Callable
from math import exp

import numpy as np

from simulator.draws import Floats
from simulator.world import World

KEPT_SECONDS = 600  # Of periods that are kept: more than any reader looks back.


class ResponseTime:
    """The metric AverageResponseTime in seconds, in periods of `period` seconds.

    A request counts when it is answered; lost ones are not. All tasks of a period become visible at once, after the
    delay of one call: what a single late one changes in a statistic over all requests is little.
    Raises ValueError for a statistic that is neither CloudWatch's Average, Minimum, Maximum nor a percentile.
    """

    def __init__(self, world: World, period: int, statistic: str) -> None:
        self._world, self._period, self._statistic = world, period, _statistic(statistic)
        self._answered: dict[int, list[tuple[Floats, float]]] = {}  # By period: response times, requests at each.
        self._visible: list[tuple[float, int, float]] = []  # Visible from, start, value.
        world.every(1, self._record)
        world.every(period, self._close)

    def datapoints(self, now: float, window: float) -> list[tuple[float, float]]:
        """(start, seconds) of the periods of the last `window` seconds that can be seen at `now`, oldest first."""
        return [(start, value) for visible, start, value in self._visible if visible <= now and start >= now - window]

    def _record(self, now: int) -> None:
        tasks = self._world.healthy[-1]
        if not tasks or not (requests := self._world.load[-1] - self._world.lost[-1]):
            return
        responses = np.atleast_1d(np.asarray(self._world.service.responses))
        answered = (now - 0.5 + responses) // self._period * self._period
        for start in np.unique(answered):
            among = responses[answered == start]
            entry = (among, requests / len(responses))
            self._answered.setdefault(int(start), []).append(entry)

    def _close(self, now: int) -> None:
        start = now - self._period
        settings, draws = self._world.settings, self._world.draws
        delay = settings.visibility_median * exp(
            settings.visibility_sigma * float(draws.normal("visibility", 0, now // self._period))
        )
        for done in [one for one in self._answered if one <= start]:
            found = self._answered.pop(done)
            values = np.concatenate([responses for responses, _ in found])
            weights = np.concatenate([np.full(len(responses), each) for responses, each in found])
            visible = now + settings.publish_jitter + delay
            self._visible.append((visible, done, self._statistic(values, weights)))
        self._visible = [one for one in self._visible if one[1] > now - KEPT_SECONDS]


def _statistic(name: str) -> Callable[[Floats, Floats], float]:
    """A statistic of values, each of which stands for so many requests."""
    if name == "Average":
        return lambda values, weights: float(np.average(values, weights=weights))
    if name in ("Minimum", "Maximum"):
        extreme = np.min if name == "Minimum" else np.max
        return lambda values, weights: float(extreme(values))
    if not name.startswith("p"):
        raise ValueError(f"Statistic = {name}: must be Average, Minimum, Maximum or a percentile")
    share = float(name[1:]) / 100

    def percentile(values: Floats, weights: Floats) -> float:
        order = np.argsort(values)
        reached = weights[order].cumsum()
        return float(values[order][min(np.searchsorted(reached, share * reached[-1]), len(values) - 1)])

    return percentile
