"""Capacities, suspended directions, the load balancer, and the comment at the head."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fastscaler.migration.translate import NothingToImport
from fastscaler.scaling.decision import decide
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import (
    LoadBalancerReading,
    MetricReading,
    NoData,
    Observation,
    Reading,
    ServiceState,
)
from tests.unit.migration.existing import (
    ACCOUNT,
    BALANCER,
    TARGET_GROUP,
    Result,
    action,
    imported,
    scaling,
    target,
    tracking,
)

CPU = tracking("cpu")


def capacities(result: Result) -> tuple[int, int]:
    return result.service.min_capacity, result.service.max_capacity


def test_capacities_are_the_targets() -> None:
    result = imported(CPU, target=target(3, 30))
    assert capacities(result) == (3, 30)


def test_a_minimum_of_0_is_1_and_said_so() -> None:
    result = imported(CPU, target=target(0, 30))
    assert capacities(result) == (1, 30)
    assert "It is 0 there. FastScaler keeps at least one task" in result.comments


def test_a_target_that_is_parked_at_0_is_1_and_said_so() -> None:
    assert capacities(imported(CPU, target=target(0, 0))) == (1, 1)


def test_a_maximum_above_the_quota_is_the_quota() -> None:
    result = imported(CPU, target=target(6000, 10_000))
    assert capacities(result) == (5000, 5000)
    assert "It is 10000 there; FastScaler takes 5000 at most" in result.comments


def test_what_scheduled_actions_set_widens_the_capacities_and_is_said() -> None:
    """By day the target has 10 to 40 tasks, by night 2 to 8; FastScaler has one range and floors within it."""
    actions = (action("day", "cron(0 8 * * ? *)", 10, 40), action("night", "cron(0 22 * * ? *)", 2, 8))
    result = imported(CPU, target=target(10, 40), scheduled_actions=actions)
    assert capacities(result) == (2, 40)
    assert "Scheduled actions set this to 2 and 10; it is 10 now." in result.comments
    assert "Scheduled actions set this to 8 and 40; it is 40 now." in result.comments


def test_a_lowered_minimum_is_said_to_hold_until_the_next_schedule() -> None:
    actions = (action("day", "cron(0 8 * * ? *)", 10), action("night", "cron(0 22 * * ? *)", 2))
    result = imported(CPU, target=target(10, 40), scheduled_actions=actions)
    assert "10 holds again once the next pre-warm schedule has fired." in result.comments
    assert '"MinCapacity": 10, "DurationMinutes": 840' in result.text


@pytest.mark.parametrize(
    "actions",
    [
        (action("later", "at(2026-12-24T00:00:00)", 2),),
        # The one-off that would raise it again fires once, too.
        (action("down", "at(2026-12-24T00:00:00)", 2), action("up", "at(2026-12-27T00:00:00)", 10)),
        (action("night", "cron(0 22 * * ? *)", 2),),  # Nothing raises it again.
        (action("night", "cron(0 22 * * ? *)", 2), action("day", "cron(0 8 * * ? *)", 9)),  # Not to 10.
        # When the floor would end cannot be told, so its schedule is not complete.
        (action("night", "cron(0 22 1 * ? *)", 2), action("day", "cron(0 8 * * ? *)", 10)),
        # From July on nothing raises it any more.
        (
            action("night", "cron(0 22 * * ? *)", 2),
            {**action("day", "cron(0 8 * * ? *)", 10), "EndTime": datetime(2027, 7, 1, tzinfo=UTC)},
        ),
    ],
)
def test_a_minimum_that_no_schedule_restores_is_not_lowered_and_said_so(actions: tuple[dict[str, Any], ...]) -> None:
    result = imported(CPU, target=target(10, 40), scheduled_actions=actions)
    assert capacities(result) == (10, 40)
    assert "it is 10 now. It is not lowered here: no schedule of known duration brings 10 back." in result.comments
    assert "minimum 2. Left out: a pre-warm schedule only raises the minimum, and MinCapacity is 10." in result.comments
    assert "DurationMinutes" not in result.text


def test_a_one_off_does_not_lower_what_others_restore() -> None:
    recurring = (action("day", "cron(0 8 * * ? *)", 10), action("night", "cron(0 22 * * ? *)", 4))
    once = action("holiday", "at(2026-12-24T00:00:00)", 1)
    result = imported(CPU, target=target(10, 40), scheduled_actions=(*recurring, once))
    assert capacities(result) == (4, 40)
    assert "minimum 1. Left out: a pre-warm schedule only raises the minimum, and MinCapacity is 4." in result.comments
    assert "not lowered" not in result.comments


def test_suspended_actions_do_not_lower_the_minimum() -> None:
    actions = (action("day", "cron(0 8 * * ? *)", 10), action("night", "cron(0 22 * * ? *)", 2))
    parked = target(10, 40, ScheduledScalingSuspended=True)
    result = imported(CPU, target=parked, scheduled_actions=actions)
    assert capacities(result) == (10, 40)
    assert "It is not lowered here: scheduled scaling is suspended." in result.comments


def test_actions_that_are_over_change_no_capacity() -> None:
    actions = (action("opening", "at(2026-11-20T08:00:00)", 1, 900),)
    result = imported(CPU, scheduled_actions=actions)
    assert capacities(result) == (2, 20)
    assert "Left out, since they will not fire again: opening." in result.comments


@pytest.mark.parametrize("direction", ["ScaleOut", "ScaleIn"])
def test_a_suspended_direction_is_disabled(direction: str) -> None:
    key = {"ScaleOut": "DynamicScalingOutSuspended", "ScaleIn": "DynamicScalingInSuspended"}[direction]
    result = imported(CPU, target=target(**{key: True}))
    behavior = result.service.behavior
    rules = {"ScaleOut": behavior.scale_out.select_policy, "ScaleIn": behavior.scale_in.select_policy}
    assert rules.pop(direction) == "Disabled"
    assert list(rules.values()) == ["Max"]
    assert f"Remove this line to allow {direction} again." in result.comments


def test_both_directions_suspended_is_a_service_that_is_only_observed() -> None:
    result = imported(CPU, target=target(DynamicScalingInSuspended=True, DynamicScalingOutSuspended=True))
    assert result.service.mode == "observe"
    assert result.service.behavior.scale_in.select_policy == "Max"


def test_every_document_begins_in_observe_mode() -> None:
    result = imported(CPU)
    assert result.document.mode == "observe"
    assert result.service.mode is None


def test_a_service_of_express_mode_is_named_as_left_alone() -> None:
    result = imported(CPU, ecs_service={"serviceName": "web", "resourceManagementType": "ECS"})
    assert "FastScaler leaves such a service alone" in result.comments


# --- The load balancer


def described(*target_groups: str, **keys: Any) -> dict[str, Any]:
    return {"serviceName": "web", "loadBalancers": [{"targetGroupArn": arn, **keys} for arn in target_groups]}


def group(arn: str = TARGET_GROUP, *balancers: str) -> dict[str, Any]:
    return {"TargetGroupArn": arn, "LoadBalancerArns": list(balancers)}


def test_the_load_balancer_in_front_is_named_as_cloudwatch_names_it() -> None:
    result = imported(CPU, ecs_service=described(TARGET_GROUP), target_groups=(group(TARGET_GROUP, BALANCER),))
    balancer = result.service.load_balancer
    assert balancer is not None
    assert balancer.load_balancer == "app/shop-alb/50dc6c495c0c9188"
    assert balancer.target_group == "targetgroup/shop-web/73e2d6bc24d8a067"


QUIET = LoadBalancerReading(requests_per_second=1.0, peak_requests_per_second=1.0, timestamp=0.0)


@pytest.mark.parametrize(
    ("counters", "holds"),
    [
        (replace(QUIET, rejected_connections=1.0), True),
        (replace(QUIET, error_share=0.02), True),
        (NoData("throttled", failed=True), True),
        (replace(QUIET, requests_per_second=1e5, peak_requests_per_second=1e5), False),
    ],
)
def test_its_comment_says_what_it_holds_back(counters: LoadBalancerReading | NoData, holds: bool) -> None:
    result = imported(CPU, ecs_service=described(TARGET_GROUP), target_groups=(group(TARGET_GROUP, BALANCER),))
    assert (
        "No task is taken away while it rejects connections, answers more than 1% of requests with a 5xx of its own, "
        "or cannot be read. Its request counts have a say once a policy is on a per-task metric"
    ) in result.comments
    cpu = MetricReading(Reading(10.0, 0.0, 60.0, complete=True))
    seen = Observation(ServiceState(desired=20, running=20), {"CPUUtilization": cpu}, load_balancer=counters)
    stages = [step.stage for step in decide(result.service, seen, Memory(desired=20), 60.0).trail]
    assert ("load balancer" in stages) is holds
    assert "anti-flap" not in stages  # What the request counts would show up as.


def test_a_service_without_load_balancer_has_none_and_no_comment() -> None:
    result = imported(CPU)
    assert result.service.load_balancer is None
    assert "LoadBalancer" not in result.text


OTHER_GROUP = TARGET_GROUP.replace("shop-web", "shop-api")
NETWORK = f"arn:aws:elasticloadbalancing:eu-central-1:{ACCOUNT}:loadbalancer/net/shop-nlb/50dc6c495c0c9188"


@pytest.mark.parametrize(
    ("ecs_service", "groups", "reason"),
    [
        (described(TARGET_GROUP), (group(),), "no load balancer sends requests to the service's target group"),
        (
            described(TARGET_GROUP, OTHER_GROUP),
            (group(TARGET_GROUP, BALANCER), group(OTHER_GROUP, BALANCER)),
            "Target groups: targetgroup/shop-web/73e2d6bc24d8a067, targetgroup/shop-api/73e2d6bc24d8a067.",
        ),
        (described(TARGET_GROUP), (group(TARGET_GROUP, NETWORK),), "only an Application Load Balancer counts requests"),
        (
            described(TARGET_GROUP, advancedConfiguration={"alternateTargetGroupArn": OTHER_GROUP}),
            (group(TARGET_GROUP, BALANCER), group(OTHER_GROUP)),
            "a blue/green deployment changes between target groups",
        ),
        (
            {**described(TARGET_GROUP), "deploymentController": {"type": "CODE_DEPLOY"}},
            (group(TARGET_GROUP, BALANCER),),
            "a blue/green deployment changes between target groups",
        ),
    ],
)
def test_a_load_balancer_that_the_block_cannot_name_is_left_out_with_the_reason(
    ecs_service: dict[str, Any], groups: tuple[dict[str, Any], ...], reason: str
) -> None:
    result = imported(CPU, ecs_service=ecs_service, target_groups=groups)
    assert result.service.load_balancer is None
    assert reason in result.comments


# --- The head, and nothing to import


def test_the_head_ends_with_the_command_that_hands_over() -> None:
    head, _, _ = Result(scaling(CPU), profile="prod").text.partition("\n\n")
    assert head.splitlines()[-1] == (
        "#   aws application-autoscaling deregister-scalable-target --service-namespace ecs --resource-id "
        "service/shop/web --scalable-dimension ecs:service:DesiredCount --region eu-central-1 --profile prod"
    )


def test_slow_metrics_are_named_once() -> None:
    memory = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}}
    comments = imported(CPU, tracking("memory", **memory)).comments
    assert comments.count("publish a metric every 5 s") == 1
    assert "CPUUtilization, MemoryUtilization: a datapoint a minute or slower." in comments


def test_differences_are_counted_and_explanations_are_not() -> None:
    assert imported(CPU).differences == 2  # The 60 s metric, and the cooldown that is the whole service's.
    assert imported(CPU, target=target(0, 20)).differences == 3


def test_a_service_without_scalable_target_is_said_so() -> None:
    with pytest.raises(NothingToImport, match="shop/web has no scalable target in eu-central-1"):
        imported(CPU, target=None)


def test_a_target_without_policies_is_said_so() -> None:
    with pytest.raises(NothingToImport, match=r"no policy that can be carried over\. It has no scaling policy\."):
        imported()
