"""What is asked seldom: launches that fail, and other scalers. How often, by whom, and what comes of the answers."""

from itertools import pairwise

import pytest

from fastscaler.errors import AccessDenied, AwsError, Throttled
from fastscaler.inquire import Inquirer
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.policy import Service
from tests.unit.loop.fakes import (
    EPOCH,
    FakeClock,
    FakeEcs,
    FakeScalableTargets,
    FakeStoppedTasks,
    RecordingReport,
    Simulation,
    a_service,
    step,
)

PULL = "CannotPullContainerError: pull image manifest has been retried 5 times"
CONFLICT = "scale-out, scale-in, scheduled scaling"
DENIED = AccessDenied("DescribeScalableTargets", "AccessDeniedException")
HIGHEST = 60
STEPS = {
    "Name": "steps",
    "PolicyType": "StepScaling",
    "Metric": "Load",
    "Threshold": 100,
    "ComparisonOperator": "GreaterThanThreshold",
    "StepScalingPolicyConfiguration": {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [
            {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 100, "ScalingAdjustment": 2},
            {"MetricIntervalLowerBound": 100, "ScalingAdjustment": 4},
        ],
    },
}
TROUBLE = [
    pytest.param(AccessDenied("ListTasks", "AccessDeniedException"), id="denied"),
    pytest.param(Throttled("ListTasks", "ThrottlingException"), id="throttled"),
]


def a_broken_service(sim: Simulation, name: str = "shop") -> Service:
    """Four tasks run under a surge at 20 s that needs twelve; new ones cannot pull their image, and ECS tries again."""
    shop = sim.add(a_service(name, MaxCapacity=HIGHEST, Policies=[STEPS]), tasks=4, load=step(240, 1200, at=20))
    fleet = sim.fleet(shop)
    fleet.broken = PULL

    def try_again(t: float) -> None:
        if fleet.broken and fleet.running(t) < fleet.desired:
            fleet.fail(t, fleet.desired - fleet.running(t))

    for t in range(60, 3600, 60):
        sim.clock.at(t, lambda t=t: try_again(t))
    return shop


def hand_over_each_minute(sim: Simulation, shops: list[Service], *, until: float) -> list[RecordingReport]:
    """One invocation after the other, as EventBridge would start them."""
    beats = range(0, int(until), 60)
    reports = [sim.start(t, shops, until=min(t + 900, until), caller=f"beat {t}") for t in beats]
    sim.clock.run_all()
    return reports


def noted(reports: list[RecordingReport], shop: Service) -> list[str]:
    """What was noted of the two guards."""
    said = [what for report in reports for what in report.noted(shop.key)]
    return [what for what in said if "scale-out" in what or "conflict" in what]


class TestABrokenImageUnderASurge:
    def test_the_count_stops_where_the_first_answer_to_the_surge_has_brought_it(self, sim: Simulation) -> None:
        shop = a_broken_service(sim)
        reports = hand_over_each_minute(sim, [shop], until=1200)
        assert max(sim.fleet(shop).counts) == 12, "what the surge needs, and no more"
        assert max(t for t, _ in sim.fleet(shop).asked) < 60
        (begun,) = noted(reports, shop)
        assert "stopped before RUNNING: CannotPullContainerError" in begun
        last = reports[-1].looks[-1].decisions[shop.key]
        assert (last.cause, last.desired) == ("launch failures", 12)

    def test_without_an_answer_of_ecs_it_would_climb_to_its_maximum(self, sim: Simulation) -> None:
        """What the guard prevents: tasks in flight lose their credit, and the same load is answered again."""
        shop = a_broken_service(sim)
        sim.stopped.error = Throttled("ListTasks", "ThrottlingException")
        hand_over_each_minute(sim, [shop], until=1200)
        assert max(sim.fleet(shop).counts) == HIGHEST

    def test_after_a_deployment_that_mends_it_scaling_goes_on(self, sim: Simulation) -> None:
        shop = a_broken_service(sim)
        sim.metrics.load[shop.key] = lambda t: 240.0 if t < 20 else 1200.0 if t < 560 else 2400.0
        sim.clock.at(600, lambda: sim.fleet(shop).mend(600, deployed=True))
        reports = hand_over_each_minute(sim, [shop], until=900)
        assert {count for t, count in sim.fleet(shop).asked if 60 < t < 600} == set()
        t, count = next(change for change in sim.fleet(shop).asked if change[0] >= 600)
        assert count > 12
        assert t <= 606, "at the next look"
        assert sim.fleet(shop).running(900) >= 24
        assert [note for note in noted(reports, shop) if "scale-out goes on: a new deployment began" in note]

    def test_an_image_that_is_pushed_again_needs_no_deployment(self, sim: Simulation) -> None:
        shop = a_broken_service(sim)
        sim.metrics.load[shop.key] = lambda t: 240.0 if t < 20 else 1200.0 if t < 560 else 2400.0
        sim.clock.at(600, lambda: sim.fleet(shop).mend(600, deployed=False))
        hand_over_each_minute(sim, [shop], until=900)
        t, _ = next(change for change in sim.fleet(shop).asked if change[0] >= 600)
        assert 630 <= t <= 636, "when the first task runs"

    def test_other_services_scale_as_ever(self, sim: Simulation) -> None:
        bad = a_broken_service(sim, "bad")
        good = sim.add(a_service("good"), tasks=4, load=step(240, 3000, at=200))
        sim.run([bad, good], until=400)
        ((t, count),) = sim.fleet(good).asked
        assert count == 30
        assert t <= 210
        assert sim.stopped.times(good.key) == []


class TestAskingForFailedLaunches:
    def test_it_is_asked_twice_a_minute_at_most_across_hand_overs(self, sim: Simulation) -> None:
        """Tasks that neither run nor stop: ECS has no room for them, say."""
        shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
        sim.fleet(shop).start_seconds = 10_000
        hand_over_each_minute(sim, [shop], until=900)
        times = sim.stopped.times(shop.key)
        assert min(later - earlier for earlier, later in pairwise(times)) >= 30
        assert len(times) > 15

    def test_once_launches_are_known_to_fail_it_is_asked_and_written_less(self, sim: Simulation) -> None:
        shop = a_broken_service(sim)
        hand_over_each_minute(sim, [shop], until=3600)
        times = sim.stopped.times(shop.key)
        assert min(later - earlier for earlier, later in pairwise(times)) >= 300
        assert max(later - earlier for earlier, later in pairwise(times)) <= 306
        assert len([t for t in sim.store.times("save") if t > 300]) <= 12

    def test_and_not_before_the_tasks_should_run(self, sim: Simulation) -> None:
        shop = a_broken_service(sim)
        sim.run([shop], until=400)
        raised = sim.fleet(shop).asked[0][0]
        assert raised + 110 <= min(sim.stopped.times(shop.key)) <= raised + 120

    def test_a_service_whose_tasks_come_to_run_is_never_asked_about(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
        sim.run([shop], until=600)
        assert sim.fleet(shop).counts == [12]
        assert sim.stopped.asked == []

    def test_a_service_that_is_left_alone_meanwhile_is_asked_about_no_more_often(self, sim: Simulation) -> None:
        """Nothing is decided for it, so nothing of the answers is remembered."""
        shop = a_broken_service(sim)

        def drain() -> None:
            sim.ecs.status = "DRAINING"

        sim.clock.at(100, drain)
        sim.run([shop], until=400)
        times = sim.stopped.times(shop.key)
        assert min(later - earlier for earlier, later in pairwise(times)) >= 30

    @pytest.mark.parametrize("trouble", TROUBLE)
    def test_an_error_is_reported_and_holds_nothing(self, sim: Simulation, trouble: AwsError) -> None:
        shop = a_broken_service(sim)
        sim.stopped.error = trouble
        report = sim.run([shop], until=300)
        assert ("", trouble) in report.errors()
        assert max(sim.fleet(shop).counts) > 12
        assert min(later - earlier for earlier, later in pairwise(sim.stopped.times(shop.key))) >= 30

    @pytest.mark.parametrize("trouble", TROUBLE)
    def test_an_error_does_not_end_what_has_begun(self, sim: Simulation, trouble: AwsError) -> None:
        shop = a_broken_service(sim)

        def deny() -> None:
            sim.stopped.error = trouble

        sim.clock.at(200, deny)
        hand_over_each_minute(sim, [shop], until=900)
        assert max(sim.fleet(shop).counts) == 12

    def test_many_broken_services_are_asked_about_in_turn(self, sim: Simulation) -> None:
        shops = [a_broken_service(sim, f"shop-{n}") for n in range(9)]
        sim.run(shops, until=240)
        at_once: dict[float, int] = {}
        for t, _ in sim.stopped.asked:
            at_once[t] = at_once.get(t, 0) + 1
        assert max(at_once.values()) <= 3
        assert all(sim.stopped.times(shop.key) for shop in shops)

    def test_those_that_ecs_refuses_keep_no_other_waiting(self, sim: Simulation) -> None:
        """An error ends what a look asks, so the one that was asked longest ago comes first."""
        shops = [a_broken_service(sim, f"shop-{n}") for n in range(12)]
        sim.stopped.error = Throttled("ListTasks", "ThrottlingException")
        sim.run(shops, until=260)
        assert {asked for _, asked in sim.stopped.asked} == {shop.key for shop in shops}


class TestAskingForCompetitors:
    def test_the_first_scale_out_does_not_wait_for_it(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        asked_by_then: list[int] = []
        sim.ecs.before_update = lambda: asked_by_then.append(len(sim.scalable.asked))
        sim.run([shop], until=3)
        assert asked_by_then == [0]
        assert sim.scalable.times(shop.key) == [0]

    def test_it_is_asked_every_five_minutes_and_not_again_by_each_successor(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=100.0)
        hand_over_each_minute(sim, [shop], until=3600)
        first, *others = sim.scalable.times(shop.key)
        assert first == 0
        gaps = [later - earlier for earlier, later in pairwise(others)]
        assert min(gaps) >= 300
        assert max(gaps) <= 330
        assert len(others) >= 10

    @pytest.mark.parametrize("second", range(0, 60, 7))
    def test_no_hand_over_is_so_unlucky_that_it_is_never_asked(self, sim: Simulation, second: int) -> None:
        """Invocations that begin at the same second of each minute, in whichever second a question falls due."""
        shop = sim.add(a_service(), tasks=4, load=100.0)
        sim.store.stored[shop.key] = '{"format":1,"desired":4,"slot_seconds":30,"conflict":""}'
        for t in range(second, 1900, 60):
            sim.start(t, [shop], until=min(t + 900, 1900), caller=f"beat {t}")
        sim.clock.run_all()
        assert len(sim.scalable.times(shop.key)) >= 4

    def test_fifty_services_are_one_call_and_no_look_makes_two(self, sim: Simulation) -> None:
        shops = [sim.add(a_service(f"shop-{n}"), tasks=4, load=100.0) for n in range(120)]
        sim.run(shops, until=30)
        assert [len(services) for _, services in sim.scalable.asked] == [50, 50, 20]
        times = [t for t, _ in sim.scalable.asked]
        assert len(set(times)) == 3

    def test_of_a_thousand_services_every_one_is_asked_about_though_invocations_last_a_minute(self) -> None:
        shops = [a_service(f"shop-{n}") for n in range(1000)]
        known = Memory(desired=4, conflict="")
        clock = FakeClock()
        targets = FakeScalableTargets(clock)
        stopped = FakeStoppedTasks(clock, FakeEcs(clock, []))
        for beat in range(0, 660, 60):
            inquirer = Inquirer(shops, stopped, targets, clock.now())
            for t in range(beat, beat + 60, 5):
                inquirer.ask_for_competitors(shops, lambda key: known, clock.now())
                clock.sleep(beat + 60 - t if t == beat + 55 else 5)
        asked = {service for _, services in targets.asked for service in services}
        assert len(asked) == 1000

    def test_a_service_that_ignores_conflicts_or_is_left_alone_is_not_asked_about(self, sim: Simulation) -> None:
        ignoring = sim.add(a_service("ignoring", OnConflict="Ignore"), tasks=4, load=100.0)
        sim.run([ignoring], until=60)
        sim.ecs.status = "DRAINING"
        draining = sim.add(a_service("draining"), tasks=4, load=100.0)
        sim.run([draining], until=120)
        assert sim.scalable.asked == []

    def test_a_conflict_that_is_known_holds_from_a_successors_first_look_on(self, sim: Simulation) -> None:
        """Stored by a predecessor: nobody is asked before it counts."""
        shop = sim.add(a_service(OnConflict="Yield"), tasks=4, load=1200.0)
        sim.store.save(0, {shop.key: Memory(desired=4, conflict=CONFLICT)})
        report = sim.run([shop], until=1)
        assert report.looks[0].decisions[shop.key].cause == "conflict"
        assert sim.fleet(shop).asked == []
        assert sim.scalable.asked == []

    def test_a_conflict_keeps_the_tasks_until_it_is_over(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=12, load=400.0)
        sim.scalable.found[shop.key] = CONFLICT
        sim.clock.at(1000, sim.scalable.found.clear)
        reports = hand_over_each_minute(sim, [shop], until=1800)
        began, ended = noted(reports, shop)
        assert CONFLICT in began
        assert "the conflict is over" in ended
        down = [t for t, count in sim.fleet(shop).asked if count < 12]
        assert 1000 < min(down) <= 1000 + 330

    def test_a_conflict_does_not_keep_a_surge_waiting(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
        sim.scalable.found[shop.key] = CONFLICT
        sim.run([shop], until=60)
        ((t, count),) = sim.fleet(shop).asked
        assert (count, t <= 27) == (12, True)

    def test_denied_it_is_reported_as_an_error_of_no_service_and_asked_no_more_often(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
        sim.scalable.error = DENIED
        reports = hand_over_each_minute(sim, [shop], until=900)
        told = [error for report in reports for error in report.errors()]
        assert set(told) == {("", DENIED)}
        assert len(told) == len(sim.scalable.asked) <= 4
        assert sim.fleet(shop).counts == [12], "decisions go on"

    def test_denied_the_last_known_answer_stands(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=12, load=400.0)
        sim.store.save(0, {shop.key: Memory(desired=12, conflict=CONFLICT)})
        sim.scalable.error = DENIED
        hand_over_each_minute(sim, [shop], until=900)
        assert sim.scalable.asked
        assert sim.fleet(shop).asked == []

    def test_an_observer_asks_too_and_leaves_no_trace(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.scalable.found[shop.key] = CONFLICT
        report = sim.run([shop], until=60, observed=frozenset({shop.key}))
        assert report.looks[-1].decisions[shop.key].memory.conflict == CONFLICT
        assert sim.fleet(shop).asked == []


def test_epoch_is_where_these_tests_think_it_is() -> None:
    """A question falls due whenever a multiple of 311 s passes: the tests of an hour see eleven of them."""
    assert (EPOCH + 3600) // 311 - EPOCH // 311 in (11, 12)
