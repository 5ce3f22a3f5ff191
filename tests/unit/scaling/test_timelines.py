"""Short histories: (second, load) to desired counts, with tasks that serve 30 s after they were asked for.

Before each surge, 4 tasks carry 60 requests/s each; a task is meant to carry 100. A scaler hands over every minute.
"""

from itertools import pairwise
from math import pi, sin

import pytest

from fastscaler.scaling.policy import Service
from tests.unit.scaling.build import CPU, service, stepping, tracking
from tests.unit.scaling.plant import BusyCpu, Load, Plant, Workers, spike, surge

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


class TestSlowStart:
    """Tasks that serve 90 s after they were asked for."""

    @EVERY
    @pytest.mark.parametrize("times", [2, 5, 20])
    def test_the_surge_is_answered_at_once_and_not_again_while_they_start(self, scaled: Service, times: int) -> None:
        plant = Plant(scaled, surge(240, 240 * times), 4, starts_in=90).run(900)
        assert plant.changes()[0][0] == ANSWER
        assert plant.highest() <= 2 * 2.4 * times
        assert plant.busiest(since=SURGE + 10 + 4 * 90) <= 110
        assert plant.turns() <= 1

    def test_a_spike_that_ends_before_they_serve_costs_one_answer(self) -> None:
        plant = Plant(TRACKING, spike(240, 1200, at=60, lasts=60), 4, starts_in=90).run(1500)
        assert plant.highest() == 12
        assert plant.turns() == 1
        assert plant.at(1500) == 3


class TestSpike:
    @EVERY
    @pytest.mark.parametrize("lasts", [5, 20, 120])
    def test_it_is_answered_kept_through_the_window_and_let_go(self, scaled: Service, lasts: float) -> None:
        plant = Plant(scaled, spike(240, 1200, at=60, lasts=lasts), 4).run(2400)
        assert plant.changes()[0][0] == ANSWER
        # What the boost added beyond the need may go while the spike lasts.
        early = [second for second, added in plant.changes() if added < 0 and second < SURGE + lasts + 300]
        assert all(plant.at(second) >= 12 for second in early)
        assert plant.turns() <= 1


class TestCpuEvery20Seconds:
    """Tasks that are at 100% at 100 requests/s each, meant to be at 60%. The newest average is up to 40 s old."""

    CPU = service(
        tracking(60, "Cpu", SaturationThreshold=0.95, TaskCapacity=100),
        Metrics={"Cpu": {**CPU, "Period": 20}},
    )

    @pytest.mark.parametrize("times", [2, 5])
    def test_a_surge_is_answered_within_40_seconds_and_carried(self, times: int) -> None:
        plant = BusyCpu(self.CPU, surge(240, 240 * times), 6).run(1800)
        needed = 240 * times / 60
        assert SURGE < plant.changes()[0][0] <= SURGE + 40
        assert plant.busiest(since=SURGE + 240) <= 70
        assert plant.highest() <= 2 * needed + 1

    def test_a_decline_goes_down_once_the_window_has_passed_and_stays(self) -> None:
        plant = BusyCpu(self.CPU, surge(1200, 240), 20).run(2400)
        assert plant.changes()[0][0] >= SURGE + 300
        assert plant.busiest(since=0) <= 60
        assert all(added < 0 for _, added in plant.changes())
        assert 4 <= plant.at(2400) <= 6

    def test_a_steady_load_is_left_alone(self) -> None:
        assert BusyCpu(self.CPU, lambda second: 350, 6).run(3600).changes() == []


class TestQueueWorker:
    """Workers of 10 messages/s each behind a queue that tells its depth once a minute, a minute late.

    A worker may have 100 messages before it.
    """

    BACKLOG = service(tracking(100, "Backlog"), lowest=1, highest=50)

    def test_a_burst_is_worked_off_and_the_workers_go(self) -> None:
        plant = Workers(self.BACKLOG, spike(5, 65, at=60, lasts=60), 1).run(2400)
        assert plant.changes()[0][0] <= 60 + 180
        assert plant.highest() <= 50
        assert plant.waiting[900.0] == 0
        assert plant.turns() <= 1
        assert plant.at(2400) == 1

    def test_workers_that_start_are_not_asked_for_again(self) -> None:
        """Of 3,250 messages 2,650 are left when the minute is told: 27 workers, and no more a minute later."""
        plant = Workers(self.BACKLOG, spike(0, 650, at=60, lasts=5), 1, starts_in=100).run(400)
        assert [added for _, added in plant.changes()] == [26]

    def test_a_queue_that_falls_silent_loses_no_worker(self) -> None:
        plant = Workers(self.BACKLOG, spike(5, 105, at=60, lasts=60), 1, outages=((150, 1500),)).run(1500)
        assert all(added > 0 for _, added in plant.changes())


class TestFallbackCapacity:
    """10 tasks at 90 requests/s each whose metric falls silent; 20 tasks where nothing can be seen."""

    FALLBACK = service(tracking(), FallbackCapacity=20)

    def test_it_waits_until_the_data_is_stale(self) -> None:
        plant = Plant(self.FALLBACK, lambda second: 900, 10, outages=((100, 300),)).run(300)
        ((second, added),) = plant.changes()
        assert 130 <= second <= 140
        assert added == 10

    def test_when_data_is_back_it_goes_by_the_rules_of_scale_in_and_never_jumps(self) -> None:
        plant = Plant(self.FALLBACK, lambda second: 900, 10, outages=((100, 300),)).run(1500)
        back = [change for change in plant.changes() if change[0] > 300]
        assert back[0][0] >= 600
        assert plant.turns() == 1
        assert plant.busiest(since=0) <= 100
        assert plant.at(1500) == 10

    def test_a_surge_at_its_end_is_answered_from_where_it_stands(self) -> None:
        plant = Plant(self.FALLBACK, surge(900, 3000, at=290), 10, outages=((100, 300),)).run(900)
        assert [added for second, added in plant.changes() if second > 300] == [10]

    def test_without_one_the_count_is_held(self) -> None:
        assert Plant(TRACKING, lambda second: 950, 10, outages=((100, 3000),)).run(3000).changes() == []
