"""Response times survive as a distribution within CloudWatch's limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.publisher.distribution import Distribution

seconds = st.floats(0, 1000)


def collected(times: list[float]) -> Distribution:
    distribution = Distribution()
    for time in times:
        distribution.add(time)
    return distribution


@given(st.lists(seconds, min_size=1))
def test_mean_and_count_are_exact(times: list[float]) -> None:
    samples = collected(times).samples()
    assert sum(sample.count for sample in samples) == len(times)
    total = sum(sample.value * sample.count for sample in samples)
    assert total == pytest.approx(sum(times), abs=1e-6 * len(times))


@given(st.lists(st.floats(0.0002, 110), min_size=1, max_size=300))
def test_the_90th_percentile_is_off_by_less_than_a_tenth(times: list[float]) -> None:
    shown = [sample.value for sample in collected(times).samples() for _ in range(sample.count)]
    rank = math.ceil(0.9 * len(times)) - 1
    assert shown[rank] == pytest.approx(sorted(times)[rank], rel=0.1)


def test_no_traffic_fills_more_than_one_datum() -> None:
    everything = [0.0, 1e-9, *(0.0001 * 1.003**step for step in range(6000))]
    assert len(collected(everything).samples()) <= 150


def test_a_clock_that_went_back_makes_no_negative_time() -> None:
    assert [sample.value for sample in collected([-1.0]).samples()] == [0.0]
