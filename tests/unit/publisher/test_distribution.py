"""Response times survive as a distribution within CloudWatch's limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.publisher.distribution import Distribution, add_up, samples
from fastscaler.publisher.metrics import Sample

seconds = st.floats(0, 1000)


def collected(times: list[float]) -> Distribution:
    distribution = Distribution()
    for time in times:
        distribution.add(time)
    return distribution


def shown(times: list[float]) -> tuple[Sample, ...]:
    return samples(collected(times).bins())


@given(st.lists(seconds, min_size=1))
def test_mean_and_count_are_exact(times: list[float]) -> None:
    assert sum(sample.count for sample in shown(times)) == len(times)
    total = sum(sample.value * sample.count for sample in shown(times))
    assert total == pytest.approx(sum(times), abs=1e-6 * len(times))


@given(st.lists(st.floats(0.0002, 110), min_size=1, max_size=300))
def test_the_90th_percentile_is_off_by_less_than_a_tenth(times: list[float]) -> None:
    values = [sample.value for sample in shown(times) for _ in range(sample.count)]
    rank = math.ceil(0.9 * len(times)) - 1
    assert values[rank] == pytest.approx(sorted(times)[rank], rel=0.1)


def test_no_traffic_fills_more_than_one_datum() -> None:
    everything = [0.0, 1e-9, *(0.0001 * 1.003**step for step in range(6000))]
    assert len(shown(everything)) <= 150


def test_a_clock_that_went_back_makes_no_negative_time() -> None:
    assert [sample.value for sample in shown([-1.0])] == [0.0]


@given(st.lists(st.lists(seconds), max_size=8))
def test_workers_together_show_what_one_process_would_have_shown(workers: list[list[float]]) -> None:
    apart = samples(add_up(collected(times).bins() for times in workers))
    alone = shown([time for times in workers for time in times])
    assert [sample.count for sample in apart] == [sample.count for sample in alone]
    assert [sample.value for sample in apart] == pytest.approx([sample.value for sample in alone], abs=2e-6)
