"""The stand-in for AWS as several modules use it: started once a module, emptied for each test."""

from collections.abc import Iterator

import pytest

from demo.account import CLUSTER, SERVICE, Account
from demo.local_aws import LocalAws
from tests.integration.shop import SimulatedTime, sdk_of


@pytest.fixture(scope="module")
def shared_aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def aws(shared_aws: LocalAws) -> LocalAws:
    shared_aws.reset()
    return shared_aws


@pytest.fixture(scope="module")
def prompt_aws() -> Iterator[LocalAws]:
    """Tasks run as soon as they are asked for."""
    with LocalAws(start_seconds=0) as aws:
        yield aws


@pytest.fixture
def balanced_aws(prompt_aws: LocalAws) -> Iterator[LocalAws]:
    """An account with a service behind a load balancer; boto3 talks to it."""
    prompt_aws.reset()
    account = Account(prompt_aws)
    account.create_service(CLUSTER, SERVICE, desired=4, target_group_arn=account.create_load_balancer())
    with sdk_of(prompt_aws):
        yield prompt_aws


@pytest.fixture(scope="module")
def simulated_time() -> SimulatedTime:
    return SimulatedTime()


@pytest.fixture(scope="module")
def simulated_aws(simulated_time: SimulatedTime) -> Iterator[LocalAws]:
    """Its clock is the one that `simulated_time` has now; a task takes 30 s to start."""
    with LocalAws(start_seconds=30, clock=simulated_time.now) as aws:
        yield aws
