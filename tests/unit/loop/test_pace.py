"""When to look: as soon as nine buckets in ten are complete, and never later than the next bucket."""

from itertools import pairwise
from math import inf
from random import Random

import pytest

from fastscaler.pace import LONGEST_DELAY, SHORTEST_DELAY, START_DELAY, Pace
from tests.unit.loop.fakes import EPOCH, Simulation, a_service


def settled(lateness: list[float], pace: Pace) -> list[float]:
    """The delays at which these buckets were looked at, the learned delay following them."""
    delays = []
    for late in lateness:
        delays.append(pace.delay)
        pace.learn(1.0 if late <= pace.delay else 0.0)
    return delays


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.5])
def test_the_delay_settles_where_seven_buckets_in_ten_are_complete(sigma: float) -> None:
    random = Random(1)
    lateness = [random.lognormvariate(0.7, sigma) for _ in range(2000)]
    delays = settled(lateness, Pace())
    in_time = [late <= delay for late, delay in zip(lateness, delays, strict=True)][200:]
    assert sum(in_time) / len(in_time) == pytest.approx(0.7, abs=0.02)


def test_it_follows_when_buckets_become_late_and_when_they_become_early_again() -> None:
    pace = Pace()
    settled([3.0] * 40, pace)
    assert pace.delay >= 2.9
    settled([0.8] * 80, pace)
    assert pace.delay <= 1.3


def test_one_late_bucket_does_not_shift_it_for_long() -> None:
    pace = Pace()
    settled([1.0] * 50 + [4.0] + [1.0] * 10, pace)
    assert pace.delay <= START_DELAY


def test_it_stays_within_a_bucket() -> None:
    pace = Pace()
    settled([60.0] * 100, pace)
    assert pace.delay == LONGEST_DELAY < 5
    settled([0.0] * 1000, pace)
    assert pace.delay == SHORTEST_DELAY


def test_each_bucket_has_one_first_look() -> None:
    pace = Pace(delay=1.5)
    assert pace.next_look(EPOCH + 0.2, looked_at=EPOCH - 5) == EPOCH + 1.5
    assert pace.next_look(EPOCH + 1.6, looked_at=EPOCH) == EPOCH + 6.5


def test_a_look_that_overran_skips_to_the_next_boundary() -> None:
    assert Pace(delay=1.5).next_look(EPOCH + 13, looked_at=EPOCH) == EPOCH + 16.5


def test_the_loop_follows_how_late_its_buckets_come(sim: Simulation) -> None:
    shop, pace = sim.add(a_service(), tasks=4, load=300.0), Pace()
    sim.metrics.lateness[shop.key] = lambda end: 3.2
    report = sim.run([shop], until=300, pace=pace)
    first_looks = [look.at % 5 for look in report.looks if not look.again][20:]
    assert min(first_looks) >= 3.0
    assert max(first_looks) <= 3.8


def test_slow_answers_make_looks_skip_and_never_overlap(sim: Simulation) -> None:
    """Every look takes 7 s: there is one per 10 s then, each at its bucket's time."""
    shop = sim.add(a_service(), tasks=4, load=100.0)
    sim.store.before["poll"] = lambda: sim.clock.sleep(7)
    report = sim.run([shop], until=120)
    assert len(report.looks) <= 13
    polled = sim.store.times("poll")
    assert [later - earlier for earlier, later in pairwise(polled[1:])] == pytest.approx(
        [10] * (len(polled) - 2), abs=1
    )


def test_a_pace_that_never_looks_again_waits_for_the_next_bucket(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=300.0)
    sim.metrics.lateness[shop.key] = lambda end: 3.2
    report = sim.run([shop], until=60, pace=Pace(again=inf))
    assert not any(look.again for look in report.looks)
    assert 11 <= len(report.looks) <= 13
