"""The running count as ECS tells it."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from task_count import RunningTasks, TaskCountUnknown

ASKED = {"cluster": "shop", "services": ["web"]}


@pytest.fixture
def ecs() -> Any:
    return boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def stub(ecs: Any) -> Iterator[Stubber]:
    with Stubber(ecs) as stub:
        yield stub


def test_it_is_the_running_count_not_the_desired_one(ecs: Any, stub: Stubber) -> None:
    answer = {"services": [{"serviceName": "web", "desiredCount": 9, "runningCount": 4}], "failures": []}
    stub.add_response("describe_services", answer, ASKED)
    assert RunningTasks(ecs, "shop", "web").read() == 4


def test_a_service_that_does_not_exist_is_named(ecs: Any, stub: Stubber) -> None:
    stub.add_response("describe_services", {"services": [], "failures": [{"arn": "x", "reason": "MISSING"}]}, ASKED)
    with pytest.raises(TaskCountUnknown, match="shop/web run: MISSING"):
        RunningTasks(ecs, "shop", "web").read()


def test_a_refusal_is_told_by_its_code(ecs: Any, stub: Stubber) -> None:
    stub.add_client_error("describe_services", "ClusterNotFoundException")
    with pytest.raises(TaskCountUnknown, match="ClusterNotFoundException"):
        RunningTasks(ecs, "shop", "web").read()


def test_no_connection_is_no_count() -> None:
    class Unreachable:
        def describe_services(self, **_: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://ecs")

    with pytest.raises(TaskCountUnknown, match="EndpointConnectionError"):
        RunningTasks(Unreachable(), "shop", "web").read()  # type: ignore[arg-type]
