"""Other scalers and failed launches, read through boto3 and HTTP from the stand-in for AWS.

moto never has a task of a service fail, so botocore's Stubber answers what ECS documents of such tasks.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from demo.account import CLUSTER, SERVICE, Account
from demo.local_aws import REGION, LocalAws
from fastscaler.aws.autoscaling import ApplicationAutoScaling
from fastscaler.aws.calls import BRIEF
from fastscaler.aws.ecs import Ecs
from fastscaler.aws.stopped_tasks import EcsStoppedTasks
from fastscaler.errors import AccessDenied, AwsError, NotFound, Throttled, Unavailable
from fastscaler.scaling.observation import FailedLaunch, ServiceState
from tests.integration.shop import Shop, SimulatedTime, policies, sdk_of
from tests.unit.loop.fakes import FakeClock

KEY = f"{CLUSTER}/{SERVICE}"
ALL = "scale-out, scale-in, scheduled scaling"
SUSPENDED = {
    "DynamicScalingInSuspended": True,
    "DynamicScalingOutSuspended": True,
    "ScheduledScalingSuspended": True,
}


@pytest.fixture
def aws(simulated_aws: LocalAws, simulated_time: SimulatedTime) -> Iterator[LocalAws]:
    simulated_time.clock = FakeClock()
    simulated_aws.reset()
    with sdk_of(simulated_aws):
        yield simulated_aws


@pytest.fixture
def account(aws: LocalAws) -> Account:
    account = Account(aws)
    account.create_table()
    account.create_service(CLUSTER, SERVICE, desired=4)
    aws.calls.reset()
    return account


def register(suspended: dict[str, bool] | None = None, service: str = SERVICE) -> None:
    """Has Application Auto Scaling scale the service, or changes what of it is suspended."""
    client: Any = boto3.client("application-autoscaling")
    client.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{CLUSTER}/{service}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=10,
        **({} if suspended is None else {"SuspendedState": suspended}),
    )


class TestOtherScalers:
    def test_a_service_without_a_scalable_target_has_none(self, account: Account) -> None:
        assert ApplicationAutoScaling().competitors([KEY]) == {KEY: ""}

    @pytest.mark.parametrize(
        ("suspended", "found"),
        [
            (None, ALL),
            (SUSPENDED, ""),
            (SUSPENDED | {"ScheduledScalingSuspended": False}, "scheduled scaling"),
            (SUSPENDED | {"DynamicScalingInSuspended": False}, "scale-in"),
            ({"DynamicScalingInSuspended": True}, "scale-out, scheduled scaling"),
        ],
    )
    def test_a_target_is_one_unless_all_of_it_is_suspended(
        self, account: Account, suspended: dict[str, bool] | None, found: str
    ) -> None:
        register(suspended)
        assert ApplicationAutoScaling().competitors([KEY]) == {KEY: found}

    def test_fifty_services_are_one_call_and_each_has_its_own_answer(self, aws: LocalAws, account: Account) -> None:
        names = [f"service-{n}" for n in range(49)]
        for name in names[:3]:
            account.create_service(CLUSTER, name, desired=1)
            register(service=name)
        register(SUSPENDED)
        aws.calls.reset()
        found = ApplicationAutoScaling().competitors([KEY, *(f"{CLUSTER}/{name}" for name in names)])
        assert aws.calls.counts() == {"DescribeScalableTargets": 1}
        assert [key for key, competitor in found.items() if competitor] == [f"{CLUSTER}/{name}" for name in names[:3]]
        assert len(found) == 50

    @pytest.mark.parametrize(
        ("code", "status", "error"),
        [
            ("AccessDeniedException", 400, AccessDenied),
            ("ThrottlingException", 400, Throttled),
            ("InternalServiceException", 500, Unavailable),
        ],
    )
    def test_a_failure_has_a_kind_and_is_not_repeated(
        self, aws: LocalAws, account: Account, code: str, status: int, error: type[AwsError]
    ) -> None:
        aws.fail("DescribeScalableTargets", code, status=status)
        with pytest.raises(error):
            ApplicationAutoScaling().competitors([KEY])
        assert aws.calls.counts() == {"DescribeScalableTargets": 1}


AT = datetime.fromtimestamp(1_800_000_000, UTC)
PULL = "CannotPullContainerError: pull image manifest has been retried 5 time(s):\n  no such image"
FAILED = {"stopCode": "TaskFailedToStart", "stoppedReason": PULL, "stoppingAt": AT, "stoppedAt": AT}


def read(*tasks: dict[str, Any]) -> list[FailedLaunch]:
    """What the adapter makes of these stopped tasks, answered by a stub that checks what is asked."""
    client = boto3.client("ecs", region_name=REGION, config=BRIEF)
    arns = [f"arn:aws:ecs:{REGION}:111122223333:task/{CLUSTER}/{n}" for n in range(len(tasks))]
    asked = {"cluster": CLUSTER, "serviceName": SERVICE, "desiredStatus": "STOPPED", "maxResults": 100}
    described = [{"taskArn": arn, "lastStatus": "STOPPED"} | task for arn, task in zip(arns, tasks, strict=True)]
    with Stubber(client) as stub:
        stub.add_response("list_tasks", {"taskArns": arns}, asked)
        stub.add_response("describe_tasks", {"tasks": described, "failures": []}, {"cluster": CLUSTER, "tasks": arns})
        return EcsStoppedTasks(client).failed_launches(KEY)


class TestFailedLaunches:
    def test_a_task_that_stopped_before_it_ran_is_one_with_its_reason_in_one_line(self) -> None:
        (failed,) = read(FAILED)
        reason = "CannotPullContainerError: pull image manifest has been retried 5 time(s): no such image"
        assert failed == FailedLaunch(1_800_000_000.0, reason)

    def test_a_long_reason_is_cut_and_still_names_the_error(self) -> None:
        (failed,) = read(FAILED | {"stoppedReason": "ResourceInitializationError: " + "x" * 1000})
        assert failed.reason.startswith("ResourceInitializationError: ")
        assert len(failed.reason) == 160

    def test_a_task_that_is_just_stopping_counts_already(self) -> None:
        (failed,) = read({key: value for key, value in FAILED.items() if key != "stoppedAt"})
        assert failed.stopped_at == 1_800_000_000.0

    def test_a_container_that_ended_before_the_task_ran_is_a_failed_launch_too(self) -> None:
        ended = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}
        assert [one.reason for one in read(FAILED | ended)] == ["Essential container in task exited"]

    @pytest.mark.parametrize(
        "task",
        [
            pytest.param(FAILED | {"startedAt": AT}, id="it ran"),
            pytest.param(FAILED | {"stopCode": "ServiceSchedulerInitiated"}, id="scaled in while it was starting"),
            pytest.param(FAILED | {"stopCode": "UserInitiated"}, id="stopped by a person"),
            pytest.param(FAILED | {"stopCode": "SpotInterruption"}, id="taken away by Spot"),
            pytest.param({"stoppedAt": AT}, id="nobody says why"),
        ],
    )
    def test_a_task_that_was_ended_is_none(self, task: dict[str, Any]) -> None:
        assert read(task) == []

    def test_a_service_without_stopped_tasks_costs_one_call(self, aws: LocalAws, account: Account) -> None:
        assert EcsStoppedTasks().failed_launches(KEY) == []
        assert aws.calls.counts() == {"ListTasks": 1}

    def test_tasks_that_were_stopped_by_hand_are_read_and_are_none(self, aws: LocalAws, account: Account) -> None:
        client: Any = account.ecs
        network = client.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]["networkConfiguration"]
        # moto runs a task only if its container says how much memory it needs.
        container = {"name": "app", "image": "app", "memory": 512}
        client.register_task_definition(family="by-hand", networkMode="awsvpc", containerDefinitions=[container])
        run = {"cluster": CLUSTER, "taskDefinition": "by-hand", "launchType": "FARGATE", "count": 3}
        for task in client.run_task(networkConfiguration=network, **run)["tasks"]:
            client.stop_task(cluster=CLUSTER, task=task["taskArn"])
        aws.calls.reset()
        assert EcsStoppedTasks().failed_launches(KEY) == []
        assert aws.calls.counts() == {"DescribeTasks": 1, "ListTasks": 1}

    @pytest.mark.parametrize(
        ("code", "status", "error"),
        [
            ("AccessDeniedException", 400, AccessDenied),
            ("ThrottlingException", 400, Throttled),
            ("ServiceNotFoundException", 400, NotFound),
            ("ServerException", 500, Unavailable),
        ],
    )
    def test_a_failure_has_a_kind_and_is_not_repeated(
        self, aws: LocalAws, account: Account, code: str, status: int, error: type[AwsError]
    ) -> None:
        aws.fail("ListTasks", code, status=status)
        with pytest.raises(error):
            EcsStoppedTasks().failed_launches(KEY)
        assert aws.calls.counts() == {"ListTasks": 1}


def test_a_client_that_cannot_be_made_is_an_error_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made in the middle of the loop, so whatever goes wrong there must not end it."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(Unavailable):
        ApplicationAutoScaling().competitors([KEY])
    with pytest.raises(Unavailable):
        EcsStoppedTasks().failed_launches(KEY)


def test_new_tasks_belong_to_the_primary_deployment(account: Account) -> None:
    described = account.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    (primary,) = (one["id"] for one in described["deployments"] if one["status"] == "PRIMARY")
    state = Ecs.connect().describe([KEY])[KEY]
    assert isinstance(state, ServiceState)
    assert state.deployment == primary
    assert primary.startswith("ecs-svc/")


@pytest.mark.parametrize(
    ("status", "deployment"), [("PRIMARY", "ecs-svc/2"), ("ACTIVE", "")], ids=["in production", "not yet"]
)
def test_where_deployments_are_task_sets_they_belong_to_the_one_in_production(status: str, deployment: str) -> None:
    client = boto3.client("ecs", region_name=REGION)
    sets = [{"id": "ecs-svc/1", "status": "DRAINING"}, {"id": "ecs-svc/2", "status": status}]
    counts = {"desiredCount": 4, "runningCount": 4, "pendingCount": 0}
    answer = {"serviceName": SERVICE, "status": "ACTIVE", "deployments": [], "taskSets": sets, **counts}
    with Stubber(client) as stub:
        stub.add_response("describe_services", {"services": [answer], "failures": []})
        state = Ecs(client, client).describe([KEY])[KEY]
    assert isinstance(state, ServiceState)
    assert state.deployment == deployment


def test_what_was_found_out_is_kept_for_the_successor(
    aws: LocalAws, simulated_time: SimulatedTime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three invocations over two minutes: the first asks, the others know."""
    shop = Shop(aws, simulated_time.clock, tmp_path)
    shop.publish(lambda t: 1200.0, end=5)
    for t in range(35, 100, 5):
        shop.publish_bucket(t, [200.0] * 12)
    register()
    shop.scale(until=3, document=policies(OnConflict="Yield", MinCapacity=4))
    ((_, first),) = shop.changes
    assert first == 12, "the first look acts before anybody is asked"
    assert "Application Auto Scaling acts on this service too (scale-out, " in capsys.readouterr().out
    shop.scale(until=60, document=policies(OnConflict="Yield"))
    assert len(shop.changes) == 1, "twice the load, and it is left to the other scaler"
    shop.scale(until=90, document=policies())
    assert [count for _, count in shop.changes] == [12, 24]
    assert aws.calls.counts()["DescribeScalableTargets"] == 1
