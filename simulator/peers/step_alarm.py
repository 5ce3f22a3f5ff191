"""Application Auto Scaling's step scaling behind a high-resolution alarm.

Sources: Application Auto Scaling user guide, "Step scaling policies" (the library computes the steps, and is tested on
the guide's examples); Amazon CloudWatch user guide: an alarm with a period of 10 s is evaluated every 10 s. The time
until a datapoint is visible is not in here: the datapoints that are given are those that can be seen.

The steps count from the running tasks. Scale-in has an alarm and a policy of its own.
"""

from collections.abc import Iterable

from fastscaler.scaling.policy import StepScalingPolicy
from fastscaler.scaling.step_scaling import breaches, change_in_capacity
from simulator.peers.alarm import Alarm, Datapoints
from simulator.peers.scalable_target import ScalableTarget

PERIOD = 10.0

# Application Auto Scaling's, for a policy that states none; the library's own default is none at all.
DEFAULT_COOLDOWN = 300.0

# Lower bound, upper bound (relative to the threshold; None: open) and adjustment.
Steps = Iterable[tuple[float | None, float | None, int]]


def step_policy(
    steps: Steps,
    threshold: float,
    operator: str = "GreaterThanThreshold",
    cooldown: int = 60,
    adjustment_type: str = "ChangeInCapacity",
) -> StepScalingPolicy:
    """A step scaling policy with its alarm's threshold; `cooldown` in seconds.

    Raises pydantic's ValidationError for what CloudFormation would not accept.
    """
    keys = ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
    rows = [{key: value for key, value in zip(keys, step, strict=True) if value is not None} for step in steps]
    return StepScalingPolicy.model_validate(
        {
            "Name": "steps",
            "PolicyType": "StepScaling",
            "Metric": "alarm",
            "Threshold": threshold,
            "ComparisonOperator": operator,
            "StepScalingPolicyConfiguration": {
                "AdjustmentType": adjustment_type,
                "Cooldown": cooldown,
                "StepAdjustments": rows,
            },
        }
    )


class StepAlarm:
    """A step table for scale-out and one for scale-in, each behind its alarm."""

    name = "aws-step-scaling"
    interval = PERIOD

    def __init__(
        self,
        scale_out: StepScalingPolicy,
        scale_in: StepScalingPolicy | None,
        minimum: int,
        maximum: int,
        scale_out_datapoints: int = 1,
        scale_in_datapoints: int = 30,
    ) -> None:
        """Datapoints of 10 s that must breach: by default the newest one, and those of 5 minutes for scale-in.

        Raises ValueError for impossible bounds.
        """
        self._out = scale_out
        self._in = scale_in
        self._high = Alarm(PERIOD, scale_out_datapoints, lambda value: breaches(scale_out, value))
        self._low = Alarm(PERIOD, scale_in_datapoints, lambda value: scale_in is not None and breaches(scale_in, value))
        self._service = ScalableTarget(minimum, maximum, _cooldown(scale_out), _cooldown(scale_in or scale_out))

    def step(self, now: float, running: int, desired: int, datapoints: Datapoints) -> int | None:
        """`datapoints`: the visible values of the alarms' metric, by start of their 10 s, the oldest first."""
        high = self._high.action(now, datapoints)
        low = self._low.action(now, datapoints)
        if high is not None and (change := change_in_capacity(self._out, high, running)) is not None:
            return self._service.scale_out(now, running, desired, running + change)
        if low is not None and self._in and (change := change_in_capacity(self._in, low, running)) is not None:
            return self._service.scale_in(now, desired, running + change)
        return None


def _cooldown(policy: StepScalingPolicy) -> float:
    configuration = policy.step_scaling_policy_configuration
    return configuration.cooldown if "cooldown" in configuration.model_fields_set else DEFAULT_COOLDOWN
