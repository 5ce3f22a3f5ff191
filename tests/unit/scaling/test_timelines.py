"""Short histories: (second, load) to desired counts, with tasks that serve 30 s after they were asked for.

Before each surge, 4 tasks carry 60 requests/s each; a task is meant to carry 100. A scaler hands over every minute.
"""

from itertools import pairwise
from math import pi, sin

import pytest

from fastscaler.scaling.policy import Service
from tests.unit.scaling.build import service, stepping, tracking
from tests.unit.scaling.plant import Load, Plant, surge

SURGE = 60.0
ANSWER = SURGE + 5 + 1.5  # The look at the first bucket that has the surge in it.
TRACKING = service(tracking())
STEPS = service(stepping(Cooldown=10))
DEFAULTS = service(tracking(TaskCapacity=140), stepping(Cooldown=10))
EVERY = pytest.mark.parametrize("scaled", [TRACKING, STEPS, DEFAULTS], ids=["tracking", "steps", "defaults"])


class TestSurge:
    @EVERY
    @pytest.mark.parametrize("times", [2, 5, 20])
    def test_it_is_answered_at_the_first_look(self, scaled: Service, times: int) -> None:
        plant = Plant(scaled, surge(240, 240 * times), 4).run(120)
        second, added = plant.changes()[0]
        assert second == ANSWER
        assert added >= 1

    @pytest.mark.parametrize(("times", "tasks"), [(2, 5), (5, 12), (20, 48)])
    def test_sizing_answers_it_in_one_action_and_no_more(self, times: int, tasks: int) -> None:
        plant = Plant(TRACKING, surge(240, 240 * times), 4).run(900)
        assert plant.changes() == [(ANSWER, tasks - 4)]

    @pytest.mark.parametrize(("times", "tasks"), [(2, 5), (5, 12), (20, 48)])
    def test_steps_get_there_too_and_stop_where_it_is_enough(self, times: int, tasks: int) -> None:
        plant = Plant(STEPS, surge(240, 240 * times), 4).run(900)
        assert plant.highest() == plant.at(900) == tasks

    @pytest.mark.parametrize("times", [5, 20])
    def test_the_boost_adds_twice_at_most_and_comes_down_once(self, times: int) -> None:
        needed = 2.4 * times
        plant = Plant(DEFAULTS, surge(240, 240 * times), 4).run(1800)
        assert plant.highest() <= 2 * needed
        ups = [change for change in plant.changes() if change[1] > 0]
        assert ups == plant.changes()[:1]
        assert needed <= plant.at(1800) <= 1.25 * needed

    @pytest.mark.parametrize("starts_in", [10.0, 60.0, 115.0])
    def test_slow_tasks_do_not_make_it_larger(self, starts_in: float) -> None:
        plant = Plant(TRACKING, surge(240, 1200), 4, starts_in=starts_in).run(600)
        assert plant.changes() == [(ANSWER, 8)]

    @EVERY
    def test_once_they_serve_nobody_is_overloaded(self, scaled: Service) -> None:
        assert Plant(scaled, surge(240, 1200), 4).run(600).busiest(since=SURGE + 120) <= 110


@EVERY
@pytest.mark.parametrize("slope", [1.0, 4.0, 10.0])
def test_a_ramp_is_followed_and_not_overtaken(scaled: Service, slope: float) -> None:
    def ramp(second: float) -> float:
        return 240 + slope * max(0.0, min(second, 600) - SURGE)

    plant = Plant(scaled, ramp, 4).run(900)
    assert all(added > 0 for _, added in plant.changes())
    assert plant.at(900) <= 2 * ramp(900) / 100
    assert plant.busiest(since=700) <= 110
    # New tasks serve 30 s late, so a service that grows steadily is behind by what came in that time.
    assert all(carried <= 160 + 40 * slope for carried in plant.carried.values())


class TestDecline:
    """40 tasks at 75 requests/s each; then the load falls to a twelfth."""

    @pytest.mark.parametrize("scaled", [TRACKING, DEFAULTS], ids=["tracking", "defaults"])
    def test_it_waits_for_the_window_and_goes_by_halves_to_what_is_needed(self, scaled: Service) -> None:
        plant = Plant(scaled, surge(3900, 250), 40).run(1200)
        seconds = [second for second, _ in plant.changes()]
        assert seconds[0] >= SURGE + 300
        assert all(later - earlier >= 60 for earlier, later in pairwise(seconds))
        assert all(plant.at(second) >= plant.at(second - 60) // 2 for second in seconds)
        assert plant.at(1200) == 3

    def test_it_never_goes_below_what_the_load_needs(self) -> None:
        plant = Plant(TRACKING, surge(3900, 250), 40).run(1800)
        assert plant.busiest(since=0) <= 100

    def test_hand_over_costs_no_time_and_saves_none(self) -> None:
        alone = Plant(TRACKING, surge(3900, 250), 40, hand_over_every=1e9).run(1200)
        for every in (35, 60, 90):
            handed_over = Plant(TRACKING, surge(3900, 250), 40, hand_over_every=every).run(1200)
            assert all(handed_over.at(second) >= alone.at(second) for second in alone.desired)
            assert handed_over.at(1200) == alone.at(1200)

    def test_tables_without_a_way_down_keep_what_they_have(self) -> None:
        assert Plant(STEPS, surge(3000, 240), 40).run(1800).changes() == []

    def test_a_table_with_a_way_down_takes_it(self) -> None:
        rows = ((None, -50, -2), (-50, -30, -1), (-30, 0, 0), (0, None, 2))
        plant = Plant(service(stepping(rows, operator=None)), surge(900, 240), 10).run(2400)
        assert plant.changes()[0][0] >= SURGE + 300
        assert plant.at(2400) == 3
        assert plant.busiest(since=0) <= 90


def bursts(high: float, low: float, every: float) -> Load:
    """Half of the time high, half of it low."""
    return lambda second: high if second % every < every / 2 else low


class TestFlapping:
    @EVERY
    @pytest.mark.parametrize("every", [10, 20, 60, 240])
    def test_on_and_off_makes_it_grow_and_stay(self, scaled: Service, every: float) -> None:
        plant = Plant(scaled, bursts(1200, 240, every), 4).run(3600)
        settled = [change for change in plant.changes() if change[0] > 600]
        assert settled == []
        assert 11 <= plant.at(3600) <= 24

    @pytest.mark.parametrize("every", [10, 60])
    def test_and_costs_few_writes(self, every: float) -> None:
        assert Plant(TRACKING, bursts(1200, 240, every), 12).run(3600).saves <= 4

    @EVERY
    def test_a_day_of_an_hour_is_followed_without_turning_back(self, scaled: Service) -> None:
        plant = Plant(scaled, lambda second: 1000 - 700 * sin(2 * pi * second / 3600), 13).run(7000)
        turns = [added > 0 for _, added in plant.changes()]
        assert sum(before != after for before, after in pairwise(turns)) <= 3
        assert plant.busiest(since=0) <= 120

    @EVERY
    def test_a_load_at_the_threshold_does_not_shake_it(self, scaled: Service) -> None:
        plant = Plant(scaled, lambda second: 1000 + 40 * sin(second), 10).run(3600)
        assert len(plant.changes()) <= 1


class TestOutage:
    """No datapoint arrives for a while."""

    @EVERY
    def test_a_surge_in_it_is_answered_when_it_ends(self, scaled: Service) -> None:
        plant = Plant(scaled, surge(240, 1200), 4, outages=((55, 120),)).run(600)
        second, added = plant.changes()[0]
        assert (second, added > 0) == (126.5, True)

    def test_in_the_middle_of_an_answer_nothing_is_added_or_taken_back(self) -> None:
        plant = Plant(TRACKING, surge(240, 1200), 4, outages=((65, 400),)).run(900)
        assert plant.changes() == [(ANSWER, 8)]

    def test_in_a_decline_the_window_begins_anew(self) -> None:
        through = Plant(TRACKING, surge(3900, 250), 40).run(1200)
        plant = Plant(TRACKING, surge(3900, 250), 40, outages=((200, 300),)).run(1200)
        assert through.at(400) < 40
        assert plant.at(600) == 40
        assert plant.at(1200) == through.at(1200)

    def test_the_load_that_goes_meanwhile_is_not_seen_as_zero(self) -> None:
        plant = Plant(TRACKING, lambda second: 1000, 10, outages=((100, 3000),)).run(3600)
        assert plant.changes() == []


class TestDeployment:
    @EVERY
    def test_a_surge_in_it_is_answered(self, scaled: Service) -> None:
        plant = Plant(scaled, surge(240, 1200), 4, deployments=((0, 600),)).run(300)
        assert plant.changes()[0][0] == ANSWER
        assert plant.at(300) >= 12

    def test_nothing_is_taken_away_until_it_is_over(self) -> None:
        plant = Plant(TRACKING, surge(3900, 250), 40, deployments=((100, 800),)).run(1500)
        assert plant.at(799) == 40
        assert plant.at(1500) == 3
