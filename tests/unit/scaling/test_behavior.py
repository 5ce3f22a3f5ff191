"""Window, rate limits and cooldowns, each by itself."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.scaling.behavior import (
    fired_size,
    fired_step,
    highest_recommendation,
    lowest_recommendation,
    remember,
    scale_in_limit,
    scale_out_limit,
    scaled_in_since,
    slot_seconds,
)
from fastscaler.scaling.memory import Activity, Cause, Memory
from fastscaler.scaling.policy import Behavior
from tests.unit.scaling.build import START, windows


def looks(
    recommendations: Iterable[tuple[float, int]], current: int = 20, window: int = 300, memory: Memory | None = None
) -> Memory:
    """Memory after recommendations at seconds after START."""
    memory = memory or Memory(desired=current)
    for second, recommended in recommendations:
        memory = remember(memory, recommended, current, windows(scale_in=window), START + second)
    return memory


def every_5_s(begin: float, end: float, recommended: int) -> list[tuple[float, int]]:
    return [(begin + 5 * n, recommended) for n in range(int((end - begin) // 5) + 1)]


class TestWindow:
    @pytest.mark.parametrize("window", [1, 5, 10, 60, 120, 299, 300, 600, 3600])
    @pytest.mark.parametrize("begin", [0, 1, 17, 29])
    def test_scale_in_waits_for_the_whole_window_and_for_two_slots_more_at_most(self, window: int, begin: int) -> None:
        memory, second = Memory(desired=20), float(begin)
        while True:
            memory = remember(memory, 8, 20, windows(scale_in=window), START + second)
            if highest_recommendation(memory, 8, 20, windows(scale_in=window), START + second) < 20:
                break
            second += 1
        assert window <= second - begin <= window + 2 * slot_seconds(window)

    @pytest.mark.parametrize(("window", "seconds"), [(10, 5), (60, 6), (299, 29), (300, 30), (3600, 30)])
    def test_short_windows_have_short_slots(self, window: int, seconds: int) -> None:
        assert slot_seconds(window) == seconds

    def test_without_a_window_the_recommendation_counts_at_once(self) -> None:
        memory = looks([(0, 8)], window=0)
        assert highest_recommendation(memory, 8, 20, windows(scale_in=0), START) == 8
        assert memory.maxima == ()

    def test_the_highest_recommendation_of_the_window_counts(self) -> None:
        memory = looks([*every_5_s(0, 150, 8), (155, 14), *every_5_s(160, 335, 8)])
        assert highest_recommendation(memory, 8, 20, windows(scale_in=300), START + 335) == 14

    def test_and_only_of_the_window(self) -> None:
        memory = looks([(0, 14), *every_5_s(5, 400, 8)])
        assert highest_recommendation(memory, 8, 20, windows(scale_in=300), START + 400) == 8

    @pytest.mark.parametrize("needed", [20, 25])
    def test_a_recommendation_to_stay_or_grow_starts_the_window_over(self, needed: int) -> None:
        memory = looks([*every_5_s(0, 330, 8), (335, needed), *every_5_s(340, 630, 8)])
        assert highest_recommendation(memory, 8, 20, windows(scale_in=300), START + 630) == 20

    def test_a_time_that_nobody_watched_counts_as_the_current_count(self) -> None:
        memory = looks([*every_5_s(0, 150, 8), *every_5_s(215, 400, 8)])
        assert highest_recommendation(memory, 8, 20, windows(scale_in=300), START + 400) == 20
        memory = looks(every_5_s(405, 600, 8), memory=memory)
        assert highest_recommendation(memory, 8, 20, windows(scale_in=300), START + 600) == 8

    def test_it_never_holds_more_than_there_are(self) -> None:
        """Someone lowered the count by hand to less than was ever recommended."""
        memory = looks(every_5_s(0, 400, 15))
        assert highest_recommendation(memory, 3, 12, windows(scale_in=300), START + 400) == 12

    def test_a_window_of_another_length_begins_anew(self) -> None:
        memory = looks(every_5_s(0, 400, 8), window=60)
        assert highest_recommendation(memory, 8, 20, windows(scale_in=300), START + 400) == 20
        memory = looks([(405, 8)], memory=memory)
        assert highest_recommendation(memory, 8, 20, windows(scale_in=300), START + 405) == 20

    def test_a_clock_that_is_set_back_forgets_what_has_not_been_yet(self) -> None:
        memory = looks([*every_5_s(0, 400, 8), (100, 8)])
        assert all(start <= START + 100 for start, _ in memory.maxima)

    def test_it_stays_small(self) -> None:
        assert len(looks(every_5_s(0, 4000, 8)).maxima) <= 12

    @given(st.lists(st.integers(0, 25), min_size=1, max_size=120))
    def test_a_simple_window_agrees(self, recommendations: list[int]) -> None:
        """Against a list of everything that was ever recommended: never lower, and so never earlier."""
        memory, second = Memory(desired=20), 0.0
        for index, recommended in enumerate(recommendations):
            second = 5.0 * index
            memory = remember(memory, recommended, 20, windows(scale_in=60), START + second)
            inside = [one for n, one in enumerate(recommendations[: index + 1]) if second - 5 * n <= 60]
            allowed = 20 if second < 60 else min(20, max(inside))
            assert highest_recommendation(memory, recommended, 20, windows(scale_in=60), START + second) >= allowed


class TestScaleOutWindow:
    """Kubernetes' scaleUp.stabilizationWindowSeconds: the lowest recommendation of the window counts."""

    GROW = windows(scale_out=60)

    def after(self, recommendations: Iterable[tuple[float, int]], current: int = 10) -> Memory:
        memory = Memory(desired=current)
        for second, recommended in recommendations:
            memory = remember(memory, recommended, current, self.GROW, START + second)
        return memory

    def test_a_spike_that_is_shorter_than_the_window_adds_nothing(self) -> None:
        memory = self.after(every_5_s(0, 30, 40))
        assert lowest_recommendation(memory, 40, 10, self.GROW, START + 30) == 10

    def test_what_lasts_for_the_window_adds_its_lowest(self) -> None:
        memory = self.after([*every_5_s(0, 50, 40), (55, 25), *every_5_s(60, 80, 40)])
        assert lowest_recommendation(memory, 40, 10, self.GROW, START + 80) == 25

    def test_a_recommendation_to_stay_starts_it_over(self) -> None:
        memory = self.after([*every_5_s(0, 80, 40), (85, 10), *every_5_s(90, 140, 40)])
        assert lowest_recommendation(memory, 40, 10, self.GROW, START + 140) == 10

    def test_without_a_window_it_adds_at_once(self) -> None:
        assert lowest_recommendation(Memory(desired=10), 40, 10, windows(), START) == 40

    def test_it_never_takes_away(self) -> None:
        memory = self.after(every_5_s(0, 80, 15))
        assert lowest_recommendation(memory, 40, 20, self.GROW, START + 80) == 20

    def test_a_window_remembers_one_direction_at_a_time(self) -> None:
        memory = self.after([*every_5_s(0, 80, 40), (85, 5)])
        assert (memory.minima, len(memory.maxima)) == ((), 1)


def activity(second: float, before: int, after: int, cause: Cause = "policy", **more: Any) -> Activity:
    return Activity(START + second, before, after, cause, **more)


class TestCooldowns:
    GREW = activity(0, 10, 14, size=4, steps={"steps": 4})

    def test_a_step_is_in_effect_until_its_cooldown_is_over(self) -> None:
        assert fired_step([self.GREW], "steps", START - 0.1) == 4
        assert fired_step([self.GREW], "steps", START) == 0
        assert fired_step([self.GREW], "others", START - 0.1) == 0

    def test_the_largest_step_counts(self) -> None:
        later = activity(5, 14, 15, size=5, steps={"steps": 1})
        assert fired_step([self.GREW, later], "steps", START - 1) == 4

    def test_the_size_of_the_service_is_that_of_its_last_scale_out(self) -> None:
        later = activity(5, 14, 16, size=6)
        assert fired_size([self.GREW, later], START - 1) == 6
        assert fired_size([self.GREW, later], START + 5) == 0

    def test_what_others_and_floors_did_is_no_step(self) -> None:
        others = [activity(0, 10, 30, "external"), activity(1, 30, 40, "bound")]
        assert fired_size(others, START - 1) == 0
        assert fired_size([self.GREW, *others], START - 1) == 4

    def test_a_step_that_was_taken_back_is_not_in_effect(self) -> None:
        taken_back = [self.GREW, activity(5, 14, 10, size=-4)]
        assert fired_step(taken_back, "steps", START - 1) == 0
        assert fired_size(taken_back, START - 1) == 0

    def test_a_scale_in_cooldown_runs_until_it_is_over(self) -> None:
        shrank = activity(0, 10, 8, steps={"steps": -2})
        assert scaled_in_since([shrank], START - 1)
        assert not scaled_in_since([shrank], START)
        assert scaled_in_since([shrank], START - 1, "steps")
        assert not scaled_in_since([shrank], START - 1, "others")

    def test_a_scale_out_cancels_it(self) -> None:
        assert not scaled_in_since([activity(0, 10, 8), activity(5, 8, 9)], START - 1)

    def test_what_others_do_neither_starts_nor_cancels_it(self) -> None:
        assert not scaled_in_since([activity(0, 10, 8, "external")], START - 1)
        assert scaled_in_since([activity(0, 10, 8), activity(5, 8, 9, "external")], START - 1)


def limited(direction: str, *rates: tuple[str, int, int], select: str = "Max") -> Behavior:
    policies = [{"Type": kind, "Value": value, "PeriodSeconds": period} for kind, value, period in rates]
    return Behavior.model_validate({direction: {"Policies": policies, "SelectPolicy": select}})


class TestScaleInRate:
    HALF = Behavior()  # The default: 50% per 60 s.

    @pytest.mark.parametrize(("tasks", "fewest"), [(100, 50), (7, 3), (2, 1), (1, 0)])
    def test_at_most_half_rounded_as_kubernetes_does(self, tasks: int, fewest: int) -> None:
        assert scale_in_limit(self.HALF, tasks, [], START) == fewest

    def test_what_went_within_the_minute_counts(self) -> None:
        went = [activity(-30, 100, 70)]
        assert scale_in_limit(self.HALF, 70, went, START) == 50
        assert scale_in_limit(self.HALF, 70, went, START + 30) == 35

    def test_what_came_within_the_minute_does_not(self) -> None:
        assert scale_in_limit(self.HALF, 24, [activity(-30, 4, 24)], START) == 12

    def test_what_came_does_not_make_room_for_what_goes(self) -> None:
        """Of the fifty tasks that there were within the minute, half have gone already."""
        went = [activity(-40, 10, 50), activity(-35, 50, 25)]
        assert scale_in_limit(self.HALF, 25, went, START) == 25
        assert scale_in_limit(limited("ScaleIn", ("Tasks", 30, 60)), 25, went, START) == 20
        assert scale_in_limit(self.HALF, 50, [*went, activity(-5, 25, 50)], START) == 25

    def test_what_others_took_does_not(self) -> None:
        assert scale_in_limit(self.HALF, 70, [activity(-30, 100, 70, "external")], START) == 35

    def test_tasks_per_period(self) -> None:
        assert scale_in_limit(limited("ScaleIn", ("Tasks", 3, 60)), 10, [activity(-30, 12, 10)], START) == 9

    def test_of_several_the_widest_or_the_narrowest(self) -> None:
        rates = [("Tasks", 3, 60), ("Percent", 50, 60)]
        assert scale_in_limit(limited("ScaleIn", *rates), 100, [], START) == 50
        assert scale_in_limit(limited("ScaleIn", *rates, select="Min"), 100, [], START) == 97

    def test_disabled_is_never_and_an_empty_list_is_no_limit(self) -> None:
        assert scale_in_limit(limited("ScaleIn", ("Tasks", 3, 60), select="Disabled"), 10, [], START) == 10
        assert scale_in_limit(limited("ScaleIn"), 10, [], START) is None

    def test_what_is_over_the_limit_already_stands(self) -> None:
        assert scale_in_limit(limited("ScaleIn", ("Tasks", 3, 60)), 10, [activity(-30, 20, 10)], START) == 10


class TestScaleOutRate:
    def test_the_default_has_no_limit(self) -> None:
        assert scale_out_limit(Behavior(), 10, [], START) is None

    def test_tasks_and_percent_per_period(self) -> None:
        came = [activity(-30, 10, 13)]
        assert scale_out_limit(limited("ScaleOut", ("Tasks", 5, 60)), 13, came, START) == 15
        assert scale_out_limit(limited("ScaleOut", ("Percent", 100, 60)), 13, came, START) == 20
        assert scale_out_limit(limited("ScaleOut", ("Percent", 25, 60)), 10, [], START) == 13

    def test_of_several_the_widest_or_the_narrowest(self) -> None:
        rates = [("Tasks", 5, 60), ("Percent", 100, 60)]
        assert scale_out_limit(limited("ScaleOut", *rates), 10, [], START) == 20
        assert scale_out_limit(limited("ScaleOut", *rates, select="Min"), 10, [], START) == 15

    def test_disabled_is_never(self) -> None:
        assert scale_out_limit(limited("ScaleOut", select="Disabled"), 10, [], START) == 10

    def test_what_is_over_the_limit_already_stands(self) -> None:
        assert scale_out_limit(limited("ScaleOut", ("Tasks", 5, 60)), 30, [activity(-30, 10, 30)], START) == 30
