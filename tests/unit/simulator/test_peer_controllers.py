"""The peers in the simulated world: what each of them sees there, and when it acts on it."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from statistics import median

import numpy as np
import pytest

from simulator.controllers import peers
from simulator.controllers.peers import PeerController
from simulator.run import Run, Trace
from simulator.settings import Settings
from simulator.simulate import simulate
from tests.unit.simulator.worlds import steady, surge

ALL: list[PeerController] = [
    peers.target_tracking(60),
    peers.target_tracking(20),
    peers.step_scaling(),
    peers.hpa(),
    peers.kpa(),
    peers.poller(),
    peers.oracle(),
    peers.no_scaling(),
]
TEN = Settings(start_tasks=10)
EVERY = pytest.mark.parametrize("peer", ALL, ids=lambda peer: peer.name)


def reactions(peer: PeerController, settings: Settings, *, before: float, after: float, moments: range) -> list[float]:
    """Seconds from a surge at each of `moments` to the first call after it."""
    found = []
    for at in moments:
        run = simulate(surge(before, after, at, at + 500), peer, settings)
        found.append(next(call.at for call in run.calls if call.at >= at) - at)
    return found


def busy_day() -> Trace:
    """A wave and a burst on it, of an hour."""
    seconds = np.arange(3600)
    wave = 2000 - 1500 * np.cos(2 * np.pi * seconds / 3600)
    return Trace("wave and burst", (wave + 2500 * ((seconds >= 1200) & (seconds < 1300))).tolist())


@pytest.mark.parametrize(("period", "published"), [(60, 363), (20, 86)])
def test_target_tracking_triggers_when_aws_says(period: int, published: int) -> None:
    """The surge of the calibration: from 42% CPU to 100%, with a target of 70%."""
    settings = Settings(target=105.0, start_tasks=10)
    moments = range(600, 600 + period, period // 20)
    found = reactions(peers.target_tracking(period), settings, before=10 * 63, after=3000, moments=moments)
    assert median(found) == pytest.approx(published, abs=3)


def test_step_scaling_waits_for_a_period_of_ten_seconds_and_then_a_minute() -> None:
    found = reactions(peers.step_scaling(), TEN, before=600, after=3000, moments=range(600, 610))
    assert min(found) > 5
    assert max(found) < 25
    run = simulate(surge(850, 3000, 600, 900), peers.step_scaling(), TEN)
    assert [call.after - call.before for call in run.calls[:3]] == [4, 4, 2], "the new tasks relieve the others"
    assert [later.at - earlier.at for earlier, later in pairwise(run.calls)] == [60.0] * (len(run.calls) - 1)


def test_the_hpa_doubles_once_the_pods_have_been_scraped() -> None:
    """A scrape each 15 s shows the mean since the last one, and a sync each 15 s sees it. One may be needed twice."""
    for phase in range(0, 15, 5):
        settings = replace(TEN, pod_phase=float(phase))
        found = reactions(peers.hpa(), settings, before=600, after=3000, moments=range(600, 615))
        assert min(found) >= 1
        assert max(found) <= 15 + 15 + 8 + 1
    run = simulate(surge(600, 3000, 600, 650), peers.hpa(), TEN)
    assert run.calls[0].after <= 20, "100% per 15 s"


def test_the_kpa_panics_within_seconds() -> None:
    found = reactions(peers.kpa(), TEN, before=600, after=3000, moments=range(600, 606))
    assert max(found) <= 6
    run = simulate(surge(600, 3000, 600, 720), peers.kpa(), TEN)
    assert run.desired[-1] == 30


def test_the_poller_jumps_to_a_row_of_its_table_and_waits_a_minute() -> None:
    run = simulate(surge(600, 3000, 600, 800), peers.poller(), TEN)
    assert 600 < run.calls[0].at < 610
    assert {call.after for call in run.calls} <= {10, 50, 75, 100}
    assert all(later.at - earlier.at >= 60 for earlier, later in pairwise(run.calls))


@pytest.mark.parametrize("seed", range(4))
def test_the_oracle_is_never_late_and_the_cheapest_of_those_who_are_not(seed: int) -> None:
    day = busy_day()
    best = simulate(day, peers.oracle(), seed=seed)
    assert best.late.sum() + best.lost.sum() == 0
    for peer in ALL:
        run = simulate(day, peer, seed=seed)
        if run.late.sum() + run.lost.sum() == 0:
            assert run.billed.sum() >= best.billed.sum(), peer.name


@pytest.mark.parametrize("seed", range(3))
def test_the_oracle_is_never_late_on_a_load_that_jumps(seed: int) -> None:
    """Every half minute another load, with noise: tasks go and come again while others are still starting."""
    rng = np.random.default_rng(seed)
    load = rng.poisson(rng.gamma(4, 250, 240).repeat(30)).astype(float)
    run = simulate(Trace("jumps", load.tolist()), peers.oracle(), seed=seed)
    assert (run.late + run.lost)[60:].sum() == 0


def test_without_scaling_nothing_is_called() -> None:
    run = simulate(busy_day(), peers.no_scaling(), TEN)
    assert run.calls == ()
    assert set(run.desired) == {10}


@pytest.mark.parametrize("peer", [peer for peer in ALL if peer.name != "oracle"], ids=lambda peer: peer.name)
def test_a_calm_service_is_left_alone(peer: PeerController) -> None:
    """At 95% of the target nobody has a reason to act, but who knows that fewer tasks would do as well."""
    assert simulate(steady(950, 2400), peer, TEN).calls == ()


@EVERY
def test_the_count_stays_within_its_bounds_and_each_call_changes_it(peer: PeerController) -> None:
    settings = Settings(minimum=5, maximum=20, start_tasks=5)
    run = simulate(busy_day(), peer, settings)
    assert all(5 <= call.after <= 20 for call in run.calls)
    assert all(earlier.after == later.before for earlier, later in pairwise(run.calls))
    assert all(call.before != call.after for call in run.calls)
    assert run.usage.updates == len(run.calls)


@EVERY
def test_a_run_can_be_repeated(peer: PeerController) -> None:
    """A controller keeps nothing: it may be used for one trace after another."""
    one, other = (simulate(busy_day(), peer, seed=3) for _ in range(2))
    assert one.calls == other.calls
    assert np.array_equal(one.late, other.late)


@pytest.mark.parametrize("make", [peers.hpa, peers.kpa, peers.oracle], ids=["hpa", "kpa", "oracle"])
def test_tasks_go_again_when_the_load_is_gone(make: Callable[[], PeerController]) -> None:
    run: Run = simulate(Trace("drop", [2000.0] * 300 + [300.0] * 900), make())
    assert run.desired[-1] == 3
