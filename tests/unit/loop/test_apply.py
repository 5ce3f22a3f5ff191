"""Decide once, call once: the intent before the call, and every way in which a call can end."""

import threading
import time

import pytest

from fastscaler.apply import Applier
from fastscaler.errors import AccessDenied, AwsError, Superseded, Throttled, Unavailable
from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.observation import MetricReading, Observation, Reading, ServiceState
from fastscaler.scaling.policy import Service
from tests.unit.loop.fakes import EPOCH, Outcome, Simulation, a_service, step

THROTTLED = Throttled("UpdateService", "ThrottlingException")
DENIED = AccessDenied("UpdateService", "AccessDeniedException")
TIMED_OUT = Unavailable("UpdateService", "ReadTimeoutError")
WRITE_FAILED = Unavailable("TransactWriteItems", "InternalServerError")


class TestTheIntent:
    def test_is_written_before_the_call(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.run([shop], until=20)
        assert sim.journal == [f"intent {shop.key} 12", f"update {shop.key} 12"]

    def test_a_write_that_fails_means_no_call_and_the_next_look_decides_anew(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.store.errors["save"] = [WRITE_FAILED]
        report = sim.run([shop], until=20)
        assert ("", WRITE_FAILED) in report.looks[0].errors
        ((t, count),) = sim.fleet(shop).asked
        assert count == 12
        assert 0 < t <= 5

    def test_a_write_that_takes_too_long_means_no_call(self, sim: Simulation) -> None:
        """A successor may have read the intent and decided already: a call must leave within a second, or never."""
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        slow = [3.0]
        sim.store.before["save"] = lambda: sim.clock.sleep(slow.pop() if slow else 0.0)
        report = sim.run([shop], until=20)
        (error,) = (error for _, error in report.errors())
        assert error.code == "NotSent"
        ((t, count),) = sim.fleet(shop).asked
        assert count == 12
        assert 3 <= t <= 10

    def test_bookkeeping_for_others_does_not_stop_a_call(self, sim: Simulation) -> None:
        """Hundreds of calm services' memory may exceed what the table takes at once; a surge cannot wait for that."""
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        calm = [sim.add(a_service(f"calm-{n}"), tasks=4, load=200.0) for n in range(5)]
        sim.store.crowded = {one.key for one in calm}
        sim.run([shop, *calm], until=3)
        assert sim.fleet(shop).counts == [12]


class TestWhatIsTold:
    """`fastscaler status` shows the last change and why, however long ago it was."""

    def test_the_last_change_is_remembered_with_its_reason(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(100, 1200, at=20))
        sim.run([shop], until=250)
        change = sim.store.memory(shop.key).change
        assert change is not None
        assert (change.previous, change.desired, change.cause) == (4, 12, "track")
        assert "300 per task against 100" in change.reason
        assert 25 < change.at - EPOCH < 30

    def test_a_refused_call_is_told_as_refused(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.ecs.outcomes[shop.key] = [Outcome(DENIED, None)] * 50
        sim.run([shop], until=20)
        change = sim.store.memory(shop.key).change
        assert change is not None
        assert change.refused


class TestARefusal:
    """UpdateService said no: it had no effect, so there is nothing to wait for."""

    @pytest.mark.parametrize("refusal", [THROTTLED, DENIED])
    def test_is_tried_again_at_the_next_look_without_a_cooldown(self, sim: Simulation, refusal: AwsError) -> None:
        shop = sim.add(a_service(Behavior={"ScaleOut": {"Cooldown": 600}}), tasks=4, load=1200.0)
        sim.ecs.outcomes[shop.key] = [Outcome(refusal, applied_after=None)] * 2
        sim.run([shop], until=60)
        ((t, count),) = sim.fleet(shop).asked
        assert count == 12
        assert t <= 12
        assert len(sim.ecs.updated) == 3

    def test_leaves_no_activity_behind(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.ecs.outcomes[shop.key] = [Outcome(DENIED, applied_after=None)] * 100
        sim.run([shop], until=30)
        memory = sim.store.memory(shop.key)
        assert (memory.desired, memory.intent, memory.activities, memory.ledgers) == (4, None, (), ())


class TestAnUnknownOutcome:
    """No answer: the call may have taken effect, may do so later, or never."""

    def test_that_took_effect_is_not_repeated(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(200, 1200, at=20))
        sim.ecs.outcomes[shop.key] = [Outcome(TIMED_OUT, applied_after=0.0)]
        report = sim.run([shop], until=120)
        assert len(sim.ecs.updated) == 1
        assert any("has taken effect" in noted for noted in report.noted(shop.key))

    def test_that_took_effect_still_has_a_ledger(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(200, 1200, at=20))
        sim.ecs.outcomes[shop.key] = [Outcome(TIMED_OUT, applied_after=0.0)]
        report = sim.run([shop], until=120)
        followed = [ledger for look in report.looks for _, ledger in look.ledgers]
        assert [(one.updated is not None, one.running is not None) for one in followed] == [(True, False), (True, True)]
        assert sim.store.memory(shop.key).ledgers == ()

    def test_that_never_took_effect_is_corrected_within_two_ticks(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(200, 1200, at=20))
        sim.ecs.outcomes[shop.key] = [Outcome(TIMED_OUT, applied_after=None)]
        sim.run([shop], until=60)
        lost_at = sim.ecs.updated[0][0]
        ((t, count),) = sim.fleet(shop).asked
        assert count == 12
        assert t - lost_at <= 10

    def test_that_takes_effect_late_is_corrected_within_two_ticks(self, sim: Simulation) -> None:
        """The load has grown meanwhile, so the late call sets a smaller count than a newer one did."""
        shop = sim.add(a_service(), tasks=4, load=lambda t: 2000.0 if t >= 25 else 1200.0 if t >= 20 else 200.0)
        sim.ecs.outcomes[shop.key] = [Outcome(TIMED_OUT, applied_after=6.0)]
        sim.run([shop], until=90)
        assert sim.fleet(shop).counts == [20, 12, 20]
        late_at, corrected_at = (t for t, _ in sim.fleet(shop).asked[1:])
        assert corrected_at - late_at <= 10

    def test_allows_no_scale_in_meanwhile(self, sim: Simulation) -> None:
        quick = {"ScaleIn": {"StabilizationWindowSeconds": 0, "Cooldown": 0}}
        shop = sim.add(
            a_service(Behavior=quick), tasks=4, load=lambda t: 380.0 if t < 20 else 1200.0 if t < 25 else 100.0
        )
        sim.ecs.outcomes[shop.key] = [Outcome(TIMED_OUT, applied_after=None)]
        sim.run([shop], until=60)
        first_lowered = next(t for t, _, _, desired in sim.ecs.updated if desired < 4)
        assert first_lowered - sim.ecs.updated[0][0] >= 9


class TestASlowCall:
    """UpdateService takes longer than a look waits for it."""

    @pytest.fixture
    def slow(self, sim: Simulation) -> tuple[Service, threading.Event]:
        shop, gate = sim.add(a_service(), tasks=4, load=step(360, 1200, at=20)), threading.Event()
        sim.ecs.outcomes[shop.key] = [Outcome(gate=gate)]
        return shop, gate

    def test_is_collected_by_a_later_look_and_never_doubled(
        self, sim: Simulation, slow: tuple[Service, threading.Event]
    ) -> None:
        shop, gate = slow
        sim.clock.at(29, gate.set)
        report = sim.run([shop], until=60)
        assert [desired for _, _, _, desired in sim.ecs.updated] == [12]
        (scaled,) = (scaled for look in report.looks for scaled in look.scaled)
        assert (scaled.desired, scaled.error) == (12, None)
        assert scaled.returned - EPOCH > 29
        memory = sim.store.memory(shop.key)
        assert (memory.desired, memory.intent) == (12, None)
        assert [activity.desired for activity in memory.activities] == [12]

    def test_whose_answer_comes_before_a_second_look_is_not_doubled_either(
        self, sim: Simulation, slow: tuple[Service, threading.Event]
    ) -> None:
        """A second look does not describe: what it decides from is the count before the call, and the call's answer."""
        shop, gate = slow
        sim.metrics.lateness[shop.key] = lambda end: 3.5 if end == 30 else 1.0

        def answer() -> None:
            gate.set()
            time.sleep(0.05)

        sim.clock.at(31.9, answer)
        report = sim.run([shop], until=60)
        assert any(look.again and 32 <= look.at - EPOCH < 33 for look in report.looks)
        assert [desired for _, _, _, desired in sim.ecs.updated] == [12]

    def test_is_joined_before_the_invocation_ends(self, sim: Simulation, slow: tuple[Service, threading.Event]) -> None:
        """A frozen sandbox would send it minutes later."""
        shop, gate = slow
        threading.Timer(1.5, gate.set).start()
        sim.run([shop], until=27)
        assert sim.fleet(shop).counts == [12]

    def test_is_joined_before_a_superseded_invocation_ends(
        self, sim: Simulation, slow: tuple[Service, threading.Event]
    ) -> None:
        shop, gate = slow

        def supersede() -> None:
            sim.store.epoch += 1
            threading.Timer(0.3, gate.set).start()

        sim.clock.at(28, supersede)
        report = sim.run([shop], until=900)
        assert report.ending == "superseded"
        assert sim.fleet(shop).counts == [12]


def decided(service: Service, load: float, applier: Applier, sim: Simulation) -> dict[str, Decision]:
    """A decision on four running tasks that show this load each."""
    reading = Reading(load, EPOCH - 5, 1.0, total=4 * load, reporters=4, coverage=1.0)
    observation = Observation(ServiceState(4, 4), {"Load": MetricReading(reading)})
    return {service.key: decide(service, observation, applier.memory(service.key), sim.clock.now())}


class TestApplier:
    @pytest.fixture
    def applier(self, sim: Simulation) -> Applier:
        return Applier(sim.ecs.called_by("loop"), sim.store, sim.clock, sim.store.take_over(), {})

    def test_superseded_it_makes_no_call(self, sim: Simulation, applier: Applier) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.store.take_over()
        with pytest.raises(Superseded):
            applier.apply(decided(shop, 300.0, applier, sim), EPOCH)
        applier.close()
        assert sim.ecs.updated == []

    def test_many_services_are_called_at_once(self, sim: Simulation, applier: Applier) -> None:
        """Ten slow calls take as long as one."""
        shops = [sim.add(a_service(f"shop-{n}"), tasks=4, load=1200.0) for n in range(10)]
        gate = threading.Event()
        for shop in shops:
            sim.ecs.outcomes[shop.key] = [Outcome(gate=gate)]
        decisions: dict[str, Decision] = {}
        for shop in shops:
            decisions |= decided(shop, 300.0, applier, sim)
        threading.Timer(0.2, gate.set).start()
        scaled = applier.apply(decisions, EPOCH)
        applier.close()
        assert {one.service for one in scaled} == {shop.key for shop in shops}
