"""What a load balancer has counted, read through clients whose requests are checked against the service models."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from fastscaler.aws.request_counts import RequestCounts, Source
from fastscaler.errors import AwsError, NotFound, Unavailable

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
BLUE = Source("app/shop/50dc6c495c0c9188", "targetgroup/blue/73e2d6bc24d8a067")
GREEN = Source("app/shop/50dc6c495c0c9188", "targetgroup/green/83e2d6bc24d8a068")
START = 1_800_000_000.0


class Stubbed:
    def __init__(self) -> None:
        clients: Any = [boto3.client(name, **KEYS) for name in ("cloudwatch", "ecs", "elbv2")]
        self.cloudwatch, self.ecs, self.elbv2 = (Stubber(client) for client in clients)
        for stub in (self.cloudwatch, self.ecs, self.elbv2):
            stub.activate()
        self.counts = RequestCounts(*clients)

    def has(self, *balancers: dict[str, Any]) -> None:
        service = {"serviceName": "web", "loadBalancers": list(balancers)}
        self.ecs.add_response("describe_services", {"services": [service]}, {"cluster": "shop", "services": ["web"]})

    def has_groups(self, *groups: tuple[str, list[str]]) -> None:
        described = [
            {"TargetGroupArn": ARN + group, "LoadBalancerArns": [f"{ARN}loadbalancer/{one}" for one in balancers]}
            for group, balancers in groups
        ]
        expected = {"TargetGroupArns": [ARN + group for group, _ in groups]}
        self.elbv2.add_response("describe_target_groups", {"TargetGroups": described}, expected)

    def page(self, *results: tuple[list[float], list[float], str], token: str | None = None, after: Any = None) -> None:
        answer: dict[str, Any] = {
            "MetricDataResults": [
                {
                    "Id": f"m{number}",
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at in minutes],
                    "Values": values,
                    "StatusCode": status,
                }
                for number, (minutes, values, status) in enumerate(results)
            ]
        }
        expected = {"MetricDataQueries": ANY, "StartTime": ANY, "EndTime": ANY, "ScanBy": ANY}
        self.cloudwatch.add_response(
            "get_metric_data",
            answer | ({"NextToken": token} if token else {}),
            expected | ({"NextToken": after} if after else {}),
        )


@pytest.fixture
def stubbed() -> Stubbed:
    return Stubbed()


def test_the_source_is_the_services_target_group_and_its_load_balancer(stubbed: Stubbed) -> None:
    stubbed.has({"targetGroupArn": ARN + BLUE.target_group})
    stubbed.has_groups((BLUE.target_group, [BLUE.load_balancer]))
    assert stubbed.counts.sources("shop", "web") == [BLUE]


def test_both_groups_of_a_blue_green_deployment_count(stubbed: Stubbed) -> None:
    alternate = {"alternateTargetGroupArn": ARN + GREEN.target_group}
    stubbed.has({"targetGroupArn": ARN + BLUE.target_group, "advancedConfiguration": alternate})
    stubbed.has_groups((BLUE.target_group, [BLUE.load_balancer]), (GREEN.target_group, [GREEN.load_balancer]))
    assert stubbed.counts.sources("shop", "web") == [BLUE, GREEN]


@pytest.mark.parametrize("balancers", [[], ["net/shop/50dc6c495c0c9188"]])
def test_what_counts_no_requests_is_no_source(stubbed: Stubbed, balancers: list[str]) -> None:
    stubbed.has({"targetGroupArn": ARN + BLUE.target_group})
    stubbed.has_groups((BLUE.target_group, balancers))
    assert stubbed.counts.sources("shop", "web") == []


def test_a_service_without_load_balancer_has_none(stubbed: Stubbed) -> None:
    stubbed.has()
    assert stubbed.counts.sources("shop", "web") == []


def test_a_service_that_is_missing_is_not_found(stubbed: Stubbed) -> None:
    stubbed.ecs.add_response("describe_services", {"services": [], "failures": [{"reason": "MISSING"}]})
    with pytest.raises(NotFound, match="cluster shop has no service web"):
        stubbed.counts.sources("shop", "web")


def test_every_page_and_every_source_is_counted(stubbed: Stubbed) -> None:
    first, second, third = START, START + 60, START + 120
    stubbed.page(([first], [10.0], "PartialData"), ([first], [1.0], "PartialData"), token="more")
    stubbed.page(([second, third], [20.0, 30.0], "Complete"), ([third], [3.0], "Complete"), after="more")
    found = stubbed.counts.read([BLUE, GREEN], START, START + 180)
    assert found == {first: 11, second: 20, third: 33}
    stubbed.cloudwatch.assert_no_pending_responses()


@pytest.mark.parametrize("status", ["InternalError", "Forbidden"])
def test_what_could_not_be_read_does_not_pass_for_no_requests(stubbed: Stubbed, status: str) -> None:
    stubbed.page(([], [], status))
    with pytest.raises(Unavailable, match=status):
        stubbed.counts.read([BLUE], START, START + 60)


def test_an_error_of_aws_is_one_of_this_project(stubbed: Stubbed) -> None:
    stubbed.cloudwatch.add_client_error("get_metric_data", "Throttling")
    with pytest.raises(AwsError, match="Throttling"):
        stubbed.counts.read([BLUE], START, START + 60)
