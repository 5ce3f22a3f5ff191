"""The fixed-table poller."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.peers.poller import TABLE, Poller, scaled_table


@pytest.mark.parametrize(
    ("average", "count"),
    [(0, None), (49.9, None), (50, 2), (99, 2), (100, 10), (299, 10), (300, 15), (499, 15), (500, 20), (9000, 20)],
)
def test_the_table(average: float, count: int | None) -> None:
    assert Poller().step(0, 1, [average]) == count


def test_only_the_first_three_tasks_are_looked_at() -> None:
    assert Poller().step(0, 1, [90, 100, 110, 5000, 5000]) == 10
    assert Poller().step(0, 1, [0, 0, 0, 5000, 5000]) is None
    assert Poller().step(0, 1, [100]) == 10


def test_after_setting_a_count_it_looks_away_for_a_minute() -> None:
    poller = Poller()
    assert poller.step(0, 1, [120]) == 10
    assert [poller.step(second, 10, [600]) for second in range(3, 60, 3)] == [None] * 19
    assert poller.step(60, 10, [600]) == 20


def test_it_never_scales_in() -> None:
    poller = Poller()
    assert [poller.step(second, 20, [load]) for second, load in ((0, 60), (3, 0), (6, 120))] == [None] * 3


def test_a_look_that_sets_nothing_does_not_make_it_wait() -> None:
    poller = Poller()
    assert poller.step(0, 10, [120]) is None
    assert poller.step(3, 10, [320]) == 15


def test_without_tasks_there_is_nothing_to_look_at() -> None:
    assert Poller().step(0, 1, []) is None


def test_a_table_for_another_service_keeps_the_proportions() -> None:
    assert scaled_table(50, 20) == TABLE
    assert scaled_table(10, 100) == ((10, 10), (20, 50), (60, 75), (100, 100))
    assert scaled_table(10, 4) == ((10, 1), (20, 2), (60, 3), (100, 4))


def test_a_table_that_does_not_rise_is_refused() -> None:
    with pytest.raises(ValueError, match="rising thresholds"):
        Poller(((100, 2), (50, 10)))


@given(st.lists(st.floats(0, 2000), min_size=1, max_size=60))
def test_the_count_only_rises_and_ends_at_the_table(loads: list[float]) -> None:
    poller, desired = Poller(), 1
    for index, load in enumerate(loads):
        count = poller.step(3.0 * index, desired, [load])
        assert count is None or desired < count <= 20
        desired = count or desired
