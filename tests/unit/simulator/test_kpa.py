"""Knative's KPA on the cases of its own tests (pkg/autoscaler/scaling/autoscaler_test.go)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.peers.kpa import Kpa


def kpa(target: float, ready: int = 1, up: float = 10, down: float = 10, maximum: int = 10_000) -> Kpa:
    """As newTestAutoscaler: the target itself, rates of 10, started with `ready` pods."""
    peer = Kpa(target, 0, maximum, utilisation=1.0, max_scale_up_rate=up, max_scale_down_rate=down)
    assert peer.step(0, ready, None, None) is None
    return peer


class TestKnativeCases:
    @pytest.mark.parametrize(
        ("name", "target", "stable", "panic", "ready", "rates", "expected"),
        [
            # TestAutoscalerScale
            ("NoDataAtZero", 10, 0, 0, 1, (10, 10), 0),
            ("StableModeUnlimitedTBC", 181, 21, 26, 1, (10, 10), 1),
            ("StableModeNoChange", 10, 50, 50, 1, (10, 10), 5),
            ("StableModeNoChangeAlreadyScaled", 10, 50, 50, 5, (10, 10), 5),
            ("StableModeIncreaseWithSmallScaleUpRate", 1, 3, 3.1, 2, (1.1, 10), 3),
            ("StableModeDecreaseWithSmallScaleDownRate", 10, 1, 1, 100, (10, 1.1), 90),
            ("PanicModeDoublePodCount", 10, 50, 100, 1, (10, 10), 10),
            # The other tests with one call
            ("StableModeIncreaseWithConcurrencyDefault", 10, 50, 10, 1, (10, 10), 5),
            ("RateLimitScaleUp", 10, 1000, 1001, 1, (10, 10), 10),
            ("RateLimitScaleUp, again", 10, 1000, 1001, 10, (10, 10), 100),
            ("RateLimitScaleDown", 10, 1, 1, 100, (10, 10), 10),
            ("RateLimitScaleDown, again", 10, 1, 1, 10, (10, 10), 1),
            ("UseOnePodAsMinimumIfEndpointsNotFound", 10, 1000, 888, 0, (10, 10), 10),
            ("StableModeDecrease", 10, 50, 50, 8, (10, 10), 5),
        ],
    )
    def test_one_look(
        self,
        name: str,
        target: float,
        stable: float,
        panic: float,
        ready: int,
        rates: tuple[float, float],
        expected: int,
    ) -> None:
        assert kpa(target, up=rates[0], down=rates[1]).step(2, ready, stable, panic) == expected, name

    @pytest.mark.parametrize(("stable", "panic", "expected"), [(50, 30, 50), (20, 30, 30)])
    def test_in_panic_the_larger_window_counts(self, stable: float, panic: float, expected: int) -> None:
        """PanicStableLargerThanPanic and PanicStableLessThanPanic: five pods, in panic for 5 s."""
        peer = kpa(1, ready=5)
        assert peer.step(5, 5, stable, panic) == expected

    def test_exponential_track_and_stabilize(self) -> None:
        peer = kpa(1)
        ready = 1
        for second, load in enumerate((6, 36, 216, 1296, 1296)):
            assert peer.step(second, ready, load, load) == load
            ready = load

    def test_panic_then_unpanic_scale_down(self) -> None:
        peer = kpa(10)
        assert peer.step(0, 1, 100, 100) == 10
        assert peer.step(0, 10, 100, 1000) == 100
        assert peer.step(30, 10, 1, 1) == 100
        assert peer.step(61, 10, 1, 1) == 1

    def test_unpanic_after_slow_increase(self) -> None:
        peer = kpa(1)
        assert peer.step(0, 10, 11, 25) == 25
        assert peer.step(30, 40, 30, 41) == 41
        assert peer.step(62, 55, 50, 56) == 50

    def test_a_surge_that_goes_on_extends_the_panic(self) -> None:
        peer = kpa(1)
        assert peer.step(0, 10, 11, 25) == 25
        assert peer.step(30, 40, 30, 80) == 80
        assert peer.step(62, 80, 20, 20) == 80
        assert peer.step(90, 80, 20, 20) == 80
        assert peer.step(92, 80, 20, 20) == 20

    def test_no_data_holds(self) -> None:
        """TestAutoscalerNoDataNoAutoscale."""
        assert kpa(10).step(2, 5, None, None) is None


class TestDefaults:
    """100 requests/s per task, of which 70% are the target; rates of 1000 and 2."""

    def test_a_surge_and_its_end(self) -> None:
        peer = Kpa(100, 1, 100)
        assert peer.step(0, 2, 150, 400) == 6
        assert peer.step(30, 6, 150, 100) == 6
        assert peer.step(61, 6, 150, 150) == 3
        assert peer.step(63, 10, 70, 70) == 5

    def test_a_surge_is_answered_in_one_step(self) -> None:
        peer = Kpa(100, 1, 1000)
        peer.step(0, 1, 50, 50)
        assert peer.step(2, 1, 100, 60_000) == 858

    def test_a_restart_does_not_shrink_what_is_there(self) -> None:
        peer = Kpa(100, 1, 100)
        assert [peer.step(second, 20, 70, 70) for second in (0, 30, 60, 62)] == [20, 20, 20, 10]

    def test_a_load_just_below_twice_the_pods_is_no_panic(self) -> None:
        peer = Kpa(100, 1, 100)
        peer.step(0, 1, 50, 50)
        assert peer.step(2, 10, 650, 1330) == 10  # 19 of the panic window: below 200%, the stable window decides.
        assert peer.step(4, 10, 650, 1331) == 20


@given(
    st.lists(st.tuples(st.integers(0, 60), st.floats(0, 50_000), st.floats(0, 50_000)), min_size=1, max_size=60),
)
def test_it_stays_within_its_bounds(looks: list[tuple[int, float, float]]) -> None:
    peer = Kpa(100, 2, 40)
    for index, (ready, stable, panic) in enumerate(looks):
        count = peer.step(2.0 * index, ready, stable, panic)
        assert count is not None
        assert 2 <= count <= 40


@given(st.lists(st.floats(0, 20_000), min_size=2, max_size=30))
def test_in_panic_it_never_removes(panics: list[float]) -> None:
    peer, last = Kpa(100, 1, 1000), 0
    peer.step(0, 1, None, None)
    peer.step(2, 1, 100, 10_000)
    for index, panic in enumerate(panics):
        count = peer.step(4.0 + 2 * index, max(1, last), 100, panic)
        assert count is not None
        assert count >= last
        last = count
