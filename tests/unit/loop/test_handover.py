"""One invocation after another: who decides, for how long, and what a killed or stalled one leaves behind."""

from itertools import pairwise

import pytest

from fastscaler import loop
from fastscaler.errors import AccessDenied, Throttled, Unavailable
from fastscaler.pace import Pace
from tests.unit.loop.fakes import EPOCH, Killed, Outcome, Simulation, a_service, step


def test_a_loop_looks_at_every_bucket(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=100.0)
    report = sim.run([shop], until=60)
    gaps = [later - earlier for earlier, later in pairwise(report.times)]
    assert report.times[0] == 0
    assert max(gaps) <= 5.35  # 0.35 s later, after a bucket that was late.
    assert len(report.looks) == 13


def test_the_newest_invocation_takes_over_and_leaves_no_gap(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=100.0)
    beats = [sim.start(60 * n + 7.3 * n, [shop], until=60 * n + 900, caller=f"beat {n}") for n in range(3)]
    last = sim.start(240, [shop], until=300, caller="last")
    sim.clock.run_all()
    assert [beat.ending for beat in [*beats, last]] == ["superseded", "superseded", "superseded", "deadline"]
    assert [beat.epoch for beat in [*beats, last]] == [1, 2, 3, 4]
    times = [t for beat in [*beats, last] for t in beat.times]
    assert times == sorted(times), "a predecessor looked after its successor"
    assert max(later - earlier for earlier, later in pairwise(times)) <= 7.5


def test_a_surge_during_a_hand_over_is_answered_once_and_at_once(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=60))
    sim.start(0, [shop], until=900, caller="first")
    sim.start(64.5, [shop], until=120, caller="second")
    sim.clock.run_all()
    ((t, count),) = sim.fleet(shop).asked
    assert count == 12
    assert t <= 70


def test_what_the_predecessor_did_is_known_to_its_successor(sim: Simulation) -> None:
    """New tasks need 30 s: without the credit for them, and the cooldown, the successor would ask for more."""
    shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=50))
    sim.start(0, [shop], until=900, caller="first")
    second = sim.start(60, [shop], until=180, caller="second")
    sim.clock.run_all()
    assert sim.fleet(shop).counts == [12]
    assert second.noted(shop.key) == []


def test_of_many_loops_exactly_one_decides(sim: Simulation) -> None:
    """Ten invocations within seconds, as duplicate and overlapping events would start them, during a surge."""
    shop = sim.add(a_service(), tasks=4, load=step(240, 3000, at=10))
    beats = [sim.start(n * 1.7, [shop], until=900, caller=f"beat {n}") for n in range(10)]
    last = sim.start(17, [shop], until=60, caller="last")
    sim.clock.run_all()
    assert {beat.ending for beat in beats} == {"superseded"}
    assert last.ending == "deadline"
    assert sim.fleet(shop).counts == [30]


def test_a_loop_that_stalled_does_nothing_when_it_wakes(sim: Simulation) -> None:
    """It stalls between reading and writing, its decision made, while a successor scales and is content."""
    shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
    stalled = sim.start(0, [shop], until=900, caller="stalled")

    def stall() -> None:
        if sim.clock.t > 20 and sim.store.epoch == 1:
            sim.clock.sleep(40)

    sim.store.before["save"] = stall
    sim.start(30, [shop], until=120, caller="successor")
    sim.clock.run_all()
    assert stalled.ending == "superseded"
    assert {caller for _, caller, _, _ in sim.ecs.updated} == {"successor"}
    assert sim.fleet(shop).counts == [12]


def test_a_loop_that_stalled_at_its_sleep_leaves_without_reading_anything(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
    sim.start(0, [shop], until=900, caller="first")
    sim.start(12, [shop], until=40, caller="second")
    sim.clock.run_all()
    assert max(t for t, caller, _ in sim.ecs.described if caller == "first") < 12


def test_killed_between_intent_and_call_the_successor_decides_anew(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
    sim.ecs.outcomes[shop.key] = [Outcome(killed=True)]
    with pytest.raises(Killed):
        sim.run([shop], until=900)
    killed_at = sim.clock.t
    assert sim.fleet(shop).desired == 4
    sim.run([shop], until=killed_at + 60)
    ((t, count),) = sim.fleet(shop).asked
    assert count == 12
    assert t - killed_at <= 10, "corrected within two ticks"


def test_twenty_seconds_before_its_end_a_loop_still_ends_cleanly(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200.0)
    report = sim.run([shop], until=20 - loop.MARGIN)
    assert report.ending == "deadline"
    assert sim.clock.t <= 20 - loop.MARGIN
    assert sim.fleet(shop).counts == [12]
    assert sim.store.memory(shop.key).intent is None, "nothing is on its way"


def test_a_loop_without_time_for_one_look_leaves_its_predecessor_alone(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200.0)
    assert sim.run([shop], until=0).looks == []
    assert sim.store.calls == []


class TestTakingOver:
    def test_a_busy_table_is_asked_again(self, sim: Simulation) -> None:
        """A write of the predecessor at the same moment is answered with TransactionConflictException."""
        shop = sim.add(a_service(), tasks=4, load=100.0)
        sim.store.errors["take_over"] = [Throttled("UpdateItem", "TransactionConflictException")] * 3
        report = sim.run([shop], until=30)
        assert report.times[0] == 3
        assert [doing for _, doing, _ in report.failures] == ["taking over"] * 3

    def test_a_reader_that_fails_after_the_take_over_goes_on_trying(self, sim: Simulation) -> None:
        """The predecessor is superseded by then: to give up would leave the services alone for a minute."""
        shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
        first = sim.start(0, [shop], until=900, caller="first")

        def break_the_table() -> None:
            sim.store.errors["read_all"] = [Unavailable("Query", "InternalServerError")] * 8

        sim.clock.at(14, break_the_table)
        second = sim.start(15, [shop], until=60, caller="second")
        sim.clock.run_all()
        assert first.ending == "superseded"
        assert second.ending == "deadline"
        assert second.times[0] == 23
        assert sim.fleet(shop).counts == [12]

    def test_a_refusal_fails_the_invocation_and_the_predecessor_goes_on(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=40))
        sim.start(0, [shop], until=60, caller="first")
        refused = AccessDenied("UpdateItem", "AccessDeniedException")

        def deny() -> None:
            sim.store.errors["take_over"] = [refused]

        sim.clock.at(29, deny)
        sim.start(30, [shop], until=900, caller="second")
        with pytest.raises(AccessDenied):
            sim.clock.run_all()
        assert sim.store.epoch == 1
        assert sim.fleet(shop).counts == [12]

    def test_trying_ends_before_another_invocation_would_be_newer(self, sim: Simulation) -> None:
        shop = sim.add(a_service(), tasks=4, load=100.0)
        sim.store.errors["take_over"] = [Throttled("UpdateItem", "ThrottlingException")] * 60
        with pytest.raises(Throttled):
            sim.run([shop], until=900)
        assert sim.clock.t <= 10


def test_while_the_epoch_cannot_be_read_nothing_is_done_and_then_all_is_normal(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))

    def break_the_table() -> None:
        sim.store.errors["poll"] = [Throttled("Query", "ThrottlingException")] * 3

    sim.clock.at(19, break_the_table)
    report = sim.run([shop], until=60)
    down = [t for t, _, _ in report.failures]
    assert len(down) == 3
    assert not [t for t in sim.metrics.times_read(shop.key) if down[0] <= t <= down[-1]]
    ((t, count),) = sim.fleet(shop).asked
    assert count == 12
    assert t - down[-1] <= 5, "at the next look"


def test_an_invocation_that_ends_leaves_no_thread(sim: Simulation) -> None:
    import threading

    before = set(threading.enumerate())
    sim.run([sim.add(a_service(), tasks=4, load=1200.0)], until=30)
    assert not set(threading.enumerate()) - before


def test_the_first_look_comes_before_anything_else_is_done(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200.0)
    report, looks_by_then = sim.run([shop], until=1), []
    loop.run(
        [shop],
        sim.world(report),
        Pace(),
        EPOCH + 30,
        once_started=lambda epoch: looks_by_then.append((epoch, len(report.looks))),
    )
    assert looks_by_then == [(2, 2)]
