"""What scales a service today, read through clients whose requests are checked against the service models."""

from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.stub import Stubber

from fastscaler.aws.existing_scaling import PERMISSIONS, ExistingScaling, ScalingReader
from fastscaler.errors import AccessDenied, AwsError, NotFound, Rejected, Throttled
from tests.unit.migration.existing import (
    BALANCER,
    TARGET_GROUP,
    action,
    alarm,
    predefined,
    scaling,
    stat,
    step,
    steps,
    target,
    tracking,
)

KEYS = {"region_name": "eu-central-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
OF_THE_SERVICE = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
SERVICE = {"serviceName": "web", "status": "ACTIVE", "loadBalancers": []}


class Stubbed:
    """Four clients that answer what a test says, in the order in which it says it."""

    def __init__(self) -> None:
        clients: list[Any] = [
            boto3.client(name, **KEYS) for name in ("application-autoscaling", "cloudwatch", "ecs", "elbv2")
        ]
        self.autoscaling, self.cloudwatch, self.ecs, self.elbv2 = stubs = [Stubber(client) for client in clients]
        for stub in stubs:
            stub.activate()
        self.reader = ScalingReader(*clients)

    def describes(self, service: dict[str, Any] = SERVICE) -> None:
        asked = {"cluster": "shop", "services": ["web"]}
        self.ecs.add_response("describe_services", {"services": [service], "failures": []}, asked)

    def has_target(self) -> None:
        asked = {**OF_THE_SERVICE, "ResourceIds": ["service/shop/web"]}
        self.autoscaling.add_response("describe_scalable_targets", {"ScalableTargets": [target()]}, asked)

    def has_policies(self, *pages: list[dict[str, Any]]) -> None:
        self._pages("describe_scaling_policies", "ScalingPolicies", pages or ([],))

    def has_actions(self, *pages: list[dict[str, Any]]) -> None:
        self._pages("describe_scheduled_actions", "ScheduledActions", pages or ([],))

    def _pages(self, operation: str, key: str, pages: tuple[list[dict[str, Any]], ...]) -> None:
        for number, page in enumerate(pages):
            asked = {**OF_THE_SERVICE, "ResourceId": "service/shop/web"}
            asked |= {"NextToken": f"page-{number}"} if number else {}
            more = {"NextToken": f"page-{number + 1}"} if number + 1 < len(pages) else {}
            self.autoscaling.add_response(operation, {key: page, **more}, asked)

    def has_alarms(self, *alarms: dict[str, Any], asked: list[str]) -> None:
        self.cloudwatch.add_response(
            "describe_alarms", {"MetricAlarms": list(alarms)}, {"AlarmNames": asked, "AlarmTypes": ["MetricAlarm"]}
        )

    def read(self) -> ExistingScaling:
        """Everything, and nothing that was prepared is left unasked."""
        found = self.reader.read("shop", "web")
        for stub in (self.autoscaling, self.cloudwatch, self.ecs, self.elbv2):
            stub.assert_no_pending_responses()
        return found


@pytest.fixture
def stubbed() -> Stubbed:
    return Stubbed()


def test_everything_that_scales_the_service_is_found(stubbed: Stubbed) -> None:
    policies = [
        steps("out", step(2, 0.0, 15.0), step(4, 15.0)),
        tracking("requests", ("low",), **predefined("ALBRequestCountPerTarget", ResourceLabel="x")),
    ]
    service = {**SERVICE, "loadBalancers": [{"targetGroupArn": TARGET_GROUP, "containerName": "web"}]}
    group = {"TargetGroupArn": TARGET_GROUP, "LoadBalancerArns": [BALANCER]}
    actions = [action("day", "cron(0 8 * * ? *)", 5, Timezone="Europe/Berlin")]
    high, low = alarm("high"), alarm("low", ComparisonOperator="LessThanThreshold")
    stubbed.describes(service)
    stubbed.has_target()
    stubbed.has_policies(policies)
    stubbed.has_actions(actions)
    stubbed.has_alarms(high, low, asked=["high", "low"])
    stubbed.elbv2.add_response("describe_target_groups", {"TargetGroups": [group]}, {"TargetGroupArns": [TARGET_GROUP]})
    assert stubbed.read() == scaling(
        *policies,
        alarms=(high, low),
        scheduled_actions=tuple(actions),
        ecs_service=service,
        target_groups=(group,),
    )


def test_every_page_is_read(stubbed: Stubbed) -> None:
    stubbed.describes()
    stubbed.has_target()
    stubbed.has_policies([tracking("a")], [tracking("b")], [tracking("c")])
    stubbed.has_actions([action("d", "rate(1 day)", 1)], [action("e", "rate(1 day)", 2)])
    found = stubbed.read()
    assert [policy["PolicyName"] for policy in found.policies] == ["a", "b", "c"]
    assert [one["ScheduledActionName"] for one in found.scheduled_actions] == ["d", "e"]


def test_a_hundred_alarms_are_asked_for_at_a_time_and_each_once(stubbed: Stubbed) -> None:
    names = [f"alarm-{number}" for number in range(130)]
    stubbed.describes()
    stubbed.has_target()
    stubbed.has_policies([steps("out", alarms=tuple(names)), steps("more", alarms=("alarm-0",))])
    stubbed.has_actions()
    stubbed.has_alarms(*(alarm(name) for name in names[:100]), asked=names[:100])
    # One of these was deleted after its policy was made.
    stubbed.has_alarms(*(alarm(name) for name in names[100:129]), asked=names[100:])
    assert list(stubbed.read().alarms) == names[:129]


def test_metric_math_of_an_alarm_comes_whole(stubbed: Stubbed) -> None:
    watched = alarm(MetricName=None, Namespace=None, Statistic=None, Period=None, Metrics=[stat("m1", "Messages")])
    stubbed.describes()
    stubbed.has_target()
    stubbed.has_policies([steps("out")])
    stubbed.has_actions()
    stubbed.has_alarms(watched, asked=["high"])
    assert stubbed.read().alarms["high"]["Metrics"] == watched["Metrics"]


def test_the_alternate_target_group_of_a_blue_green_deployment_is_read_too(stubbed: Stubbed) -> None:
    green = TARGET_GROUP.replace("shop-web", "shop-green")
    balancer = {"targetGroupArn": TARGET_GROUP, "advancedConfiguration": {"alternateTargetGroupArn": green}}
    groups = [{"TargetGroupArn": arn, "LoadBalancerArns": []} for arn in (TARGET_GROUP, green)]
    stubbed.describes({**SERVICE, "loadBalancers": [balancer]})
    stubbed.has_target()
    stubbed.has_policies()
    stubbed.has_actions()
    asked = {"TargetGroupArns": [TARGET_GROUP, green]}
    stubbed.elbv2.add_response("describe_target_groups", {"TargetGroups": groups}, asked)
    assert len(stubbed.read().target_groups) == 2


def test_a_service_that_nothing_scales_has_no_target(stubbed: Stubbed) -> None:
    stubbed.describes()
    stubbed.autoscaling.add_response("describe_scalable_targets", {"ScalableTargets": []})
    stubbed.has_policies()
    stubbed.has_actions()
    found = stubbed.read()
    assert found.target is None
    assert found.region == "eu-central-1"


def test_a_service_that_does_not_exist_is_said_so(stubbed: Stubbed) -> None:
    failures = [{"arn": "arn:aws:ecs:eu-central-1:111122223333:service/shop/web", "reason": "MISSING"}]
    stubbed.ecs.add_response("describe_services", {"services": [], "failures": failures})
    with pytest.raises(NotFound, match="cluster shop has no service web"):
        stubbed.read()


def test_a_deleted_service_is_said_so(stubbed: Stubbed) -> None:
    stubbed.describes({**SERVICE, "status": "INACTIVE"})
    with pytest.raises(NotFound, match="service web of cluster shop was deleted"):
        stubbed.read()


def test_a_cluster_that_does_not_exist_is_not_found(stubbed: Stubbed) -> None:
    stubbed.ecs.add_client_error("describe_services", "ClusterNotFoundException", http_status_code=400)
    with pytest.raises(NotFound):
        stubbed.read()


@pytest.mark.parametrize("operation", PERMISSIONS)
def test_a_denied_call_names_its_operation(stubbed: Stubbed, operation: str) -> None:
    service = {**SERVICE, "loadBalancers": [{"targetGroupArn": TARGET_GROUP}]}
    prepared = {
        "DescribeServices": lambda: stubbed.describes(service),
        "DescribeScalableTargets": stubbed.has_target,
        "DescribeScalingPolicies": lambda: stubbed.has_policies([steps("out")]),
        "DescribeScheduledActions": stubbed.has_actions,
        "DescribeAlarms": lambda: stubbed.has_alarms(alarm(), asked=["high"]),
        "DescribeTargetGroups": None,
    }
    stubs = {
        "DescribeServices": stubbed.ecs,
        "DescribeAlarms": stubbed.cloudwatch,
        "DescribeTargetGroups": stubbed.elbv2,
    }
    for name, prepare in prepared.items():
        if name == operation:
            stub = stubs.get(name, stubbed.autoscaling)
            stub.add_client_error(xform_name(operation), "AccessDeniedException", http_status_code=400)
            break
        if prepare is not None:
            prepare()
    with pytest.raises(AccessDenied) as caught:
        stubbed.read()
    assert caught.value.operation == operation


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", Throttled),
        ("FailedResourceAccessException", Rejected),
        ("ValidationException", Rejected),
    ],
)
def test_other_errors_are_told_apart_by_their_code(stubbed: Stubbed, code: str, kind: type[AwsError]) -> None:
    stubbed.describes()
    stubbed.has_target()
    stubbed.autoscaling.add_client_error("describe_scaling_policies", code, http_status_code=400)
    with pytest.raises(kind):
        stubbed.read()
