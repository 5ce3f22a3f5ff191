"""The benchmark's traffic is what it is said to be."""

import numpy as np
import pytest

from benchmarks.workloads import WORKLOADS, surge_at


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_fleet_of_2_to_100_tasks_carries_it_and_it_is_the_same_for_the_same_seed(name: str) -> None:
    workload = WORKLOADS[name]
    load = np.array(workload.trace(1).load)
    assert np.array_equal(load, workload.trace(1).load)
    minutes = load[: len(load) // 60 * 60].reshape(-1, 60).mean(axis=1)
    need = workload.settings.need([float(minutes.max())])
    assert 5 <= need[0] <= 80, "the busiest minute is work for a fleet, and within its maximum"


@pytest.mark.parametrize(("name", "times"), [("surge-2x", 2), ("surge-5x", 5), ("surge-20x", 20)])
@pytest.mark.parametrize("seed", range(12))
def test_a_surge_is_as_steep_and_as_long_as_its_name_says(name: str, times: int, seed: int) -> None:
    workload = WORKLOADS[name]
    assert workload.surge is not None
    at, until = workload.surge(seed)
    load = np.array(workload.trace(seed).load)
    assert set(load[: int(at)]) == {load[0]}
    assert np.allclose(load[int(at) + 1 : int(until)], times * load[0])
    assert np.allclose(load[int(until) + 1 :], load[0])
    assert (load - load[0]).sum() == pytest.approx((times - 1) * load[0] * (until - at))


def test_surges_fall_anywhere_into_the_minute_and_the_bucket() -> None:
    moments = [surge_at(seed) for seed in range(120)]
    assert {int(moment - 120) // 5 for moment in moments} == set(range(12))
    assert np.histogram(np.mod(moments, 5), bins=5, range=(0, 5))[0].min() > 15


def test_noise_stays_around_its_mean() -> None:
    load = np.array(WORKLOADS["noise"].trace(3).load)
    assert load.mean() == pytest.approx(1000, rel=0.1)
    assert 0.1 < load.std() / load.mean() < 0.2


def test_recorded_traffic_keeps_its_sum_when_it_is_smoothed() -> None:
    smoothed, raw = (np.array(WORKLOADS[name].trace(1).load).sum() for name in ("azure-code", "azure-code-raw"))
    assert smoothed / 400 == pytest.approx(raw / 100, rel=0.01)
