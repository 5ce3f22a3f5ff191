"""Faults of AWS's four APIs and of the data, through boto3 and HTTP: the count is held, and then all is normal.

In simulated time, but for the calls that answer late. IAM and real throttling are not there: their answers are planted.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.account import CLUSTER, SERVICE, Account
from demo.local_aws import LocalAws
from fastscaler import loop
from fastscaler.clock import SystemClock
from fastscaler.invocation import handle
from tests.integration.shop import BUCKET, NAMESPACE, TICK, Shop, SimulatedTime, adapters, policies, publish, sdk_of
from tests.unit.loop.fakes import EPOCH, FakeClock


@pytest.fixture
def shop(simulated_aws: LocalAws, simulated_time: SimulatedTime, tmp_path: Path) -> Shop:
    simulated_time.clock = FakeClock()
    simulated_aws.reset()
    return Shop(simulated_aws, simulated_time.clock, tmp_path)


def surge(t: float) -> float:
    """60 requests/s per task, and from second 20 on five times that."""
    return 1200.0 if t >= 20 else 240.0


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


class TestNoFault:
    def test_a_surge_is_answered_by_one_call(self, shop: Shop) -> None:
        shop.publish(surge)
        shop.scale(until=60)
        ((t, count),) = shop.changes
        assert count == 12
        assert 25 <= t <= 27
        assert shop.aws.calls.counts()["UpdateService"] == 1


class TestApiFaults:
    """From second 19 on, so that the surge falls into it, until second 34: three ticks."""

    @pytest.mark.parametrize(
        ("code", "status"),
        [("ThrottlingException", 400), ("ServiceUnavailable", 503), ("AccessDeniedException", 400)],
        ids=["throttled", "broken", "denied"],
    )
    @pytest.mark.parametrize("operation", ["Query", "TransactWriteItems", "GetMetricData", "UpdateService"])
    def test_the_count_is_held_and_then_all_is_normal(self, shop: Shop, operation: str, code: str, status: int) -> None:
        shop.publish(surge)
        shop.fail(operation, code, status, start=19, end=34)
        assert shop.scale(until=45) == {"ended": "deadline"}
        ((t, count),) = shop.changes
        assert count == 12
        assert 34 <= t <= 42, "within two looks"

    @pytest.mark.parametrize(
        ("code", "status", "patience"),
        [("ThrottlingException", 400, 8), ("ServerException", 500, 8), ("AccessDeniedException", 400, 38)],
        ids=["throttled", "broken", "denied"],
    )
    def test_a_service_that_cannot_be_described_is_held_and_then_all_is_normal(
        self, shop: Shop, code: str, status: int, patience: int
    ) -> None:
        """A refusal is asked again every 30 s only, since a person has to change something."""
        shop.publish(surge)
        shop.fail("DescribeServices", code, status, start=19, end=34)
        shop.scale(until=90)
        ((t, count),) = shop.changes
        assert count == 12
        assert 34 <= t <= 34 + patience

    def test_a_table_that_is_throttled_at_the_start_delays_the_first_look_only(self, shop: Shop) -> None:
        shop.publish(surge)
        shop.aws.fail("UpdateItem", "TransactionConflictException", times=2)
        shop.aws.fail("Query", "ProvisionedThroughputExceededException", times=4)
        shop.scale(until=60)
        assert [count for _, count in shop.changes] == [12]

    def test_one_service_that_the_role_may_not_read_hurts_no_other(self, shop: Shop) -> None:
        """ECS refuses the whole DescribeServices call when one of its services is not allowed."""
        names = [f"other-{n}" for n in range(3)]
        for name in names:
            shop.account.create_service(CLUSTER, name, desired=4)
            publish(shop.account, lambda at: 1200.0, tasks=4, start=EPOCH - 30, end=EPOCH + 60, service=name)
        shop.publish(surge)
        shop.aws.fail("DescribeServices", "AccessDeniedException", containing='"other-1"')
        shop.scale(until=40, document=policies(SERVICE, *names))
        assert [count for _, count in shop.changes] == [12]
        assert {name: shop.aws.fleet(CLUSTER, name).desired for name in names} == {
            "other-0": 12,
            "other-1": 4,
            "other-2": 12,
        }

    def test_a_service_that_was_deleted_hurts_no_other(self, shop: Shop) -> None:
        shop.publish(surge)
        shop.scale(until=40, document=policies("gone", SERVICE))
        assert [count for _, count in shop.changes] == [12]

    def test_a_cluster_that_does_not_exist_hurts_no_other(self, shop: Shop) -> None:
        shop.publish(surge)
        both = json.loads(policies())["Services"] + json.loads(policies("web", cluster="gone"))["Services"]
        shop.scale(until=40, document=json.dumps({"Services": both}))
        assert [count for _, count in shop.changes] == [12]


@pytest.mark.parametrize("seconds_ahead", [3, -3])
def test_a_wrong_clock_is_reported_and_scaling_still_works(
    shop: Shop, capsys: pytest.CaptureFixture[str], seconds_ahead: int
) -> None:
    """Tasks and AWS have the right time; the scaler's machine has not. Buckets appear a second after their end."""

    class WrongClock:
        def now(self) -> float:
            return shop.clock.now() + seconds_ahead

        def sleep(self, seconds: float) -> None:
            shop.clock.sleep(seconds)

    def publish_at(t: int) -> Callable[[], None]:
        return lambda: shop.publish_bucket(t - BUCKET, [surge(t - BUCKET) / 4] * 4)

    shop.publish(surge, end=0)
    for end in range(5, 80, 5):
        shop.clock.at(end + 1, publish_at(end))
    shop.scale(until=70 + seconds_ahead, clock=WrongClock())
    ((t, count),) = shop.changes
    assert count == 12
    assert t <= 20 + 5 + 1 + 5
    told = [record["seconds_ahead"] for record in printed(capsys) if "differs from AWS" in record.get("message", "")]
    assert told == pytest.approx([seconds_ahead] * len(told), abs=1)
    assert len(told) in (1, 2), "once a minute"


class TestMetrics:
    def test_missing_from_the_start_they_hold_the_count(self, shop: Shop) -> None:
        shop.scale(until=60)
        assert shop.changes == []

    def test_a_fallback_is_taken_once_nothing_tells_the_load(self, shop: Shop) -> None:
        shop.publish(lambda t: 350.0, end=10)
        shop.scale(until=90, document=policies(FallbackCapacity=9))
        ((t, count),) = shop.changes
        assert count == 9
        assert 40 <= t <= 47, "StaleAfter is 30 s"

    def test_stale_ones_hold_the_count_however_low_or_high_they_were(self, shop: Shop) -> None:
        for last in (10.0, 1200.0):
            shop.publish(lambda t: last, start=-300, end=-40)  # noqa: B023
        shop.scale(until=120)
        assert shop.changes == []

    def test_that_are_no_numbers_hold_the_count(self, shop: Shop) -> None:
        """PutMetricData refuses them; should CloudWatch answer one all the same, it tells no load, not even none."""
        shop.publish(lambda t: 240.0, end=-10)
        dimensions = {"Cluster": CLUSTER, "Service": SERVICE}
        for start in range(-10, 60, BUCKET):
            shop.aws.put_aws_metric(NAMESPACE, "RequestsPerSecond", dimensions, EPOCH + start, float("nan"))
        shop.scale(until=60)
        assert shop.changes == []

    def test_a_bucket_of_which_half_is_there_scales_out_at_once_if_that_is_enough(self, shop: Shop) -> None:
        """Two of four tasks have told 500 requests/s each: whatever the others carry, ten tasks are needed."""
        shop.publish(surge, end=20)
        shop.clock.at(25, lambda: shop.publish_bucket(20, [500.0, 500.0]))
        shop.scale(until=28)
        assert [count for _, count in shop.changes] == [10]

    def test_a_bucket_of_which_half_is_there_never_scales_in(self, shop: Shop) -> None:
        quick = {"ScaleIn": {"StabilizationWindowSeconds": 0, "Cooldown": 0}}
        shop.publish(lambda t: 350.0, end=20)
        for t in (20, 25, 30):
            shop.publish_bucket(t, [40.0, 40.0])
        shop.scale(until=40, document=policies(Behavior=quick))
        assert shop.changes == []

    def test_one_metric_that_cloudwatch_refuses_hurts_no_other_service(self, shop: Shop) -> None:
        shop.account.create_service(CLUSTER, "refused", desired=4)
        publish(shop.account, lambda at: 1200.0, tasks=4, start=EPOCH - 30, end=EPOCH + 60, service="refused")
        shop.publish(surge)
        shop.aws.fail("GetMetricData", "ValidationError", containing="refused")
        shop.scale(until=40, document=policies("refused", SERVICE))
        assert [count for _, count in shop.changes] == [12]
        assert shop.aws.fleet(CLUSTER, "refused").desired == 4


def test_a_count_set_by_hand_is_adopted_and_told(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.publish(lambda t: 350.0)
    ecs = shop.account.ecs
    shop.clock.at(22, lambda: ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=7))
    shop.scale(until=60)
    assert [count for _, count in shop.changes] == [7]
    assert any("set to 7 by someone else" in record.get("what", "") for record in printed(capsys))


@pytest.fixture
def real_time(simulated_aws: LocalAws, simulated_time: SimulatedTime) -> Iterator[LocalAws]:
    class RealClock(FakeClock):
        def now(self) -> float:
            return time.time()

    simulated_time.clock = RealClock()
    simulated_aws.reset()
    yield simulated_aws
    simulated_aws.clear()


def test_calls_that_are_answered_late_are_bounded_and_corrected_within_two_ticks(
    real_time: LocalAws, tmp_path: Path
) -> None:
    """In real time. One service's call takes effect but its answer is lost; another's takes effect 5 s late."""
    account = Account(real_time)
    account.create_table()
    started = time.time()
    for name in ("answered-late", "applied-late"):
        account.create_service(CLUSTER, name, desired=4)
        publish(account, lambda at: 1200.0, tasks=4, start=started - 30, end=started + 60, service=name)
    real_time.delay("UpdateService", 5, when="after", containing='"answered-late"', times=1)
    real_time.delay("UpdateService", 5, when="before", containing='"applied-late"', times=1)
    (tmp_path / "policies.json").write_text(policies("answered-late", "applied-late"))
    with sdk_of(real_time):
        wired = adapters(SystemClock(), tmp_path / "policies.json")
    handle(TICK, wired, seconds_left=loop.MARGIN + 9, request_id="1")
    changes = {name: real_time.fleet(CLUSTER, name).changes for name in ("answered-late", "applied-late")}
    assert {name: [change.after for change in found] for name, found in changes.items()} == {
        "answered-late": [12],
        "applied-late": [12],
    }
    assert changes["applied-late"][0].at - started <= 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("update-service")]
