"""Metrics of AWS's own: CPU of the ECS service, and the counters of the load balancer. Datapoints are oldest first."""

from simulator.world import World

MINUTE = 60
KEPT_SECONDS = 1800  # Of CPU datapoints: twice what an alarm over 15 minutes looks back.


class CpuUtilization:
    """AWS/ECS CPUUtilization, Average, in percent, in periods of 60 s, or of 20 s where the service asks for them.

    The average of all tasks that run. A task works at its share of `task_capacity`, so it cannot show more than 100%.
    """

    def __init__(self, world: World, period: int) -> None:
        self._world, self._period, self._delay = world, period, world.settings.cpu_delay
        self._visible: list[tuple[float, float]] = []
        self._next = 0

    def datapoints(self, now: float) -> list[tuple[float, float]]:
        """(start, percent) of the periods that can be seen at `now`."""
        while self._next + self._period + self._delay <= now:
            start, end = self._next, self._next + self._period
            if tasks := sum(self._world.working[start:end]):
                busy = sum(self._world.served[start:end]) / (tasks * self._world.settings.task_capacity)
                # A new list: one that was handed out does not change.
                oldest = end - KEPT_SECONDS
                self._visible = [*(one for one in self._visible if one[0] >= oldest), (start, 100.0 * busy)]
            self._next = end
        return self._visible

    def recent(self, now: float, window: float) -> list[tuple[float, float]]:
        """The same, without those that began more than `window` seconds ago."""
        return [one for one in self.datapoints(now) if one[0] >= now - window]


class RequestCount:
    """AWS/ApplicationELB RequestCount, Sum, in minutes. The newest minute is incomplete.

    "If there are no requests flowing through the load balancer or no data for a metric, the metric is not reported."
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def datapoints(self, now: float, window: float) -> list[tuple[float, float]]:
        """(start, requests) of the minutes of the last `window` seconds as they can be seen at `now`."""
        until = int(now - self._world.settings.balancer_delay)
        first = max(0, int(now - window) // MINUTE * MINUTE)
        load = self._world.load
        counts = ((start, sum(load[start : min(start + MINUTE, until)])) for start in range(first, until, MINUTE))
        return [(start, count) for start, count in counts if count]
