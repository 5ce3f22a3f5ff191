"""One look: how much it asks of AWS, and that a service in trouble keeps its trouble to itself."""

from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from fastscaler.errors import AccessDenied, AwsError, NotFound, Rejected, Throttled, Unavailable
from fastscaler.scaling.observation import Datapoint, Floor, Pause
from tests.unit.loop.fakes import EPOCH, Outcome, Simulation, a_service, per_task_metric, step

ACCESS_DENIED = AccessDenied("DescribeServices", "AccessDeniedException")
THROTTLED = Throttled("DescribeServices", "ThrottlingException")
CALM, HOT = 100.0, 380.0  # On four tasks with a target of 100 each: 25% and 95% of it.


class TestCallsPerLook:
    def test_a_calm_service_costs_one_poll_and_one_read_a_look(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=CALM)
        report = sim.run([shop], until=120)
        assert len(sim.store.times("poll")) == len(sim.metrics.reads) == len(report.looks)
        assert not any(look.again for look in report.looks)

    def test_many_services_are_read_in_one_batch(self, sim: Simulation) -> None:
        shops = [sim.add(a_service(f"shop-{n}"), tasks=4, load=CALM) for n in range(30)]
        report = sim.run(shops, until=30)
        assert len(sim.metrics.reads) == len(report.looks)
        assert {len(names) for _, names in sim.metrics.reads} == {30}

    def test_a_calm_service_is_described_every_thirty_seconds(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=CALM)
        sim.run([shop], until=300)
        gaps = [later - earlier for earlier, later in pairwise(sim.ecs.times_described(shop.key))]
        assert min(gaps) >= 25
        assert max(gaps) <= 36

    def test_a_hot_service_is_described_at_every_first_look(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=HOT)
        report = sim.run([shop], until=60)
        first_looks = [look.at - EPOCH for look in report.looks if not look.again]
        assert sim.ecs.times_described(shop.key) == first_looks

    def test_a_service_in_flight_or_in_deployment_is_described_at_every_look(self, sim: Simulation) -> None:
        starting = sim.add(a_service("starting"), tasks=4, load=CALM)
        sim.fleet(starting).start_seconds = 1000
        sim.fleet(starting).set_desired(6, 0)
        deploying = sim.add(a_service("deploying"), tasks=4, load=CALM)
        sim.fleet(deploying).deploying = True
        report = sim.run([starting, deploying], until=60)
        assert len(sim.ecs.times_described(starting.key)) == len(report.looks)
        assert len(sim.ecs.times_described(deploying.key)) == len(report.looks)

    def test_a_change_is_never_decided_on_an_old_description(self, sim: Simulation) -> None:
        """A calm service that surges: its count of half a minute ago may be wrong, so it is asked for first."""
        shop = sim.add(a_service(), tasks=4, load=step(CALM, 1200, at=20))
        sim.clock.at(10, lambda: sim.fleet(shop).set_desired(6, 10))
        sim.run([shop], until=40)
        changed_at = sim.fleet(shop).asked[1][0]
        assert any(0 <= changed_at - t <= 1 for t in sim.ecs.times_described(shop.key))
        assert [(what) for what in sim.journal if what.startswith("update")] == [f"update {shop.key} 12"]

    def test_nothing_is_called_while_nothing_changes(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=HOT)
        sim.run([shop], until=300)
        assert sim.ecs.updated == []
        assert sim.fleet(shop).asked == []

    def test_memory_is_written_only_when_a_successor_would_need_it(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=HOT)
        sim.run([shop], until=300)
        assert sim.store.times("save") == [0, 0], "the adopted count, then that nobody else scales it: once each"


class TestReadEvery:
    def test_a_metric_is_read_as_often_as_it_says(self, sim: Simulation) -> None:
        latency = {"Namespace": "Shop", "MetricName": "Latency", "Statistic": "p90", "Dimensions": {"Service": "shop"}}
        policy = {"Name": "steps", "PolicyType": "StepScaling", "Metric": "Latency", "Threshold": 1}
        table = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]}  # fmt: skip  # noqa: E501
        shop = sim.add(
            a_service(
                Metrics={"Load": per_task_metric(), "Latency": latency | {"Period": 10, "ReadEvery": 15}},
                Policies=[
                    {"Name": "track", "PolicyType": "TargetTracking", "Metric": "Load", "TargetValue": 100},
                    policy | {"StepScalingPolicyConfiguration": table},
                ],
            ),
            tasks=4,
            load=CALM,
        )
        report = sim.run([shop], until=150)
        assert len(sim.metrics.times_read(shop.key, "Load")) == len(report.looks)
        # The first read is of the invocation's start; all others come once the datapoint of each 15 s has settled.
        times = sim.metrics.times_read(shop.key, "Latency")[1:]
        assert all(5 <= at % 15 <= 10 for at in times)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) >= 12.5
        assert max(gaps) <= 17.5

    def test_counters_of_the_load_balancer_are_read_once_a_minute(self, sim: Simulation) -> None:
        balancer = {"LoadBalancer": "app/shop/0123456789abcdef", "TargetGroup": "targetgroup/shop/0123456789abcdef"}
        shop = sim.add(a_service(LoadBalancer=balancer), tasks=4, load=CALM)
        sim.run([shop], until=300)
        read = sim.metrics.times_read(shop.key, "LoadBalancer.RequestCount")
        assert len(read) == 5

    def test_a_metric_that_is_read_less_often_does_not_slow_the_others(self, sim: Simulation) -> None:
        """Its newest bucket is mostly unread, which says nothing about how late buckets come."""
        second = per_task_metric(ReadEvery=30, MetricName="Connections")
        metrics = {"Load": per_task_metric(), "Connections": second}
        policies = [
            {"Name": name, "PolicyType": "TargetTracking", "Metric": name, "TargetValue": 100} for name in metrics
        ]
        shop = sim.add(a_service(Metrics=metrics, Policies=policies), tasks=4, load=HOT)
        report = sim.run([shop], until=300)
        assert sum(look.again for look in report.looks) <= 0.3 * len(report.looks), "three buckets in ten are late"
        assert report.times[-1] % 5 <= 1.5
        assert 9 <= len(sim.metrics.times_read(shop.key, "Connections")) <= 11

    def test_the_look_after_a_take_over_reads_again_however_soon_it_is(self, sim: Simulation) -> None:
        """Taken over 0.2 s after a bucket's end: its data is not there yet, and is read 1.3 s later."""
        shop = sim.add(a_service(), tasks=4, load=step(CALM, 1200, at=10))
        sim.clock.sleep(15.2)
        report = sim.run([shop], until=30)
        assert report.times[:2] == pytest.approx([15.2, 16.5])
        ((t, _),) = sim.fleet(shop).asked
        assert t == pytest.approx(16.5)


class TestLateData:
    def test_a_hot_service_is_looked_at_again_every_second_until_its_data_is_there(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=HOT)
        sim.metrics.lateness[shop.key] = lambda end: 3.4 if end == 25 else 1.0
        report = sim.run([shop], until=34)
        assert [t for t in report.times if 25 <= t < 30] == pytest.approx([26.3, 27.3, 28.3, 29.3], abs=0.3)
        assert [look.again for look in report.looks if look.at - EPOCH >= 25] == [False, True, True, True, False]

    def test_a_second_look_reads_the_late_metrics_only(self, sim: Simulation) -> None:
        late = sim.add(a_service("late"), tasks=4, load=HOT)
        prompt = sim.add(a_service("prompt"), tasks=4, load=HOT)
        cold = sim.add(a_service("cold"), tasks=4, load=CALM)
        for shop in (late, cold):
            sim.metrics.lateness[shop.key] = lambda end: 3.4 if end == 25 else 1.0
        report = sim.run([late, prompt, cold], until=34)
        again = [look for look in report.looks if look.again and look.at > EPOCH + 25]
        times = {look.at - EPOCH for look in again}
        assert len(times) == 3
        assert [names for t, names in sim.metrics.reads if t in times] == [((late.key, "Load"),)] * 3
        assert not any(t in times for t, _, _ in sim.ecs.described)
        assert all(set(look.decisions) == {late.key} for look in again)
        assert len(sim.store.times("poll")) == len(report.looks), "directives are read at second looks too"

    def test_late_data_of_a_calm_service_waits_for_the_next_bucket(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=CALM)
        sim.metrics.lateness[shop.key] = lambda end: 4.0 if end == 25 else 1.0
        assert not any(look.again for look in sim.run([shop], until=60).looks)

    def test_a_late_bucket_is_acted_on_within_a_second_of_its_arrival(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(HOT, 1900, at=20))
        sim.metrics.lateness[shop.key] = lambda end: 3.4 if end == 25 else 1.0
        sim.run([shop], until=34)
        ((t, count),) = sim.fleet(shop).asked
        assert count == 19
        assert 28.4 <= t <= 29.4

    def test_two_calls_within_one_bucket_are_not_taken_for_someone_elses(self, sim: Simulation) -> None:
        """Two calls within one bucket: a description from before both of them explains neither."""
        shop = sim.add(a_service(), tasks=4, load=HOT)
        sim.metrics.lateness[shop.key] = lambda end: 100.0 if end == 25 else 1.0
        for t, reporters in ((26.5, 2), (27.5, 3)):
            part = Datapoint(EPOCH + 20, 400.0 * reporters, reporters)
            sim.clock.at(t, partial(sim.metrics.parts[shop.key].append, part))
        report = sim.run([shop], until=30)
        assert sim.fleet(shop).counts == [8, 12]
        assert len(sim.ecs.updated) == 2
        assert not any("someone else" in noted for noted in report.noted(shop.key))

    def test_a_service_that_ceased_to_publish_is_not_looked_at_again_for_ever(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=HOT)
        sim.metrics.lateness[shop.key] = lambda end: 1000.0 if end > 30 else 1.0
        report = sim.run([shop], until=150)
        assert sum(look.again for look in report.looks if look.at - EPOCH > 70) == 0

    def test_metrics_that_cannot_be_read_are_not_asked_for_more_often(self, sim: Simulation) -> None:
        """A throttled account is not helped by a loop that asks every second; nor does it say how late data comes."""
        shop = sim.add(a_service(), tasks=4, load=HOT)
        sim.clock.at(20, lambda: sim.metrics.errors.update({shop.key: Throttled("GetMetricData", "Throttling")}))
        sim.clock.at(50, sim.metrics.errors.clear)
        report = sim.run([shop], until=100)
        assert not any(look.again for look in report.looks if 20 <= look.at - EPOCH < 50)
        assert max(look.at % 5 for look in report.looks if look.at > EPOCH + 55 and not look.again) <= 1.5


TROUBLE = [
    pytest.param(NotFound("DescribeServices", "MISSING"), id="deleted"),
    pytest.param(ACCESS_DENIED, id="access denied"),
    pytest.param(THROTTLED, id="throttled"),
    pytest.param(Unavailable("DescribeServices", "ServerException"), id="broken"),
]


class TestIsolation:
    @pytest.mark.parametrize("trouble", TROUBLE)
    def test_a_service_that_cannot_be_described_stands_still_and_hurts_nobody(
        self, sim: Simulation, trouble: AwsError
    ) -> None:
        good, bad, other = (
            sim.add(a_service(name), tasks=4, load=step(CALM, 1200, at=20)) for name in ("good", "bad", "other")
        )
        sim.ecs.refusals[bad.key] = trouble
        report = sim.run([good, bad, other], until=60)
        assert sim.fleet(good).counts == sim.fleet(other).counts == [12]
        assert sim.fleet(bad).asked == []
        assert set(report.errors()) == {(bad.key, trouble)}

    @pytest.mark.parametrize("trouble", TROUBLE)
    def test_it_scales_again_when_its_trouble_is_over(self, sim: Simulation, trouble: AwsError) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(CALM, 1200, at=20))
        sim.clock.at(10, lambda: sim.ecs.refusals.update({shop.key: trouble}))
        sim.clock.at(60, sim.ecs.refusals.clear)
        sim.run([shop], until=120)
        ((t, count),) = sim.fleet(shop).asked
        assert count == 12
        assert t <= 60 + (6 if isinstance(trouble, Throttled | Unavailable) else 31)

    def test_a_refusal_to_describe_is_not_repeated_at_every_look(self, sim: Simulation) -> None:
        """Only a person changes it, and the account's read quota is shared."""
        shop = sim.add(a_service(), tasks=4, load=CALM)
        sim.ecs.refusals[shop.key] = ACCESS_DENIED
        sim.run([shop], until=120)
        assert len(sim.ecs.times_described(shop.key)) <= 5

    @pytest.mark.parametrize(
        "trouble", [AccessDenied("GetMetricData", "Forbidden"), Throttled("GetMetricData", "Throttling")]
    )
    def test_a_service_without_metrics_holds_and_hurts_nobody(self, sim: Simulation, trouble: AwsError) -> None:
        good, bad = (sim.add(a_service(name), tasks=4, load=step(CALM, 1200, at=20)) for name in ("good", "bad"))
        sim.metrics.errors[bad.key] = trouble
        report = sim.run([good, bad], until=60)
        assert sim.fleet(good).counts == [12]
        assert sim.fleet(bad).asked == []
        assert ("", trouble) in report.errors()

    @pytest.mark.parametrize("trouble", [Throttled("UpdateService", "ThrottlingException"), Rejected("UpdateService", "InvalidParameterException")])  # fmt: skip  # noqa: E501
    def test_a_service_that_cannot_be_updated_hurts_nobody(self, sim: Simulation, trouble: AwsError) -> None:
        good, bad = (sim.add(a_service(name), tasks=4, load=step(CALM, 1200, at=20)) for name in ("good", "bad"))
        sim.ecs.outcomes[bad.key] = [Outcome(trouble, applied_after=None)] * 2
        report = sim.run([good, bad], until=60)
        assert sim.fleet(good).counts == [12]
        assert sim.fleet(bad).counts == [12], "the third attempt"
        assert report.errors() == [(bad.key, trouble)] * 2

    def test_a_defect_met_at_one_service_hurts_nobody(self, sim: Simulation) -> None:
        """A datapoint that is none: nothing in the loop expects it."""
        odd = per_task_metric("bad", PerTask=False)
        bad = sim.add(a_service("bad", Metrics={"Load": odd}), tasks=4, load=CALM)
        good = sim.add(a_service("good"), tasks=4, load=step(CALM, 1200, at=20))
        nothing: Any = None
        sim.metrics.datapoints[bad.key, "Load"] = [Datapoint(EPOCH - 5, nothing)]
        report = sim.run([bad, good], until=60)
        assert sim.fleet(good).counts == [12]
        assert sim.fleet(bad).asked == []
        assert {name for name, _ in report.errors()} == {bad.key}


class TestObserveMode:
    def test_nothing_is_called_for_an_observed_service(self, sim: Simulation) -> None:
        watched, shop = (
            sim.add(a_service(name), tasks=4, load=step(CALM, 1200, at=20)) for name in ("watched", "shop")
        )
        report = sim.run([watched, shop], until=60, observed=frozenset({watched.key}))
        assert sim.fleet(watched).asked == []
        assert sim.fleet(shop).counts == [12]
        assert report.looks[-1].decisions[watched.key].desired == 12


class TestDirectives:
    def test_a_floor_is_seen_at_the_next_look_and_ends_through_the_normal_rules(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=350.0)
        floor = Floor(shop.key, "morning", 9, EPOCH + 100)
        sim.clock.at(20, lambda: sim.store.put_directive(floor, EPOCH + 20, "1"))
        sim.run([shop], until=200)
        ((t, count),) = sim.fleet(shop).asked
        assert count == 9
        assert 20 <= t <= 25

    def test_a_paused_direction_does_not_move(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(CALM, 1200, at=20))
        sim.store.put_directive(Pause(shop.key, "ScaleOut", EPOCH + 60), EPOCH, "1")
        sim.run([shop], until=90)
        ((t, count),) = sim.fleet(shop).asked
        assert count == 12
        assert 60 <= t <= 66

    def test_directives_of_other_services_do_not_concern_it(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=CALM)
        sim.store.put_directive(Floor("shops/other", "morning", 9, EPOCH + 100), EPOCH, "1")
        sim.run([shop], until=60)
        assert sim.fleet(shop).asked == []


class TestMetricsInTrouble:
    def test_no_data_holds_the_count(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=9, load=CALM)
        del sim.metrics.load[shop.key]
        report = sim.run([shop], until=400)
        assert sim.fleet(shop).asked == []
        assert report.looks[-1].decisions[shop.key].cause == "no data"

    def test_data_that_ends_holds_the_count_however_low_it_was(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=9, load=10.0)
        sim.metrics.lateness[shop.key] = lambda end: 10_000.0 if end > 200 else 1.0
        sim.run([shop], until=1200)
        assert sim.fleet(shop).asked == []

    def test_one_silent_task_of_ten_blinds_nobody(self, sim: Simulation) -> None:
        """Nine of ten are enough to size for all ten; and nobody waits for the tenth."""
        shop = sim.add(a_service(), tasks=10, load=step(500, 3000, at=40))
        sim.metrics.silent[shop.key] = lambda t: 1 if t >= 30 else 0
        sim.run([shop], until=60)
        ((t, count),) = sim.fleet(shop).asked
        assert count == 30
        assert t <= 47

    def test_values_that_are_no_numbers_hold_the_count(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=lambda t: float("nan"))
        sim.run([shop], until=60)
        assert sim.fleet(shop).asked == []


def test_a_desired_count_set_by_hand_is_adopted_and_reported(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=HOT)
    sim.clock.at(20, lambda: sim.fleet(shop).set_desired(7, 20))
    report = sim.run([shop], until=60)
    assert sim.fleet(shop).counts == [7]
    assert any("set to 7 by someone else" in noted for noted in report.noted(shop.key))


class TestLedger:
    def test_a_scale_out_is_followed_to_healthy_targets(self, sim: Simulation) -> None:
        sim.ecs.target_groups = ("arn:shop",)
        shop = sim.add(a_service(), tasks=4, load=step(CALM, 1200, at=20))
        report = sim.run([shop], until=120)
        followed = [ledger for look in report.looks for _, ledger in look.ledgers]
        last = followed[-1]
        assert (last.previous, last.desired) == (4, 12)
        stages = (last.bucket_end, last.read, last.decided, last.updated, last.running, last.healthy)
        reached = [stage - EPOCH for stage in stages if stage is not None]
        assert len(reached) == 6
        assert reached == sorted(reached)
        (asked_at,) = (t for t, _ in sim.fleet(shop).asked)
        assert asked_at + 30 <= reached[-2] <= asked_at + 36
        assert asked_at + 40 <= reached[-1] <= asked_at + 46
        assert min(sim.targets.asked) >= asked_at + 30, "target health is asked only once the tasks run"
        assert sim.store.memory(shop.key).ledgers == ()

    def test_it_is_followed_across_a_hand_over(self, sim: Simulation) -> None:
        sim.ecs.target_groups = ("arn:shop",)
        shop = sim.add(a_service(), tasks=4, load=step(CALM, 1200, at=20))
        sim.start(0, [shop], until=900, caller="first")
        second = sim.start(40, [shop], until=120, caller="second")
        sim.clock.run_all()
        assert [ledger.healthy is not None for look in second.looks for _, ledger in look.ledgers][-1]

    def test_unknown_target_health_does_not_keep_it_open(self, sim: Simulation) -> None:
        """An open ledger has its service described at every look."""
        sim.ecs.target_groups = ("arn:gone",)
        sim.targets.error = NotFound("DescribeTargetHealth", "TargetGroupNotFound")
        shop = sim.add(a_service(), tasks=4, load=step(CALM, 400, at=20))
        sim.metrics.load[shop.key] = lambda t: 1200.0 if 20 <= t < 30 else 500.0
        report = sim.run([shop], until=300)
        assert sim.store.memory(shop.key).ledgers == ()
        assert (shop.key, sim.targets.error) in report.errors()
        assert sim.targets.asked[-1] < 220


def test_a_service_that_is_not_active_is_left_alone(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200.0)
    sim.ecs.status = "DRAINING"
    sim.run([shop], until=60)
    assert sim.fleet(shop).asked == []
