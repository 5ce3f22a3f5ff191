"""Reads how Application Auto Scaling scales a service today: for `fastscaler import`, which translates it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore import xform_name

from fastscaler.aws.calls import calling
from fastscaler.aws.session import make_client, open_session
from fastscaler.errors import NotFound

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

DIMENSION = "ecs:service:DesiredCount"
MAX_ALARM_NAMES = 100  # DescribeAlarms, AlarmNames: "Array Members: Maximum number of 100 items."

# What may be denied, and the permission that is missing then.
PERMISSIONS = {
    "DescribeServices": "ecs:DescribeServices",
    "DescribeScalableTargets": "application-autoscaling:DescribeScalableTargets",
    "DescribeScalingPolicies": "application-autoscaling:DescribeScalingPolicies",
    "DescribeScheduledActions": "application-autoscaling:DescribeScheduledActions",
    "DescribeAlarms": "cloudwatch:DescribeAlarms",
    "DescribeTargetGroups": "elasticloadbalancing:DescribeTargetGroups",
}

Answer = Mapping[str, Any]  # A structure of AWS's API, with AWS's own keys.


@dataclass(frozen=True, slots=True)
class ExistingScaling:
    """Everything that scales one service, as AWS's APIs answer it; `target` is None where nothing is registered.

    `alarms` are those that the policies name, by name; one that was deleted is missing. `target_groups` are those of
    the service, alternates of a blue/green deployment included.
    """

    cluster: str
    service: str
    region: str
    ecs_service: Answer
    target: Answer | None
    policies: tuple[Answer, ...] = ()
    scheduled_actions: tuple[Answer, ...] = ()
    alarms: Mapping[str, Answer] = field(default_factory=dict)
    target_groups: tuple[Answer, ...] = ()


class ScalingReader:
    """Reads through four clients; `autoscaling` is Application Auto Scaling's."""

    def __init__(
        self,
        autoscaling: Any,
        cloudwatch: "CloudWatchClient",
        ecs: "ECSClient",
        elbv2: "ElasticLoadBalancingv2Client",
    ) -> None:
        self._autoscaling, self._cloudwatch, self._ecs, self._elbv2 = autoscaling, cloudwatch, ecs, elbv2

    @classmethod
    def connect(cls, region: str | None, profile: str | None) -> "ScalingReader":
        """A reader with clients of its own. Raises AwsError."""
        session = open_session(region, profile)
        return cls(*(make_client(session, name) for name in ("application-autoscaling", "cloudwatch", "ecs", "elbv2")))

    @property
    def region(self) -> str:
        """The Region that is read."""
        return self._ecs.meta.region_name

    def read(self, cluster: str, service: str) -> ExistingScaling:
        """All that scales the service. Raises AwsError; NotFound where there is no such service."""
        described = self._service(cluster, service)
        resource = f"service/{cluster}/{service}"
        targets = self._all("DescribeScalableTargets", "ScalableTargets", ResourceIds=[resource])
        policies = self._all("DescribeScalingPolicies", "ScalingPolicies", ResourceId=resource)
        return ExistingScaling(
            cluster=cluster,
            service=service,
            region=self.region,
            ecs_service=described,
            target=targets[0] if targets else None,
            policies=policies,
            scheduled_actions=self._all("DescribeScheduledActions", "ScheduledActions", ResourceId=resource),
            alarms=self._alarms(policies),
            target_groups=self._target_groups(described),
        )

    def _service(self, cluster: str, service: str) -> Answer:
        with calling("DescribeServices"):
            answer = self._ecs.describe_services(cluster=cluster, services=[service])
        if not answer["services"]:
            raise NotFound("DescribeServices", "MISSING", f"cluster {cluster} has no service {service}")
        described = answer["services"][0]
        if described["status"] == "INACTIVE":
            raise NotFound("DescribeServices", "INACTIVE", f"service {service} of cluster {cluster} was deleted")
        return described

    def _all(self, operation: str, key: str, **resource: Any) -> tuple[Answer, ...]:
        """Every page of one of Application Auto Scaling's lists for the service."""
        with calling(operation):
            pages = self._autoscaling.get_paginator(xform_name(operation)).paginate(
                ServiceNamespace="ecs", ScalableDimension=DIMENSION, **resource
            )
            return tuple(found for page in pages for found in page[key])

    def _alarms(self, policies: tuple[Answer, ...]) -> dict[str, Answer]:
        named = (alarm["AlarmName"] for policy in policies for alarm in policy.get("Alarms", []))
        names = list(dict.fromkeys(named))
        found: dict[str, Answer] = {}
        for start in range(0, len(names), MAX_ALARM_NAMES):
            with calling("DescribeAlarms"):
                pages = self._cloudwatch.get_paginator("describe_alarms").paginate(
                    AlarmNames=names[start : start + MAX_ALARM_NAMES], AlarmTypes=["MetricAlarm"]
                )
                found.update({alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]})
        return found

    def _target_groups(self, service: Answer) -> tuple[Answer, ...]:
        arns = []
        for balancer in service.get("loadBalancers", []):
            alternate = balancer.get("advancedConfiguration", {}).get("alternateTargetGroupArn")
            arns += [arn for arn in (balancer.get("targetGroupArn"), alternate) if arn]
        if not arns:
            return ()
        with calling("DescribeTargetGroups"):
            pages = self._elbv2.get_paginator("describe_target_groups").paginate(TargetGroupArns=arns)
            return tuple(group for page in pages for group in page["TargetGroups"])
