"""Kubernetes' HPA on the tables of its own tests (pkg/controller/podautoscaler) and of its documentation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.peers.hpa import (
    DEFAULT_BEHAVIOR,
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    Hpa,
    RatePolicy,
    ScalingRules,
    recommendation,
    scale_down_limit,
    scale_up_limit,
    stabilized,
)

NOW = 10_000.0


class TestRecommendation:
    @pytest.mark.parametrize(
        ("name", "current", "ready", "unready", "values", "target", "expected"),
        [
            # replica_calculator_test.go: TestReplicaCalc...
            ("ScaleUp", 3, 3, 0, (30, 50, 70), 30, 5),
            ("ScaleUpUnreadyLessScale", 3, 2, 1, (50, 70), 30, 4),
            ("ScaleUpUnreadyNoScale", 3, 1, 2, (40,), 30, 3),
            ("ScaleUpIgnoresFailedPods", 2, 2, 0, (50, 70), 30, 4),
            ("ScaleUpCM", 3, 3, 0, (20, 10, 30), 15, 4),
            ("ScaleUpCMUnreadyHotCpuNoLessScale", 3, 3, 0, (50, 10, 30), 15, 6),
            ("ScaleUpCMUnreadyHotCpuScaleWouldScaleDown", 3, 3, 0, (50, 15, 30), 15, 7),
            ("ScaleDown", 5, 5, 0, (10, 30, 50, 25, 25), 50, 3),
            ("ScaleDownCM", 5, 5, 0, (12, 12, 12, 12, 12), 20, 3),
            ("ScaleDownIncludeUnreadyPods", 5, 3, 2, (10, 30, 50), 50, 2),
            ("ScaleDownExcludeUnscheduledPods", 5, 1, 4, (10,), 50, 1),
            ("ToleranceCM", 3, 3, 0, (20, 21, 21), 20, 3),
            ("MissingMetrics", 4, 4, 0, (40, 9.5), 100, 3),
            ("MissingMetricsNoChangeEq", 2, 2, 0, (100,), 100, 2),
            ("MissingMetricsNoChangeGt", 2, 2, 0, (190,), 100, 2),
            ("MissingMetricsNoChangeLt", 2, 2, 0, (60,), 100, 2),
            ("MissingMetricsUnreadyChange", 3, 2, 1, (45,), 50, 3),
            ("MissingMetricsUnreadyScaleUp", 3, 2, 1, (200,), 50, 4),
            ("EmptyMetrics", 4, 4, 0, (), 100, None),
            # Kubernetes documentation, "Algorithm details": 200m of 100m doubles, 50m of 100m halves.
            ("twice the target", 4, 4, 0, (0.2, 0.2, 0.2, 0.2), 0.1, 8),
            ("half the target", 4, 4, 0, (0.05, 0.05, 0.05, 0.05), 0.1, 2),
            # The tolerance includes its bounds.
            ("1.1", 10, 10, 0, (110,) * 10, 100, 10),
            ("1.101", 10, 10, 0, (110.1,) * 10, 100, 12),
            ("0.9", 10, 10, 0, (90,) * 10, 100, 10),
            ("0.899", 10, 10, 0, (89.9,) * 10, 100, 9),
        ],
    )
    def test_documented_cases(
        self,
        name: str,
        current: int,
        ready: int,
        unready: int,
        values: tuple[float, ...],
        target: float,
        expected: int | None,
    ) -> None:
        assert recommendation(current, ready, unready, values, target, 0.1) == expected, name

    @given(
        st.integers(1, 30),
        st.integers(0, 10),
        st.integers(0, 10),
        st.lists(st.floats(0, 1000), min_size=1, max_size=30),
    )
    def test_pods_of_which_nothing_is_known_never_widen_the_step(
        self, current: int, missing: int, unready: int, values: list[float]
    ) -> None:
        known = recommendation(current, len(values), 0, values, 100, 0.0)
        careful = recommendation(current, len(values) + missing, unready, values, 100, 0.0)
        assert known is not None
        assert careful is not None
        average = sum(values) / len(values)
        if average > 100.01:
            assert careful <= max(known, current)
        if average < 99.99:
            assert careful >= min(known, current)


def rules(pods: int, pods_period: float, percent: int, percent_period: float, window: float = 0) -> ScalingRules:
    """As generateScalingRules of horizontal_test.go; 0 leaves a policy out."""
    policies = []
    if pods:
        policies.append(RatePolicy("Pods", pods, pods_period))
    if percent:
        policies.append(RatePolicy("Percent", percent, percent_period))
    return ScalingRules(window, tuple(policies))


def spread(changes: tuple[int, ...], seconds: float) -> list[tuple[float, int]]:
    """As generateEventsUniformDistribution: events in the middle of equal parts of the last `seconds`."""
    part = seconds / len(changes)
    return [(NOW - seconds + part * (index + 0.5), change) for index, change in enumerate(changes)]


class TestRateLimits:
    """horizontal_test.go, TestScalingWithRules and TestCalculateScale...; limits before MinReplicas and MaxReplicas."""

    @pytest.mark.parametrize(("current", "limit"), [(1, 5), (3, 7), (4, 8), (5, 10), (10, 20)])
    def test_default_scale_up(self, current: int, limit: int) -> None:
        assert scale_up_limit(DEFAULT_SCALE_UP, current, (), NOW) == limit

    @pytest.mark.parametrize(
        ("scale_up", "current", "changes", "limit"),
        [
            (rules(0, 0, 1, 60), 3, (), 4),
            (rules(100, 60, 100, 60), 10, (), 110),
            (rules(2, 60, 100, 60), 10, (), 20),
            (rules(30, 60, 0, 0), 10, (), 40),
            (rules(0, 0, 200, 60), 10, (), 30),
            (rules(0, 0, 700, 60), 3, (), 24),
            (rules(5, 120, 0, 0), 100, spread((1, 5, 9), 120), 100),
            (rules(150, 120, 0, 0), 100, spread((1, 5, 9), 120), 235),
            (rules(0, 0, 200, 120), 100, spread((1, 5, 9), 120), 255),
            (rules(0, 0, 300, 300), 6, [*spread((4,), 120), *spread((-2,), 120)], 16),
        ],
    )
    def test_scale_up(self, scale_up: ScalingRules, current: int, changes: list[tuple[float, int]], limit: int) -> None:
        assert scale_up_limit(scale_up, current, changes, NOW) == limit

    @pytest.mark.parametrize(
        ("scale_down", "current", "changes", "limit"),
        [
            (rules(20, 60, 0, 0), 1000, (), 980),
            (rules(20, 60, 1, 60), 100, (), 80),
            (rules(2, 60, 1, 60), 100, (), 98),
            (rules(5, 60, 0, 0), 10, (), 5),
            (rules(0, 0, 50, 60), 10, (), 5),
            (rules(5, 120, 0, 0), 100, spread((-1, -5, -9), 120), 100),
            (rules(0, 0, 50, 120), 100, spread((-2, -4, -6), 120), 56),
            (rules(0, 0, 50, 180), 10, [*spread((2,), 120), *spread((-4,), 120)], 6),
            (rules(0, 0, 10, 120), 100, spread((-10, -10, -10), 120), 100),
            # Kubernetes documentation: 10% of 80 pods leave 72, and 10% of those, 7.2, round up to 8: 64.
            (rules(0, 0, 10, 60), 80, (), 72),
            (rules(0, 0, 10, 60), 72, (), 64),
        ],
    )
    def test_scale_down(
        self, scale_down: ScalingRules, current: int, changes: list[tuple[float, int]], limit: int
    ) -> None:
        assert scale_down_limit(scale_down, current, changes, NOW) == limit

    def test_the_policy_that_changes_least_may_be_selected(self) -> None:
        both = (RatePolicy("Pods", 2, 60), RatePolicy("Percent", 50, 60))
        assert scale_up_limit(ScalingRules(300, both, "Min"), 1, (), NOW) == 2
        assert scale_down_limit(ScalingRules(300, both, "Min"), 5, (), NOW) == 3

    def test_a_direction_may_be_disabled(self) -> None:
        disabled = ScalingRules(0, (RatePolicy("Percent", 100, 15),), "Disabled")
        assert scale_up_limit(disabled, 5, (), NOW) == 5
        assert scale_down_limit(disabled, 5, (), NOW) == 5

    def test_rules_without_a_policy_are_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one policy"):
            ScalingRules(0, ())


@pytest.mark.parametrize(
    ("name", "earlier", "current", "recommended", "up", "down", "expected"),
    [
        # horizontal_test.go, TestNormalizeDesiredReplicasWithBehavior; minutes ago and count.
        ("empty, down", (), 100, 5, 0, 0, 5),
        ("simple down", ((2, 4), (1, 5)), 100, 3, 0, 180, 5),
        ("simple up", ((2, 4), (1, 5)), 1, 7, 300, 0, 4),
        ("no down window", ((2, 1), (1, 2)), 100, 3, 300, 0, 3),
        ("no up window", ((2, 4), (1, 5)), 1, 3, 0, 300, 3),
        ("old, down", ((10, 10), (9, 9)), 100, 3, 0, 0, 3),
        ("old, up", ((10, 10), (9, 9)), 1, 100, 0, 0, 100),
        ("some old, down", ((10, 10), (1, 4), (2, 5), (9, 9)), 100, 3, 0, 180, 5),
        ("some old, up", ((100, 10), (1, 6), (2, 5), (3, 9)), 1, 100, 300, 0, 5),
        ("not up when it goes down", ((100, 2), (3, 3)), 2, 1, 300, 300, 2),
        ("not down when it goes up", ((100, 2), (3, 1)), 2, 3, 300, 300, 2),
    ],
)
def test_stabilization(
    name: str,
    earlier: tuple[tuple[float, int], ...],
    current: int,
    recommended: int,
    up: float,
    down: float,
    expected: int,
) -> None:
    policy = (RatePolicy("Percent", 100, 15),)
    behavior = Behavior(ScalingRules(up, policy), ScalingRules(down, policy))
    history = [(NOW - 60 * minutes, count) for minutes, count in earlier]
    assert stabilized(current, recommended, history, behavior, NOW) == expected, name


class Service:
    """All pods of a service under one HPA, ready at once, sharing a load."""

    def __init__(self, pods: int, behavior: Behavior = DEFAULT_BEHAVIOR, maximum: int = 100) -> None:
        self.hpa = Hpa(100, 1, maximum, behavior=behavior)
        self.pods = pods
        self.now = 0.0

    def run(self, load: float, seconds: float) -> list[int]:
        """The count after each sync."""
        counts = []
        for _ in range(int(seconds // self.hpa.interval)):
            self.now += self.hpa.interval
            values = [load / self.pods] * self.pods
            self.pods = self.hpa.step(self.now, self.pods, self.pods, 0, values) or self.pods
            counts.append(self.pods)
        return counts


class TestTimelines:
    def test_a_surge_doubles_the_pods_at_every_sync(self) -> None:
        """Until they are within the tolerance: 56 pods have 107 each."""
        assert Service(3).run(load=6000, seconds=75) == [7, 14, 28, 56, 56]

    def test_scale_in_waits_for_five_minutes_and_then_goes_all_the_way(self) -> None:
        service = Service(20)
        service.run(load=2000, seconds=60)
        counts = service.run(load=300, seconds=330)
        assert counts[:19] == [20] * 19
        assert counts[19] == 3

    def test_a_new_controller_does_not_scale_in_for_five_minutes(self) -> None:
        counts = Service(20).run(load=300, seconds=330)
        assert counts[:20] == [20] * 20
        assert counts[20] == 3

    def test_a_short_dip_removes_nothing(self) -> None:
        service = Service(20)
        service.run(load=2000, seconds=600)
        assert service.run(load=100, seconds=240) == [20] * 16
        assert service.run(load=2000, seconds=600) == [20] * 40

    def test_ten_percent_a_minute(self) -> None:
        """Kubernetes documentation, "Limit scale down rate"; without a window, to see the rate alone."""
        slow = Behavior(DEFAULT_SCALE_UP, ScalingRules(0, (RatePolicy("Percent", 10, 60),)))
        service = Service(80, slow)
        assert service.run(load=1000, seconds=150) == [72, 72, 72, 72, 64, 64, 64, 64, 57, 57]

    def test_pods_that_are_not_ready_yet_are_not_asked_for_again(self) -> None:
        hpa = Hpa(100, 1, 100)
        assert hpa.step(15, 4, 4, 0, [200] * 4) == 8
        assert hpa.step(30, 8, 4, 4, [200] * 4) == 8
        assert hpa.step(45, 8, 4, 4, [300] * 4) == 12

    def test_silent_pods_hold_the_count(self) -> None:
        hpa = Hpa(100, 1, 100)
        assert hpa.step(15, 4, 4, 0, []) is None
        assert hpa.step(600, 4, 4, 0, []) is None

    @pytest.mark.parametrize(("current", "expected"), [(2, 3), (10, 5)])
    def test_a_count_out_of_bounds_is_brought_back_without_a_metric(self, current: int, expected: int) -> None:
        """horizontal_test.go, TestTooFewReplicas and TestTooManyReplicas."""
        assert Hpa(90, 3, 5).step(15, current, current, 0, []) == expected

    def test_the_maximum_caps_a_surge(self) -> None:
        """horizontal_test.go, TestUpscaleCapGreaterThanMaxReplicas."""
        up = rules(0, 0, 700, 60)
        assert Hpa(10, 1, 20, behavior=Behavior(up, DEFAULT_SCALE_DOWN)).step(15, 3, 3, 0, (100, 200, 300)) == 20


@given(st.lists(st.floats(0, 100_000), min_size=1, max_size=60), st.integers(1, 60))
def test_it_stays_within_its_bounds_and_never_grows_faster_than_its_policies(loads: list[float], pods: int) -> None:
    hpa = Hpa(100, 3, 40)
    for index, load in enumerate(loads):
        before = pods
        pods = hpa.step(15.0 * index, pods, pods, 0, [load / pods] * pods) or pods
        assert 3 <= pods <= 40
        if before >= 3:
            assert pods <= max(2 * before, before + 4)
