"""The oracle is the limit: never too few tasks, and no schedule that has enough is cheaper."""

import time
from collections.abc import Callable, Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.peers.oracle import Oracle

Lead = Callable[[int], float]


def replay(
    need: Sequence[int], lead: Lead, tasks: int, deregistration: int = 10, minimum: int = 0
) -> tuple[list[int], int, list[int]]:
    """Serving tasks per second, task-seconds from launch to end, and the counts; the newest task stops first."""
    oracle = Oracle(need, lead, minimum, 100, deregistration)
    ready_at = [0.0] * tasks
    launched, seconds, serving, counts = 0, 0, [], []
    for second in range(len(need)):
        count = oracle.step(second, len(ready_at))
        while len(ready_at) > count:
            ready_at.pop()
            seconds += deregistration
        while len(ready_at) < count:
            ready_at.append(second + lead(launched))
            launched += 1
        serving.append(sum(at <= second for at in ready_at))
        seconds += len(ready_at)
        counts.append(count)
    return serving, seconds, counts


def cheapest(need: Sequence[int], lead: int, tasks: int, deregistration: int) -> int:
    """The fewest task-seconds of any schedule that always has enough: every task by every possible choice."""
    starting, off, serving = range(lead), lead, lead + 1  # Seconds since the launch, or one of two states.

    def of_task(task: int) -> float:
        @cache
        def rest(second: int, state: int) -> float:
            if second == len(need):
                return 0
            choices = [stay(second, state)]
            if state == serving:
                choices.append(deregistration + stay(second, off))
            if state == off:
                choices.append(stay(second, starting[0]))
            return min(choices)

        def stay(second: int, state: int) -> float:
            if need[second] > task and state != serving:
                return float("inf")
            if state in (off, serving):
                return (state == serving) + rest(second + 1, state)
            return 1 + rest(second + 1, serving if state + 1 == lead else state + 1)

        return rest(0, serving if task < tasks else off)

    return int(sum(of_task(task) for task in range(max(need, default=0) + tasks)))


def steps(*parts: tuple[int, int]) -> list[int]:
    """Seconds and need of each part."""
    return [need for seconds, need in parts for _ in range(seconds)]


class TestTimelines:
    def test_a_surge_is_met_at_its_first_second_and_not_before(self) -> None:
        need = steps((100, 2), (100, 10))
        serving, _, counts = replay(need, lambda _: 35, 2)
        assert serving[99] == 2
        assert serving[100] == 10
        assert counts[64] == 2
        assert counts[65] == 10

    def test_a_ramp_is_met_task_by_task(self) -> None:
        need = steps(*((10, tasks) for tasks in range(5, 30)))
        serving, _, _ = replay(need, lambda _: 20, 7)
        assert serving[20:] == need[20:]

    def test_it_scales_in_at_once(self) -> None:
        _, _, counts = replay(steps((50, 10), (500, 3)), lambda _: 35, 10)
        assert counts[49] == 10
        assert counts[50] == 3

    @pytest.mark.parametrize(("gap", "kept"), [(44, True), (46, False)])
    def test_a_gap_no_longer_than_a_stop_and_a_start_is_bridged(self, gap: int, kept: bool) -> None:
        """35 s to start and 10 s to deregister."""
        _, _, counts = replay(steps((50, 10), (gap, 2), (100, 10), (100, 2)), lambda _: 35, 10)
        assert (min(counts[50 : 50 + gap]) == 10) is kept

    def test_after_the_last_second_only_the_minimum_is_needed(self) -> None:
        oracle = Oracle(steps((10, 8)), lambda _: 35, 2, 100)
        assert oracle.step(5, 8) == 8
        assert oracle.step(10, 8) == 2

    def test_a_service_that_begins_with_too_little_is_filled_at_once(self) -> None:
        assert Oracle(steps((100, 8)), lambda _: 35, 2, 100).step(0, 3) == 8

    def test_time_may_begin_anywhere(self) -> None:
        oracle = Oracle(steps((100, 2), (100, 10)), lambda _: 35, 2, 100, start=1_800_000_000.0)
        assert [oracle.step(1_800_000_000.0 + second, 2) for second in (0, 64, 65)] == [2, 2, 10]

    def test_it_stays_within_its_bounds(self) -> None:
        oracle = Oracle(steps((10, 1), (100, 500)), lambda _: 5, 3, 20)
        assert [oracle.step(0, 3), oracle.step(5, 3)] == [3, 20]

    def test_a_slow_start_is_launched_earlier(self) -> None:
        """The second launch takes a minute; launches come in order, so the first one goes with it."""
        need = steps((100, 1), (100, 3))
        serving, _, counts = replay(need, lambda launch: 60 if launch == 1 else 20, 1)
        assert serving[100:] == [3] * 100
        assert counts[39] == 1
        assert counts[40] == 3

    def test_a_slow_first_start_goes_alone(self) -> None:
        _, _, counts = replay(steps((100, 1), (100, 3)), lambda launch: 60 if launch == 0 else 20, 1)
        assert (counts[39], counts[40], counts[79], counts[80]) == (1, 2, 2, 3)

    def test_tasks_that_a_slow_start_could_not_bring_back_are_kept(self) -> None:
        """The next launch takes 5 s, those after it a minute: of four tasks to spare for 40 s, one can go."""
        need = steps((20, 6), (40, 2), (100, 6))
        serving, _, counts = replay(need, lambda launch: 5 if launch == 0 else 60, 6)
        assert min(counts[20:60]) == 5
        assert all(have >= want for have, want in zip(serving, need, strict=True))


needs = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4)), min_size=1, max_size=8)


class TestLimit:
    @settings(max_examples=60)
    @given(needs, st.integers(1, 8), st.integers(0, 5), st.integers(0, 4))
    def test_no_schedule_with_enough_tasks_is_cheaper(
        self, parts: list[tuple[int, int]], lead: int, deregistration: int, tasks: int
    ) -> None:
        # What nobody could have started in time is not asked for; after the end there is time to stop.
        need = steps((lead, min(tasks, parts[0][1])), *parts, (lead + deregistration + 1, 0))
        serving, seconds, _ = replay(need, lambda _: lead, tasks, deregistration)
        assert all(have >= want for have, want in zip(serving, need, strict=True))
        assert seconds == cheapest(need, lead, tasks, deregistration)

    @settings(max_examples=100)
    @given(needs, st.lists(st.floats(0.5, 12), min_size=30, max_size=30), st.integers(0, 4))
    def test_never_late_when_every_start_takes_another_time(
        self, parts: list[tuple[int, int]], leads: list[float], tasks: int
    ) -> None:
        need = steps((13, 0), *parts)
        serving, _, _ = replay(need, lambda launch: leads[launch % 30], tasks)
        assert all(have >= want for have, want in zip(serving, need, strict=True))


def test_a_day_takes_seconds() -> None:
    need = steps(*((600, 5 + 40 * (part % 2)) for part in range(144)))
    begin = time.perf_counter()
    replay(need, lambda _: 35, 5)
    assert time.perf_counter() - begin < 5
