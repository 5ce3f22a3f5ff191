"""Counts healthy targets, for the last stage of the latency ledger."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastscaler.aws.calls import BRIEF, calling

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client


class TargetGroups:
    """The port `TargetHealth`, on Elastic Load Balancing. Its client is made when it is first needed."""

    def __init__(self, client: "ElasticLoadBalancingv2Client | None" = None) -> None:
        self._client = client

    def healthy(self, target_groups: Sequence[str]) -> int:
        """Targets that are healthy in every one of the target groups (ARNs). Raises AwsError."""
        if self._client is None:
            import boto3

            self._client = boto3.client("elbv2", config=BRIEF)
        return min(self._healthy(arn) for arn in target_groups)

    def _healthy(self, arn: str) -> int:
        assert self._client is not None
        with calling("DescribeTargetHealth"):
            response = self._client.describe_target_health(TargetGroupArn=arn)
        states = (target.get("TargetHealth", {}).get("State") for target in response["TargetHealthDescriptions"])
        return sum(state == "healthy" for state in states)
