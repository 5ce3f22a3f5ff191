"""Reads how many requests a load balancer has sent to a service, minute by minute: for `fastscaler record`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastscaler.aws.calls import calling
from fastscaler.aws.session import make_client, open_session
from fastscaler.errors import NotFound, Unavailable
from fastscaler.scaling.policy import LoadBalancer

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

MINUTE = 60
# What may be denied, and the permission that is missing then.
PERMISSIONS = {
    "DescribeServices": "ecs:DescribeServices",
    "DescribeTargetGroups": "elasticloadbalancing:DescribeTargetGroups",
    "GetMetricData": "cloudwatch:GetMetricData",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A target group and the Application Load Balancer in front of it, by the ends of their ARNs."""

    load_balancer: str
    target_group: str

    @classmethod
    def of(cls, balancer: LoadBalancer) -> "Source":
        """The load balancer of a policy document."""
        return cls(balancer.load_balancer, balancer.target_group)


class RequestCounts:
    """Reads through three clients."""

    def __init__(self, cloudwatch: "CloudWatchClient", ecs: "ECSClient", elbv2: "ElasticLoadBalancingv2Client") -> None:
        self._cloudwatch, self._ecs, self._elbv2 = cloudwatch, ecs, elbv2

    @classmethod
    def connect(cls, region: str | None, profile: str | None) -> "RequestCounts":
        """A reader with clients of its own. Raises AwsError."""
        session = open_session(region, profile)
        return cls(*(make_client(session, name) for name in ("cloudwatch", "ecs", "elbv2")))

    def sources(self, cluster: str, service: str) -> list[Source]:
        """What sends requests to the service: several in a blue/green deployment, none without an ALB.

        Raises AwsError; NotFound where there is no such service.
        """
        with calling("DescribeServices"):
            answer = self._ecs.describe_services(cluster=cluster, services=[service])
        if not answer["services"]:
            raise NotFound("DescribeServices", "MISSING", f"cluster {cluster} has no service {service}")
        arns: list[str] = []
        for balancer in answer["services"][0].get("loadBalancers", []):
            alternate = balancer.get("advancedConfiguration", {}).get("alternateTargetGroupArn")
            arns += [arn for arn in (balancer.get("targetGroupArn"), alternate) if arn]
        if not arns:
            return []
        with calling("DescribeTargetGroups"):
            pages = self._elbv2.get_paginator("describe_target_groups").paginate(TargetGroupArns=arns)
            groups = [group for page in pages for group in page["TargetGroups"]]
        return [
            Source(_end(balancer, "loadbalancer/"), "targetgroup/" + _end(group["TargetGroupArn"], "targetgroup/"))
            for group in groups
            for balancer in group.get("LoadBalancerArns", [])
            if _end(balancer, "loadbalancer/").startswith("app/")
        ]

    def read(self, sources: Sequence[Source], start: float, end: float) -> dict[float, float]:
        """Requests of all `sources` by the start of each minute (epoch seconds) from `start` to `end`.

        A minute without requests is missing: an idle load balancer reports nothing. Raises AwsError.
        """
        request: dict[str, Any] = {
            "MetricDataQueries": [_query(number, source) for number, source in enumerate(sources)],
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "ScanBy": "TimestampAscending",
        }
        found: dict[float, float] = {}
        while True:
            with calling("GetMetricData"):
                answer: Mapping[str, Any] = self._cloudwatch.get_metric_data(**request)
            for result in answer["MetricDataResults"]:
                # What could not be read must not pass for a minute without requests. PartialData: another page follows.
                if result.get("StatusCode", "Complete") not in ("Complete", "PartialData"):
                    raise Unavailable("GetMetricData", str(result["StatusCode"]))
                for timestamp, value in zip(result["Timestamps"], result["Values"], strict=True):
                    minute = timestamp.timestamp()
                    found[minute] = found.get(minute, 0.0) + value
            if not (token := answer.get("NextToken")):
                return found
            request["NextToken"] = token


def _query(number: int, source: Source) -> "MetricDataQueryTypeDef":
    dimensions = {"LoadBalancer": source.load_balancer, "TargetGroup": source.target_group}
    return {
        "Id": f"m{number}",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ApplicationELB",
                "MetricName": "RequestCount",
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            },
            "Period": MINUTE,
            "Stat": "Sum",
        },
    }


def _end(arn: str, after: str) -> str:
    return arn.partition(after)[2]
