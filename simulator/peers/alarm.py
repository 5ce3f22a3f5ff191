"""A CloudWatch alarm whose action is a scaling policy.

Sources: Amazon CloudWatch user guide, "Alarm evaluation" and "Alarm actions". An alarm is in ALARM while its newest
datapoints all breach. An Auto Scaling action is invoked when the alarm enters ALARM, and then once per minute for as
long as it stays there.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import itemgetter

# Start of the period (seconds) and value, oldest first: what CloudWatch shows at that moment.
Datapoints = Sequence[tuple[float, float]]

REPEAT_SECONDS = 60.0

# An alarm retrieves more datapoints than it evaluates, to bridge missing ones; CloudWatch's own example is five for
# three. With more missing than that it has insufficient data.
SPARE_PERIODS = 2

_timestamp = itemgetter(0)


class Alarm:
    """N of N datapoints of one period length."""

    def __init__(
        self, period: float, datapoints: int, breaches: Callable[[float], bool], evaluation_delay: float = 0.0
    ) -> None:
        """A period is evaluated `evaluation_delay` seconds after its end, or once its datapoint is visible."""
        self._period = period
        self._datapoints = datapoints
        self._breaches = breaches
        self._evaluation_delay = evaluation_delay
        self._invoked_at: float | None = None

    def action(self, now: float, visible: Datapoints) -> float | None:
        """The newest value (the metric's unit) if the action is invoked now, else None."""
        value = self._breaching_value(now - self._evaluation_delay, visible)
        if value is None:
            self._invoked_at = None
            return None
        if self._invoked_at is not None and now - self._invoked_at < REPEAT_SECONDS:
            return None
        self._invoked_at = now
        return value

    def _breaching_value(self, evaluated: float, visible: Datapoints) -> float | None:
        end = bisect_right(visible, evaluated - self._period, key=_timestamp)
        newest = visible[max(0, end - self._datapoints) : end]
        oldest_allowed = evaluated - (self._datapoints + 1 + SPARE_PERIODS) * self._period
        if len(newest) < self._datapoints or newest[0][0] <= oldest_allowed:
            return None
        return newest[-1][1] if all(self._breaches(value) for _, value in newest) else None
