"""Application Auto Scaling's target tracking on the average CPU of an ECS service, at 60 s or 20 s.

Documented (Application Auto Scaling user guide, "How target tracking scaling works"; Amazon ECS developer guide, "Use a
target metric to scale Amazon ECS services"): it scales out in proportion to the metric and scales in more gradually; it
rounds so that it never adds too little nor removes too much; it does nothing with insufficient data; it does not scale
in while a deployment is in progress.

The alarms that it makes, as its users report them (AWS re:Post): AlarmHigh is 3 of 3 datapoints above the target,
AlarmLow 15 of 15 minutes below 90% of it. For 20 s metrics nothing is published; AlarmLow is taken to be 15 minutes
there too, so 45 datapoints.

Chosen, as AWS publishes no formula: `ceil(running * metric / target)` in both directions, with the newest datapoint. A
scale-in that is proportional is the cheapest reading of "more gradually", so the one that flatters this peer.

Calibrated: AWS measured 363 s from the rise of the load to the trigger with 60 s metrics, and 86 s with 20 s metrics
("Amazon ECS introduces new high-resolution metrics for faster service auto scaling", June 2026). A surge from 42% CPU
to 100% with a target of 70% puts the end of the third breaching period 2.98 periods after the rise, as the median over
where within a period it rises: 179 s and 59.7 s. What is missing is EVALUATION_DELAY, counted from the end of a period:
184 s and 26 s. It covers the time until CloudWatch shows the datapoint and the alarm's own delay, of which AWS
publishes neither: with 15 s for the first, as in the simulated world, 169 s and 11 s are left for the second. Only the
sum is known and only the sum matters: a datapoint that is visible earlier is not evaluated earlier. The median moves
with the surge, between 2.5 periods (any part of a period breaches) and 3.5 (only a whole one does).

Assumed: the delay is there all the time, not only before the first scale-out. So the tasks that arrive are seen that
much later too, and with 60 s metrics a surge is answered a few times too often.

The cooldowns are those of Amazon ECS's own tutorial (60 s out) and Application Auto Scaling's default (300 s in). Its
default for scale-out is 300 s as well: fewer tasks, and far more late requests.
"""

from collections.abc import Mapping

from fastscaler.scaling.target_tracking import tasks_for
from simulator.peers.alarm import Alarm, Datapoints
from simulator.peers.scalable_target import ScalableTarget

# Seconds from the end of a period to its evaluation, by period (seconds): see the calibration above.
EVALUATION_DELAY: Mapping[int, float] = {60: 184.0, 20: 26.0}

HIGH_DATAPOINTS = 3
LOW_SECONDS = 15 * 60
LOW_SHARE = 0.9


class TargetTracking:
    """Keeps the average CPU at a target, by two alarms."""

    # The alarms have their own times, which are in the calibrated delay: a step each second finds them.
    interval = 1.0

    def __init__(
        self,
        target: float,
        period: int,
        minimum: int,
        maximum: int,
        scale_out_cooldown: float = 60.0,
        scale_in_cooldown: float = 300.0,
        evaluation_delay: float | None = None,
    ) -> None:
        """`target` in percent; `period` in seconds; cooldowns in seconds; `evaluation_delay` by default calibrated.

        Raises ValueError for a period without a calibrated delay when none is given, and for impossible bounds.
        """
        if evaluation_delay is None and period not in EVALUATION_DELAY:
            raise ValueError(f"no calibrated delay for a period of {period} s: give evaluation_delay")
        delay = EVALUATION_DELAY[period] if evaluation_delay is None else evaluation_delay
        self.name = f"aws-target-tracking-{period}s"
        self._target = target
        self._high = Alarm(period, HIGH_DATAPOINTS, lambda value: value > target, delay)
        self._low = Alarm(period, LOW_SECONDS // period, lambda value: value < LOW_SHARE * target, delay)
        self._service = ScalableTarget(minimum, maximum, scale_out_cooldown, scale_in_cooldown)

    def step(
        self, now: float, running: int, desired: int, datapoints: Datapoints, deployment_in_progress: bool = False
    ) -> int | None:
        """`datapoints`: the visible averages in percent, by start of period, the oldest first (15 minutes and more)."""
        high = self._high.action(now, datapoints)
        low = self._low.action(now, datapoints)
        if high is not None:
            return self._service.scale_out(now, running, desired, tasks_for(running * high, self._target))
        if low is not None and not deployment_in_progress:
            return self._service.scale_in(now, desired, tasks_for(running * low, self._target))
        return None
