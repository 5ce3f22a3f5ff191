"""The simulated service: what happens to tasks and requests."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.run import Run, Trace
from simulator.settings import Settings
from simulator.simulate import simulate
from tests.unit.simulator.worlds import Scripted, steady, surge, unaccounted

# Every task starts in 20 s, so that a test can say when.
PUNCTUAL = Settings(start_median=20.0, start_sigma=0.0, start_tasks=2, minimum=1)


def first_second(values: np.ndarray, wanted: int) -> int:
    """The first second that has the wanted value."""
    return int(np.flatnonzero(values == wanted)[0])


class TestRequests:
    @settings(max_examples=40)
    @given(
        load=st.lists(st.floats(0, 3000), min_size=5, max_size=150),
        calls=st.dictionaries(st.integers(0, 140), st.integers(1, 40), max_size=8),
        seed=st.integers(0, 3),
    )
    def test_no_request_is_made_up_or_forgotten(self, load: list[float], calls: dict[int, int], seed: int) -> None:
        run = simulate(Trace("any", load), Scripted(calls), Settings(start_median=5.0, start_tasks=3), seed)
        assert unaccounted(run) == pytest.approx(0, abs=1e-6 * (1 + sum(load)))
        assert min(run.served.min(), run.lost.min(), run.late.min(), run.queue.min()) >= 0
        assert np.all(run.late + run.lost <= run.load * (1 + 1e-9) + run.queue + 1e-6)

    def test_within_the_objective_nothing_is_late_and_above_it_everything_is(self) -> None:
        """0.1 s / (1 - utilisation) is 0.5 s at 120 of 150 requests/s."""
        assert simulate(steady(2 * 120, 60), Scripted(), PUNCTUAL).late.sum() == 0
        busy = simulate(steady(2 * 121, 60), Scripted(), PUNCTUAL)
        assert busy.late.sum() == busy.load.sum()
        assert busy.lost.sum() == 0

    def test_what_the_tasks_cannot_do_waits_and_is_lost_after_the_time_out(self) -> None:
        """100 requests/s too many for two tasks: their queues are full when each holds 5 s of work."""
        run = simulate(steady(400, 60), Scripted(), PUNCTUAL)
        assert run.served.max() == 300
        assert run.queue.max() == pytest.approx(2 * 5 * 150)
        assert first_second(run.lost > 0, 1) == 15
        assert run.lost[-1] == pytest.approx(100)

    def test_a_surge_that_is_over_leaves_a_queue_that_is_worked_off(self) -> None:
        load = [400.0] * 10 + [100.0] * 20
        run = simulate(Trace("burst", load), Scripted(), PUNCTUAL)
        assert run.queue[9] == 1000
        assert run.queue[14] == 0
        assert run.lost.sum() == 0
        assert run.late[11] > 0, "those that come meanwhile wait as well"
        assert run.late[20:].sum() == 0

    def test_new_tasks_relieve_old_ones_though_these_still_have_their_queues(self) -> None:
        run = simulate(steady(400, 90), Scripted({0: 6}), PUNCTUAL)
        healthy_at = first_second(run.healthy, 6)
        assert run.lost[healthy_at - 1] > 0
        assert run.lost[healthy_at:].sum() == 0
        assert run.late[healthy_at] > 0
        assert run.late[-1] == 0

    def test_without_a_healthy_task_every_request_is_lost(self) -> None:
        run = simulate(steady(50, 10), Scripted(), Settings(start_tasks=0, minimum=1))
        assert run.lost.sum() == 500


class TestTasks:
    def test_a_task_takes_requests_after_its_start_and_two_health_checks(self) -> None:
        run = simulate(steady(100, 60), Scripted({10: 3}), PUNCTUAL)
        launched = first_second(run.billed, 3)
        assert launched == 11, "UpdateService has to return first"
        assert first_second(run.running, 3) == launched + 20
        assert first_second(run.healthy, 3) == launched + 20 + 2 * 5

    def test_a_hundred_tasks_start_at_once_and_then_twenty_a_second(self) -> None:
        run = simulate(steady(100, 10), Scripted({1: 172}), PUNCTUAL)
        assert (run.billed[1:8] - 2).tolist() == [0, 100, 120, 140, 160, 170, 170]

    def test_launches_that_were_saved_up_are_no_more_than_a_hundred(self) -> None:
        run = simulate(steady(100, 600), Scripted({500: 400}), PUNCTUAL)
        assert run.billed[501] == 102

    def test_the_newest_tasks_are_stopped(self) -> None:
        numbers: list[int] = []
        controller = Scripted(
            {0: 6, 60: 3}, each_second=lambda world: numbers.append(max(t.number for t in world.fleet.serving))
        )
        run = simulate(steady(100, 80), controller, PUNCTUAL)
        assert run.running[59] == 6
        assert run.running[61] == 3
        assert numbers[59] == 5
        assert numbers[61] == 2

    def test_tasks_that_do_not_run_yet_are_stopped_first_and_at_once(self) -> None:
        run = simulate(steady(100, 60), Scripted({0: 6, 10: 4, 30: 3}), PUNCTUAL)
        assert run.billed[9] == 6
        assert run.billed[12] == 4, "a pending task has nothing to finish"
        assert run.running[12] == 2
        assert run.running[25] == 4
        assert run.running[32] == 3

    def test_a_stopping_task_finishes_its_requests_and_is_billed_meanwhile(self) -> None:
        run = simulate(steady(400, 60), Scripted({20: 1}), PUNCTUAL)
        assert run.running[21] == 1
        assert run.billed[21:31].tolist() == [2] * 10
        assert run.billed[31] == 1
        assert run.served[21:25].tolist() == [300] * 4, "the one that stops still works"
        assert unaccounted(run) == pytest.approx(0, abs=1e-6)

    def test_start_up_times_have_the_stated_median(self) -> None:
        world_settings = Settings(start_tasks=1, minimum=1, launch_burst=1000)
        run = simulate(steady(10, 120), Scripted({0: 401}), world_settings)
        started = run.running[1 + 25] - 1
        assert 160 < started < 240, "half of them run after 25 s"
        assert run.running[-1] == 401

    def test_a_run_begins_with_the_tasks_that_the_load_needs_at_the_target(self) -> None:
        assert simulate(steady(730, 5), Scripted()).desired[0] == 8
        assert simulate(steady(0, 5), Scripted(), Settings(minimum=3)).desired[0] == 3


class TestChance:
    def run(self, seed: int, calls: dict[int, int]) -> Run:
        return simulate(surge(200, 1000, 20, 150), Scripted(calls), Settings(start_tasks=2), seed)

    def test_the_same_seed_gives_the_same_run(self) -> None:
        one, other = self.run(7, {25: 12}), self.run(7, {25: 12})
        for name in ("served", "late", "lost", "queue", "running", "healthy", "billed"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        assert one.calls == other.calls

    def test_another_seed_gives_another_run(self) -> None:
        assert not np.array_equal(self.run(7, {25: 12}).running, self.run(8, {25: 12}).running)

    def test_controllers_see_the_same_start_up_times(self) -> None:
        """Six tasks launched at once, or one by one at the same seconds as others are not: each takes its own time."""
        early, late = self.run(7, {25: 8}), self.run(7, {45: 8})
        assert np.array_equal(early.running[26:100], late.running[46:120])


class TestSettings:
    @pytest.mark.parametrize(
        ("values", "named"),
        [
            ({"task_capacity": 0.0}, "task_capacity"),
            ({"objective": 0.1}, "objective"),
            ({"objective": 3.0}, "objective"),
            ({"deregistration": 3.0}, "deregistration"),
            ({"minimum": 5, "maximum": 4}, "minimum"),
            ({"silent_share": 1.5}, "silent_share"),
            ({"beat_spread": 61.0}, "beat_spread"),
            ({"start_median": float("nan")}, "start_median"),
            ({"visibility_sigma": -0.1}, "visibility_sigma"),
            ({"launch_burst": 0.5}, "launch_burst"),
            ({"pod_scrape": 0.5}, "pod_scrape"),
            ({"pod_phase": 15.0}, "pod_phase"),
        ],
    )
    def test_an_impossible_world_is_refused_by_name(self, values: dict[str, float], named: str) -> None:
        with pytest.raises(ValueError, match=f"^{named} = "):
            Settings(**values)

    def test_the_need_is_the_fewest_tasks_that_meet_the_objective(self) -> None:
        need = Settings().need([0, 1, 120, 121, 1200])
        assert need == [1, 1, 1, 2, 10]
        for load, tasks in zip((120, 121, 1200), need[2:], strict=True):
            assert simulate(steady(load, 5), Scripted(), Settings(start_tasks=tasks)).late.sum() == 0


@pytest.mark.parametrize("load", [[], [1.0, float("nan")], [1.0, -1.0], [float("inf")]])
def test_a_trace_that_is_no_traffic_is_refused(load: list[float]) -> None:
    with pytest.raises(ValueError, match="trace broken"):
        Trace("broken", load)


def test_progress_is_told_every_ten_minutes() -> None:
    told: list[int] = []
    simulate(steady(10, 1500), Scripted(), progress=told.append)
    assert told == [600, 1200]
