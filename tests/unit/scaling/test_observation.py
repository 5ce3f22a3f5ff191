"""What raw datapoints say: how complete they are, how old, and when they say nothing."""

from math import inf, isfinite, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscaler.scaling.metric import Metric
from fastscaler.scaling.observation import (
    Datapoint,
    LoadBalancerReading,
    MetricReading,
    NoData,
    Reading,
    read_load_balancer,
    read_metric,
)
from tests.unit.scaling.build import LATENCY, REQUESTS, START

PER_TASK, PERCENTILE = Metric.model_validate(REQUESTS), Metric.model_validate(LATENCY)
LOOK = START + 1.5  # A look 1.5 s after the end of the bucket that began 5 s before START.


def bucket(age: float, total: float, tasks: float | None) -> Datapoint:
    """A 5 s bucket that ended `age` seconds before LOOK."""
    return Datapoint(LOOK - age - 5, total, tasks)


def read(*points: Datapoint, running: int = 10, stale_after: float = 30) -> MetricReading:
    return read_metric(PER_TASK, points, running, stale_after, LOOK)


def complete(reading: MetricReading) -> Reading:
    assert isinstance(reading.complete, Reading)
    return reading.complete


FULL = bucket(6.5, 500, 10)


class TestWhoMustReport:
    @pytest.mark.parametrize(("reporters", "is_complete"), [(10, True), (8, True), (7, False), (1, False)])
    def test_a_bucket_is_complete_from_80_percent_of_those_expected(self, reporters: int, is_complete: bool) -> None:
        newest = bucket(1.5, 50 * reporters, reporters)
        assert (complete(read(newest, FULL)).timestamp == newest.timestamp) is is_complete

    def test_the_missing_fifth_is_taken_to_carry_as_much_as_the_others(self) -> None:
        reading = complete(read(bucket(1.5, 720, 8), bucket(6.5, 900, 10)))
        assert (reading.total, reading.value, reading.reporters, reading.coverage) == (900, 90, 8, 0.8)

    def test_a_task_that_stays_silent_does_not_blind_the_scaler(self) -> None:
        reading = complete(read(*(bucket(1.5 + 5 * n, 200, 2) for n in range(8)), running=3))
        assert (reading.age, reading.total, reading.coverage) == (1.5, 200, 1)

    def test_a_task_that_falls_silent_is_waited_for_30_seconds_and_no_longer(self) -> None:
        falls_silent = [bucket(1.5 + 5 * n, 200, 2) for n in range(3)] + [bucket(16.5, 300, 3)]
        assert isinstance(read(*falls_silent, running=3, stale_after=12).complete, NoData)
        later = [bucket(1.5 + 5 * n, 200, 2) for n in range(7)] + [bucket(36.5, 300, 3)]
        assert complete(read(*later, running=3)).age == 1.5

    def test_a_task_that_has_just_started_is_not_waited_for(self) -> None:
        assert complete(read(bucket(1.5, 500, 10), FULL, running=14)).age == 1.5

    def test_tasks_that_were_stopped_are_not_waited_for(self) -> None:
        assert complete(read(bucket(1.5, 500, 5), FULL, running=5)).coverage == 1

    def test_leaving_tasks_that_still_report_do_not_count_as_more_than_complete(self) -> None:
        reading = complete(read(bucket(1.5, 700, 14), running=10))
        assert (reading.coverage, reading.total, reading.reporters) == (1, 700, 14)

    def test_reports_are_believed_while_ecs_still_says_that_nothing_runs(self) -> None:
        assert complete(read(bucket(1.5, 300, 3), running=0)).total == 300


class TestIncompleteBuckets:
    def test_a_young_one_counts_for_what_is_there_and_the_last_complete_one_stands(self) -> None:
        reading = read(bucket(1.5, 600, 4), FULL)
        assert complete(reading).total == 500
        assert reading.partial is not None
        assert (reading.partial.total, reading.partial.complete) == (600, False)

    def test_one_older_than_5_seconds_is_scaled_up_by_its_coverage(self) -> None:
        reading = read(bucket(5.5, 600, 5), bucket(10.5, 500, 10))
        assert reading.partial is not None
        assert (reading.partial.total, reading.partial.complete) == (1200, False)

    def test_one_of_exactly_5_seconds_is_not(self) -> None:
        partial = read(bucket(5, 600, 5), bucket(10, 500, 10)).partial
        assert partial is not None
        assert partial.total == 600

    @pytest.mark.parametrize(("reporters", "total"), [(5, 1000), (4, 400)])
    def test_less_than_half_of_the_tasks_do_not_speak_for_all(self, reporters: int, total: float) -> None:
        partial = read(bucket(5.5, 100 * reporters, reporters), bucket(10.5, 500, 10)).partial
        assert partial is not None
        assert partial.total == total

    def test_an_older_one_counts_while_a_newer_one_shows_less(self) -> None:
        """A third of the publishers has failed: at each look the newest bucket has only begun to arrive."""
        reading = read(bucket(1.5, 700, 7), bucket(6.5, 980, 7), bucket(11.5, 500, 10))
        assert reading.partial is not None
        assert reading.partial.total == pytest.approx(1400)

    def test_the_newest_counts_while_it_shows_more(self) -> None:
        reading = read(bucket(1.5, 2100, 7), bucket(6.5, 350, 7), bucket(11.5, 500, 10))
        assert reading.partial is not None
        assert reading.partial.total == 2100

    def test_without_a_complete_one_there_is_no_data_but_what_is_arriving(self) -> None:
        reading = read(bucket(1.5, 60, 1), bucket(21.5, 500, 10), stale_after=20)
        assert reading.complete == NoData("incomplete", 1.5)
        assert reading.partial is not None
        assert reading.partial.total == 60

    def test_a_complete_one_that_is_stale_does_not_count(self) -> None:
        points = [bucket(1.5, 60, 1), bucket(14, 500, 10)]
        assert isinstance(read(*points, stale_after=12).complete, NoData)
        assert complete(read(*points, stale_after=15)).age == 14


class TestAge:
    def test_no_datapoint_at_all(self) -> None:
        assert read() == MetricReading(NoData("no datapoints", inf))

    @pytest.mark.parametrize("metric", [PER_TASK, PERCENTILE])
    def test_data_is_stale_after_the_time_given(self, metric: Metric) -> None:
        point = Datapoint(LOOK - 30 - metric.period, 7, 10)
        assert complete(read_metric(metric, [point], 10, 30, LOOK)).age == 30
        assert read_metric(metric, [point], 10, 29, LOOK) == MetricReading(NoData("stale", 30))

    def test_a_bucket_that_has_not_ended_does_not_count(self) -> None:
        ahead, going_on = Datapoint(LOOK + 60, 9000, 10), Datapoint(LOOK - 4.9, 9000, 10)
        assert complete(read(ahead, going_on, bucket(0, 500, 10))).total == 500
        assert read(ahead, going_on) == MetricReading(NoData("no datapoints"))

    def test_a_percentile_is_judged_by_its_age_alone(self) -> None:
        points = [Datapoint(LOOK - 15, 0.7), Datapoint(LOOK - 25, 0.2)]
        assert read_metric(PERCENTILE, points, 10, 30, LOOK) == MetricReading(Reading(0.7, LOOK - 15, 5.0))

    def test_a_young_percentile_may_be_half_there_so_the_one_before_it_counts_as_complete(self) -> None:
        points = [Datapoint(LOOK - 12, 0.7), Datapoint(LOOK - 22, 0.2)]
        assert read_metric(PERCENTILE, points, 10, 30, LOOK) == MetricReading(
            Reading(0.2, LOOK - 22, 12.0), Reading(0.7, LOOK - 12, 2.0, complete=False)
        )
        assert read_metric(PERCENTILE, points[:1], 10, 30, LOOK).complete == NoData("incomplete", 2.0)

    def test_the_order_of_the_datapoints_does_not_matter(self) -> None:
        points = [bucket(1.5, 100, 2), bucket(6.5, 500, 10), bucket(11.5, 900, 10)]
        assert read(*points) == read(*reversed(points)) == read(points[1], points[0], points[2])


class TestNotNumbers:
    @pytest.mark.parametrize("value", [nan, inf, -inf, -1.0])
    def test_a_bucket_without_a_load_is_no_bucket(self, value: float) -> None:
        assert complete(read(bucket(1.5, value, 10), FULL)) == complete(read(FULL))
        assert read(bucket(1.5, value, 10)) == MetricReading(NoData("no datapoints"))

    @pytest.mark.parametrize("samples", [None, nan, inf, 0.0, -3.0, 0.5])
    def test_a_bucket_that_nobody_reported_is_no_bucket(self, samples: float | None) -> None:
        assert complete(read(bucket(1.5, 100, samples), FULL)) == complete(read(FULL))

    def test_zero_is_a_load(self) -> None:
        assert complete(read(bucket(1.5, 0, 10))).total == 0

    def test_a_metric_that_is_not_per_task_may_be_negative(self) -> None:
        assert complete(read_metric(PERCENTILE, [Datapoint(LOOK - 20, -4.0)], 10, 30, LOOK)).value == -4

    any_number = st.floats(allow_nan=True, allow_infinity=True)
    datapoints = st.lists(
        st.builds(
            Datapoint,
            st.one_of(st.floats(LOOK - 90, LOOK + 10), st.integers(0, 20).map(lambda n: START - 5 * n)),
            st.one_of(st.floats(0, 1e6), any_number),
            st.one_of(st.none(), st.integers(0, 30).map(float), any_number),
        ),
        max_size=14,
    )

    @given(points=datapoints, running=st.integers(0, 40), metric=st.sampled_from([PER_TASK, PERCENTILE]))
    @settings(max_examples=200)
    def test_whatever_arrives_a_reading_is_young_and_complete_ones_are_covered(
        self, points: list[Datapoint], running: int, metric: Metric
    ) -> None:
        reading = read_metric(metric, points, running, 30, LOOK)
        for one in (reading.complete, reading.partial):
            if isinstance(one, Reading):
                assert 0 <= one.age <= 30
                assert isfinite(one.value)
        if isinstance(reading.complete, Reading) and metric.per_task:
            assert reading.complete.complete
            assert reading.complete.coverage is not None
            assert 0.8 <= reading.complete.coverage <= 1
        if reading.partial is not None:
            assert not reading.partial.complete


def minute(started: float, value: float) -> Datapoint:
    """A counter's minute that began `started` seconds before LOOK's minute."""
    return Datapoint(START - started, value)


def balancer(*requests: Datapoint, rejected: float = 0, errors: float = 0, now: float = LOOK) -> LoadBalancerReading:
    counted = ([minute(120, count)] if count else [] for count in (rejected, errors))
    return read_load_balancer(requests, *counted, now)


class TestLoadBalancer:
    def test_the_newest_minute_is_incomplete_so_the_one_before_it_counts(self) -> None:
        assert balancer(minute(60, 600), minute(120, 6000), minute(180, 60)).requests_per_second == 100

    def test_what_the_newest_minute_has_already_counts_too(self) -> None:
        assert balancer(minute(60, 12000), minute(120, 6000)).requests_per_second == 200

    def test_a_minute_that_ended_a_minute_ago_is_complete(self) -> None:
        assert balancer(minute(120, 600), minute(180, 6000), now=START + 5).requests_per_second == 10

    def test_the_peak_is_of_the_last_two_complete_minutes(self) -> None:
        counted = balancer(minute(60, 60), minute(120, 600), minute(180, 6000), minute(240, 60000))
        assert counted.peak_requests_per_second == 100

    def test_an_idle_load_balancer_reports_nothing(self) -> None:
        assert balancer() == LoadBalancerReading(None, None)

    def test_minutes_of_long_ago_say_nothing_of_now(self) -> None:
        counted = balancer(minute(240, 60000), minute(300, 60000))
        assert (counted.requests_per_second, counted.peak_requests_per_second) == (None, None)

    def test_not_numbers_do_not_count(self) -> None:
        assert balancer(minute(60, nan), minute(120, -5), minute(180, inf)).requests_per_second is None
        assert balancer(minute(120, 600), rejected=nan).rejected_connections == 0

    def test_rejected_connections_and_the_share_of_errors(self) -> None:
        counted = balancer(minute(60, 1000), minute(120, 1000), rejected=3, errors=20)
        assert (counted.rejected_connections, counted.error_share) == (3, 0.01)

    def test_errors_of_a_shared_load_balancer_are_a_share_of_its_own_requests(self) -> None:
        own, errors = [minute(120, 60)], [minute(120, 5)]
        assert read_load_balancer(own, [], errors, LOOK).error_share == pytest.approx(5 / 60)
        assert read_load_balancer(own, [], errors, LOOK, [minute(120, 5000)]).error_share == pytest.approx(0.001)

    def test_errors_without_requests_are_all_there_is(self) -> None:
        assert balancer(errors=7).error_share == 1


class TestSettling:
    """What fills while it is read: a Sum of AWS's own, and any datapoint in its first seconds."""

    PER_TARGET = Metric.model_validate(
        {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "RequestCountPerTarget",
            "Statistic": "Sum",
            "Period": 60,
            "Dimensions": {"TargetGroup": "targetgroup/shop/1"},
        }
    )

    def test_the_newest_minute_of_a_load_balancer_may_only_add_tasks(self) -> None:
        points = [Datapoint(LOOK - 90, 40.0), Datapoint(LOOK - 150, 5700.0)]
        seen = read_metric(self.PER_TARGET, points, 10, 180, LOOK, settles_after=self.PER_TARGET.settles_after)
        assert complete(seen).value == 5700
        assert seen.partial is not None
        assert (seen.partial.value, seen.partial.complete) == (40, False)

    def test_it_does_not_settle_while_nobody_reads_it(self) -> None:
        points = [Datapoint(LOOK - 30, 190.0), Datapoint(LOOK - 40, 1900.0)]
        young = read_metric(PERCENTILE, points, 10, 60, LOOK, read_at=LOOK - 18)
        assert complete(young).value == 1900
        assert complete(read_metric(PERCENTILE, points, 10, 60, LOOK, read_at=LOOK)).value == 190

    def test_an_average_of_aws_counts_as_soon_as_any_other(self) -> None:
        cpu = Metric.model_validate({**self.PER_TARGET.model_dump(by_alias=True), "Statistic": "Average"})
        assert cpu.settles_after == 5

    def test_a_load_below_zero_is_none(self) -> None:
        backlog = Metric.model_validate(
            {**self.PER_TARGET.model_dump(by_alias=True), "Namespace": "Shop", "DivideByTasks": True}
        )
        seen = read_metric(backlog, [Datapoint(LOOK - 70, -5.0)], 10, 180, LOOK)
        assert isinstance(seen.complete, NoData)
