"""How much load each profile puts on a service, in figures that can be checked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_profile import Constant, LoadProfile, Ramp, Sine, Spike, Step, Trace, mean_rate

rates = st.floats(0, 10_000)
moments = st.floats(0, 900)
lengths = st.floats(0.1, 900)


def buckets(profile: LoadProfile, count: int, seconds: int = 5) -> list[float]:
    return [mean_rate(profile, start, start + seconds) for start in range(0, count * seconds, seconds)]


def peaks(low: float, extra: float) -> tuple[float, float]:
    return low, low + extra


profiles = st.one_of(
    st.builds(Constant, rates),
    st.builds(lambda low, extra, at: Step(low, low + extra, at), rates, rates, moments),
    st.builds(lambda low, extra, at, over: Ramp(low, low + extra, at, over), rates, rates, moments, lengths),
    st.builds(lambda low, extra, at, over: Spike(low, low + extra, at, over), rates, rates, moments, lengths),
    st.builds(lambda low, extra, over: Sine(low, low + extra, over), rates, rates, lengths),
    st.builds(lambda values, over: Trace(tuple(values), over), st.lists(rates, min_size=1, max_size=30), lengths),
)


def test_constant() -> None:
    assert buckets(Constant(240), 3) == [240, 240, 240]


def test_a_step_on_a_boundary_is_whole_in_the_next_bucket() -> None:
    assert buckets(Step(240, 1200, 10), 4) == [240, 240, 1200, 1200]


def test_a_step_inside_a_bucket_shows_in_proportion() -> None:
    # 3 of the 5 seconds at 100, 2 at 600.
    assert buckets(Step(100, 600, 8), 3) == pytest.approx([100, 300, 600])


def test_a_ramp_rises_evenly_and_stays() -> None:
    assert buckets(Ramp(0, 100, at=5, seconds=10), 5) == pytest.approx([0, 25, 75, 100, 100])


def test_a_ramp_within_one_bucket() -> None:
    # 1 s at 0, 2 s at 50 on average, 2 s at 100.
    assert buckets(Ramp(0, 100, at=1, seconds=2), 2) == pytest.approx([60, 100])


def test_a_spike_jumps_to_its_peak_and_fades_by_a_factor_e_in_each_decay() -> None:
    spike = Spike(100, 1100, jump=10, decay=20)
    assert mean_rate(spike, 0, 10) == 100
    assert mean_rate(spike, 10, 10.001) == pytest.approx(1100, rel=1e-3)
    assert mean_rate(spike, 30, 30.001) == pytest.approx(100 + 1000 / 2.71828, rel=1e-3)
    assert mean_rate(spike, 800, 805) == pytest.approx(100)


def test_a_sine_swings_between_base_and_peak() -> None:
    sine = Sine(100, 300, period=60)
    assert mean_rate(sine, 0, 0.001) == pytest.approx(100)
    assert mean_rate(sine, 30, 30.001) == pytest.approx(300)
    assert mean_rate(sine, 0, 60) == pytest.approx(200)


def test_a_trace_holds_each_value_and_then_the_last() -> None:
    assert buckets(Trace((10, 20, 40), interval=5), 5) == [10, 20, 40, 40, 40]
    assert buckets(Trace((10, 20), interval=2.5), 2) == [15, 20]


def test_only_profiles_that_jump_say_when() -> None:
    jumps = [Step(1, 2, 7.5).jump, Spike(1, 2, 12, 3).jump, Ramp(1, 2, 5, 5).jump, Sine(1, 2, 60).jump]
    assert jumps == [7.5, 12, None, None]


@given(profiles, st.integers(1, 180))
def test_bucket_means_add_up_to_the_requests_of_the_whole_profile(profile: LoadProfile, count: int) -> None:
    means = buckets(profile, count)
    assert sum(means) * 5 == pytest.approx(profile.requests(5 * count), rel=1e-6, abs=1e-6)


@given(profiles, st.floats(0, 900))
def test_a_bucket_mean_is_what_many_short_measurements_average_to(profile: LoadProfile, start: float) -> None:
    parts = [mean_rate(profile, start + part / 20, start + (part + 1) / 20) for part in range(100)]
    assert sum(parts) / 100 == pytest.approx(mean_rate(profile, start, start + 5), rel=1e-4, abs=1e-3)


@given(st.sampled_from([Step, Ramp, Spike, Sine]), rates, rates, lengths, lengths, st.floats(0, 900))
def test_load_stays_between_base_and_peak(
    kind: type, base: float, extra: float, at: float, length: float, start: float
) -> None:
    low, high = peaks(base, extra)
    arguments = {Step: (at,), Ramp: (at, length), Spike: (at, length), Sine: (length,)}[kind]
    load = mean_rate(kind(low, high, *arguments), start, start + 5)
    assert low - 1e-3 <= load <= high + 1e-3
