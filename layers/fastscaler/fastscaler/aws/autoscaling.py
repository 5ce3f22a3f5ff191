"""Finds the services that Application Auto Scaling scales as well."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastscaler.aws.calls import BRIEF, calling

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_application_autoscaling.type_defs import ScalableTargetTypeDef

MAX_TARGETS = 50  # DescribeScalableTargets: ResourceIds has at most 50 items.
# RegisterScalableTarget, SuspendedState: what each of its keys stops.
ACTIVITIES = (
    ("DynamicScalingOutSuspended", "scale-out"),
    ("DynamicScalingInSuspended", "scale-in"),
    ("ScheduledScalingSuspended", "scheduled scaling"),
)


class ApplicationAutoScaling:
    """The port `ScalableTargets`, on Application Auto Scaling. Its client is made when it is first needed."""

    def __init__(self, client: "ApplicationAutoScalingClient | None" = None) -> None:
        self._client = client

    def competitors(self, services: Sequence[str]) -> dict[str, str]:
        """What Application Auto Scaling may do to each of up to 50 services (`cluster/service`). Raises AwsError.

        Empty where no scalable target is registered, and where all that it could do is suspended.
        """
        found = dict.fromkeys(services, "")
        with calling("DescribeScalableTargets"):
            if self._client is None:
                import boto3

                self._client = boto3.client("application-autoscaling", config=BRIEF)
            pages = self._client.get_paginator("describe_scalable_targets").paginate(
                ServiceNamespace="ecs",
                ResourceIds=[f"service/{service}" for service in services],
                ScalableDimension="ecs:service:DesiredCount",
            )
            for page in pages:
                for target in page["ScalableTargets"]:
                    found[target["ResourceId"].removeprefix("service/")] = _activities(target)
        return found


def _activities(target: "ScalableTargetTypeDef") -> str:
    suspended = target.get("SuspendedState", {})
    return ", ".join(activity for key, activity in ACTIVITIES if not suspended.get(key, False))
