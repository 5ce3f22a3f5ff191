"""What virtual tasks publish for a load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_tasks import VirtualTasks

START = 1_800_000_000

loads = st.floats(0, 1e6)
fleets = st.integers(1, 1000)


def samples(tasks: VirtualTasks, load: float, count: int, beat: int = 0) -> dict[str, list[tuple[float, int]]]:
    bucket = tasks.publish(load, count, START, 5, beat)
    return {metric.name: [(one.value, one.count) for one in metric.samples] for metric in bucket.metrics}


def test_an_even_load_in_figures() -> None:
    published = samples(VirtualTasks(capacity=100, base_response_time=0.1), load=200, count=4)
    # 50 requests/s on a task that can serve 100: answered in 0.1 / (1 - 0.5) s, so 50 x 0.2 = 10 open at any moment.
    assert published["RequestsPerSecond"] == [(50, 1)] * 4
    assert published["AverageResponseTime"] == [(0.2, 250)] * 4
    assert published["ActiveConnections"] == [(10, 1)] * 4


def test_an_overloaded_task_answers_slower_and_no_more_than_it_can() -> None:
    published = samples(VirtualTasks(capacity=100, base_response_time=0.1), load=500, count=1)
    assert published["RequestsPerSecond"] == [(500, 1)]
    ((seconds, answered),) = published["AverageResponseTime"]
    assert answered == 500
    assert 2 < seconds < 60


def test_without_requests_there_is_no_response_time() -> None:
    published = samples(VirtualTasks(100, 0.1), load=0, count=3)
    assert published == {"RequestsPerSecond": [(0, 1)] * 3, "ActiveConnections": [(0, 1)] * 3}


def test_a_spread_repeats_for_its_seed_and_changes_from_beat_to_beat() -> None:
    def drawn(seed: int, beat: int) -> list[tuple[float, int]]:
        return samples(VirtualTasks(100, 0.1, spread=0.2, seed=seed), 500, 10, beat)["RequestsPerSecond"]

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)


@given(loads, fleets, st.floats(0, 0.5), st.integers())
def test_one_sample_per_task_whose_sum_is_the_load(load: float, count: int, spread: float, seed: int) -> None:
    published = samples(VirtualTasks(140, 0.05, spread, seed), load, count)
    for metric in ("RequestsPerSecond", "ActiveConnections"):
        assert sum(number for _, number in published[metric]) == count
    assert sum(value for value, _ in published["RequestsPerSecond"]) == pytest.approx(load, rel=1e-6, abs=1e-3)


@given(loads, fleets, st.floats(0, 0.5))
def test_the_spread_stays_around_the_mean(load: float, count: int, spread: float) -> None:
    for value, _ in samples(VirtualTasks(140, 0.05, spread), load, count)["RequestsPerSecond"]:
        assert value <= load / count * (1 + spread) / (1 - spread) + 1e-6


@given(st.floats(0.01, 1e9), st.floats(0.001, 60), st.floats(0, 1e9), st.floats(0, 1e9))
def test_more_load_is_never_answered_faster(capacity: float, base: float, one: float, other: float) -> None:
    tasks = VirtualTasks(capacity, base)
    low, high = sorted((one, other))
    assert base * 0.999 <= tasks.response_time(low) <= tasks.response_time(high) * 1.000001 < 1e15
