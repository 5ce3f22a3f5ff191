"""Application Auto Scaling's target tracking: its documented behaviour, and the trigger times that AWS measured."""

from bisect import bisect_right
from collections.abc import Callable
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.peers.target_tracking import EVALUATION_DELAY, TargetTracking
from simulator.settings import Settings

TARGET = 70.0
CALM, SATURATED = 42.0, 100.0  # A load of 60% of what the target allows, and five times as much, cut off at 100% CPU.
VISIBILITY = Settings().cpu_delay  # Seconds from the end of a period, as in the simulated world.

Load = Callable[[float], float]


def tracking(period: int = 60, minimum: int = 2, **settings: float) -> TargetTracking:
    return TargetTracking(TARGET, period, minimum, 100, **settings)


def averages(cpu: Load, period: int, start: int, stop: int) -> list[tuple[float, float]]:
    """Datapoints of the periods from 20 minutes before `start` to `stop`."""
    periods = range((start - 1200) // period * period, stop, period)
    return [(begin, sum(cpu(begin + second) for second in range(period)) / period) for begin in periods]


def rises_at(surge: float) -> Load:
    return lambda second: SATURATED if second >= surge else CALM


def falls_at(time: float) -> Load:
    return lambda second: 35.0 if second >= time else TARGET


def activities(
    peer: TargetTracking,
    cpu: Load,
    period: int,
    seconds: range,
    tasks: int = 10,
    delay: float = VISIBILITY,
    starts: bool = True,
) -> list[tuple[int, int]]:
    """When the count changed, and to what; tasks run at once, or never where `starts` is False."""
    points = averages(cpu, period, seconds.start, seconds.stop)
    desired, found = tasks, []
    for now in seconds:
        shown = bisect_right(points, now - delay - period, key=lambda point: point[0])
        count = peer.step(now, desired if starts else tasks, desired, points[:shown])
        if count is not None:
            desired = count
            found.append((now, count))
    return found


def trigger_seconds(period: int, delay: float = VISIBILITY) -> list[int]:
    """From the surge to the first scale-out, for a surge in each second of a period."""
    surges = range(3600, 3600 + period)
    runs = [activities(tracking(period, 10), rises_at(at), period, range(at, at + 600), delay=delay) for at in surges]
    return [run[0][0] - at for at, run in zip(surges, runs, strict=True)]


class TestCalibration:
    """AWS's measurements of June 2026, from the rise of the load to the trigger of the scale-out."""

    @pytest.mark.parametrize(("period", "published"), [(60, 363), (20, 86)])
    def test_a_surge_triggers_when_aws_says(self, period: int, published: int) -> None:
        assert median(trigger_seconds(period)) == pytest.approx(published, abs=1)

    @pytest.mark.parametrize("period", [60, 20])
    def test_where_in_a_period_the_surge_comes_moves_it_by_half_a_period(self, period: int) -> None:
        seconds = trigger_seconds(period)
        assert max(seconds) - min(seconds) < period

    @pytest.mark.parametrize("delay", [0, 10, 25])
    def test_a_datapoint_that_is_visible_earlier_is_not_evaluated_earlier(self, delay: float) -> None:
        assert trigger_seconds(20, delay) == trigger_seconds(20)

    def test_one_that_is_visible_later_is(self) -> None:
        assert median(trigger_seconds(20, delay=46)) == pytest.approx(106, abs=1)

    def test_another_period_needs_a_delay(self) -> None:
        with pytest.raises(ValueError, match="30 s: give evaluation_delay"):
            TargetTracking(TARGET, 30, 2, 100)
        assert TargetTracking(TARGET, 30, 2, 100, evaluation_delay=20).name == "aws-target-tracking-30s"


def steady(value: float, period: int = 60, count: int = 20, until: float = 3600) -> list[tuple[float, float]]:
    """Datapoints of one value, the last of which is evaluated at `until`."""
    end = until - EVALUATION_DELAY[period] - period
    return [(end - period * back, value) for back in reversed(range(count))]


class TestScaleOut:
    @pytest.mark.parametrize(
        ("running", "cpu", "count"),
        [
            (4, 100, 6),  # ceil(5.71): rounded so that it does not add too little.
            (10, 100, 15),
            (7, 80, 8),  # Exactly 8: no task more than that.
            (10, 70.5, 11),
            (90, 100, 100),  # The maximum.
        ],
    )
    def test_it_is_proportional_and_rounds_up(self, running: int, cpu: float, count: int) -> None:
        assert tracking().step(3600, running, running, steady(cpu)) == count

    def test_at_the_target_nothing_happens(self) -> None:
        assert tracking().step(3600, 10, 10, steady(70)) is None

    @pytest.mark.parametrize(("values", "acts"), [((71, 71, 71), True), ((71, 69, 71), False), ((99, 99, 70), False)])
    def test_three_of_three_datapoints_must_breach(self, values: tuple[float, ...], acts: bool) -> None:
        end = steady(0)[-1][0]
        seen = [(end - 60 * back, value) for back, value in zip((2, 1, 0), values, strict=True)]
        assert (tracking().step(3600, 10, 10, seen) is not None) is acts

    def test_the_newest_datapoint_sizes_it(self) -> None:
        end = steady(0)[-1][0]
        assert tracking().step(3600, 10, 10, [(end - 120, 75), (end - 60, 80), (end, 90)]) == 13

    def test_it_goes_on_once_a_minute_from_the_tasks_that_run(self) -> None:
        found = activities(tracking(20, minimum=10), rises_at(3600), 20, range(3600, 3900), tasks=10)
        assert [count for _, count in found] == [15, 22, 32, 46]
        assert [second - found[0][0] for second, _ in found] == [0, 60, 120, 180]

    def test_tasks_that_do_not_run_yet_are_not_asked_for_again(self) -> None:
        found = activities(tracking(20, minimum=10), rises_at(3600), 20, range(3600, 3900), tasks=10, starts=False)
        assert [count for _, count in found] == [15]

    def test_in_a_cooldown_a_larger_scale_out_adds_the_difference(self) -> None:
        """Application Auto Scaling API reference, ScaleOutCooldown: what was added counts as part of the next one."""
        peer = tracking(scale_out_cooldown=300)
        assert peer.step(3600, 10, 10, steady(80)) == 12
        assert peer.step(3660, 10, 12, steady(80, until=3660)) is None
        assert peer.step(3720, 10, 12, steady(95, until=3720)) == 14

    def test_a_deployment_does_not_hold_it(self) -> None:
        assert tracking().step(3600, 10, 10, steady(100), deployment_in_progress=True) == 15


class TestScaleIn:
    @pytest.mark.parametrize("period", [60, 20])
    def test_fifteen_minutes_below_nine_tenths_of_the_target(self, period: int) -> None:
        fall = 3600
        [(first, count), *_] = activities(tracking(period), falls_at(fall), period, range(fall, fall + 1500))
        assert first - fall == pytest.approx(900 + EVALUATION_DELAY[period], abs=1)
        assert count == 5

    @pytest.mark.parametrize(("cpu", "acts"), [(62.9, True), (63.1, False)])
    def test_a_load_that_is_hardly_lower_is_left_alone(self, cpu: float, acts: bool) -> None:
        assert (tracking().step(3600, 20, 20, steady(cpu)) is not None) is acts

    def test_a_single_higher_datapoint_keeps_the_tasks(self) -> None:
        seen = steady(20)
        seen[-8] = (seen[-8][0], 65.0)
        assert tracking().step(3600, 10, 10, seen) is None

    def test_it_rounds_up_so_that_it_does_not_remove_too_much(self) -> None:
        assert tracking().step(3600, 10, 10, steady(36)) == 6

    def test_it_waits_for_the_cooldown(self) -> None:
        found = activities(tracking(), falls_at(3600), 60, range(3600, 5400), tasks=10)
        assert found[0][1] == 5
        assert found[1][0] - found[0][0] == 300

    def test_never_below_the_minimum(self) -> None:
        assert tracking().step(3600, 10, 10, steady(0)) == 2

    def test_not_in_a_deployment(self) -> None:
        peer = tracking()
        assert peer.step(3600, 10, 10, steady(20), deployment_in_progress=True) is None
        assert peer.step(3660, 10, 10, steady(20, until=3660)) == 3

    def test_a_scale_out_ends_the_cooldown_of_a_scale_in(self) -> None:
        peer = tracking(evaluation_delay=0)
        low, high = [(60.0 * k, 20.0) for k in range(20)], [(60.0 * k, 90.0) for k in range(17, 21)]
        assert peer.step(1200, 10, 10, low) == 3
        assert peer.step(1260, 3, 3, high) == 4
        assert peer.step(1320, 4, 4, [(60.0 * k, 20.0) for k in range(2, 22)]) == 2


class TestNoData:
    def test_nothing_happens_without_datapoints(self) -> None:
        assert tracking().step(3600, 10, 10, []) is None

    @pytest.mark.parametrize("value", [5, 100])
    def test_old_datapoints_are_insufficient_data(self, value: float) -> None:
        assert tracking().step(3600 + 181, 10, 10, steady(value)) is None

    @pytest.mark.parametrize("value", [5, 100])
    def test_one_missing_datapoint_is_bridged(self, value: float) -> None:
        seen = steady(value)
        del seen[-2]
        assert tracking().step(3600, 10, 10, seen) is not None

    def test_too_few_datapoints_do_not_scale_in(self) -> None:
        assert tracking().step(3600, 10, 10, steady(5, count=14)) is None


percent = st.floats(0, 100)


@given(st.lists(percent, min_size=20, max_size=40), st.integers(1, 200), st.integers(1, 200))
def test_it_stays_within_its_bounds(values: list[float], running: int, desired: int) -> None:
    peer = TargetTracking(TARGET, 20, 3, 40, evaluation_delay=0)
    seen = [(20.0 * k, value) for k, value in enumerate(values)]
    for now in range(20, 20 * len(values) + 1, 20):
        count = peer.step(now, running, desired, seen)
        assert count is None or 3 <= count <= 40


@given(st.lists(percent, min_size=60, max_size=90))
def test_it_scales_out_only_on_load_and_in_only_without(values: list[float]) -> None:
    peer, desired = TargetTracking(TARGET, 20, 1, 100, evaluation_delay=0), 20
    seen = [(20.0 * k, value) for k, value in enumerate(values)]
    for index in range(len(values)):
        count = peer.step(20.0 * (index + 1), desired, desired, seen[: index + 1])
        recent = values[max(0, index - 2) : index + 1]
        if count is not None and count > desired:
            assert min(recent) > TARGET
        if count is not None and count < desired:
            assert max(values[index - 44 : index + 1]) < TARGET
        desired = count or desired


@pytest.mark.parametrize(("minimum", "maximum"), [(5, 4), (-1, 4)])
def test_impossible_bounds_are_refused(minimum: int, maximum: int) -> None:
    with pytest.raises(ValueError, match="must be from 0 to maximum = 4"):
        TargetTracking(TARGET, 60, minimum, maximum)
