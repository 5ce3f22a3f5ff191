"""What of the world can be seen, and when."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from simulator.pipelines.application import RequestsPerSecond
from simulator.pipelines.aws import CpuUtilization, RequestCount
from simulator.pipelines.pods import PodCpu, PodRequests
from simulator.pipelines.response_time import ResponseTime
from simulator.run import Trace
from simulator.settings import Settings
from simulator.simulate import simulate
from simulator.world import START, World
from tests.unit.simulator.worlds import Scripted, steady, surge

# Ten tasks; each datapoint appears 2 s after its call, and each call is made at once.
PUNCTUAL = Settings(
    start_median=20.0, start_sigma=0.0, start_tasks=10, visibility_sigma=0.0, publish_jitter=0.0, pod_phase=0.0
)


def watch(
    make: Callable[[World], Any], trace: Trace, settings: Settings = PUNCTUAL, calls: dict[int, int] | None = None
) -> tuple[Any, World]:
    """A pipeline of a world that has lived through the trace."""
    worlds: list[World] = []
    made: list[Any] = []

    def connect(world: World) -> None:
        worlds.append(world)
        made.append(make(world))

    simulate(trace, Scripted(calls or {}, connect=connect), settings)
    return made[0], worlds[0]


def per_task(world: World) -> RequestsPerSecond:
    return RequestsPerSecond(world, 5)


class TestRequestsPerSecond:
    def test_a_bucket_appears_after_its_end_and_the_delay_and_not_before(self) -> None:
        pipeline, _ = watch(per_task, steady(800, 60))
        assert [point.timestamp - START for point in pipeline.datapoints(31.99, 12)] == [20]
        assert [point.timestamp - START for point in pipeline.datapoints(32.0, 10)] == [25]

    def test_sum_is_the_load_of_the_service_and_its_samples_are_the_tasks(self) -> None:
        pipeline, _ = watch(per_task, steady(800, 60))
        newest = pipeline.datapoints(57.0, 30)[0]
        assert newest.value == pytest.approx(800)
        assert newest.samples == 10

    def test_each_task_has_a_delay_of_its_own_so_a_bucket_fills_up(self) -> None:
        settings = replace(PUNCTUAL, visibility_sigma=0.3)
        pipeline, _ = watch(per_task, steady(800, 60), settings)
        seen = [pipeline.datapoints(30 + 0.25 * step, 12)[:1] for step in range(20)]
        samples = [point[0].samples or 0 for point in seen if point and point[0].timestamp == START + 25]
        assert samples == sorted(samples)
        assert samples[-1] == 10
        assert len(set(samples)) > 3
        assert all(
            point[0].value == pytest.approx(80 * point[0].samples) for point in seen if point and point[0].samples
        )

    def test_half_of_the_datapoints_are_there_after_the_median_delay(self) -> None:
        settings = replace(PUNCTUAL, start_tasks=100, visibility_sigma=0.3)
        pipeline, _ = watch(per_task, steady(5000, 300), settings)
        shares = [(pipeline.datapoints(end + 2.0, 7.5)[0].samples or 0) / 100 for end in range(250, 290, 5)]
        assert sum(shares) / len(shares) == pytest.approx(0.5, abs=0.05)

    def test_the_calls_of_a_fleet_spread_over_the_jitter(self) -> None:
        settings = replace(PUNCTUAL, start_tasks=100, publish_jitter=1.0)
        pipeline, _ = watch(per_task, steady(5000, 60), settings)
        samples = [pipeline.datapoints(55 + 2 + late, 9)[0].samples for late in (0.25, 0.5, 1.0)]
        assert samples == [pytest.approx(25, abs=12), pytest.approx(50, abs=12), 100]

    def test_a_silent_publisher_is_missing_from_sum_and_samples_alike(self) -> None:
        settings = replace(PUNCTUAL, start_tasks=100, silent_share=0.3)
        pipeline, _ = watch(per_task, steady(5000, 60), settings)
        newest = pipeline.datapoints(57.0, 30)[0]
        assert newest.samples == pytest.approx(70, abs=12)
        assert newest.value == pytest.approx(50 * newest.samples)

    def test_a_task_without_requests_reports_zero(self) -> None:
        """New ones between RUNNING and healthy: from 21 s to 31 s."""
        pipeline, _ = watch(per_task, steady(800, 60), calls={0: 14})
        by_start = {point.timestamp - START: point for point in pipeline.datapoints(59.0, 60)}
        assert by_start[15].samples == 10
        assert (by_start[25].samples, by_start[25].value) == (14, pytest.approx(800))
        assert (by_start[40].samples, by_start[40].value) == (14, pytest.approx(800))

    def test_requests_of_tasks_that_stop_within_a_bucket_are_counted(self) -> None:
        pipeline, _ = watch(per_task, steady(400, 60), calls={21: 5})
        by_start = {point.timestamp - START: point for point in pipeline.datapoints(59.0, 60)}
        assert {start: point.value for start, point in by_start.items()} == dict.fromkeys(by_start, pytest.approx(400))
        assert by_start[15].samples == 10
        assert by_start[30].samples == 10, "they publish until they are gone"
        assert by_start[45].samples == 5

    def test_a_saturated_task_shows_what_arrives_unless_it_counts_what_it_finishes(self) -> None:
        trace = surge(800, 3000, 30, 60)
        arrivals, _ = watch(per_task, trace)
        completions, _ = watch(per_task, trace, replace(PUNCTUAL, completions=True))
        assert arrivals.datapoints(59.0, 30)[0].value == pytest.approx(3000)
        assert completions.datapoints(25.0, 30)[0].value == pytest.approx(800)
        assert completions.datapoints(59.0, 30)[0].value == pytest.approx(10 * 150)

    def test_longer_periods_are_averages_over_the_samples(self) -> None:
        pipeline, _ = watch(per_task, surge(800, 1600, 25, 60))
        averages = dict(pipeline.averages(44.0, 10, 60))
        assert averages[10] == pytest.approx(80)
        assert averages[20] == pytest.approx(120)
        assert averages[30] == pytest.approx(160)
        assert 40 not in averages

    def test_every_task_and_bucket_is_a_call_to_pay_for(self) -> None:
        _, world = watch(per_task, steady(800, 60))
        assert world.usage.published == 10 * 12


class TestCpuUtilization:
    @pytest.mark.parametrize("period", [20, 60])
    def test_it_is_the_share_of_what_the_tasks_can_do(self, period: int) -> None:
        pipeline, _ = watch(lambda world: CpuUtilization(world, period), steady(750, 300))
        found = pipeline.datapoints(300)
        assert [value for _, value in found] == pytest.approx([50.0] * len(found))
        assert {later - earlier for (earlier, _), (later, _) in pairwise(found)} == {period}

    def test_it_saturates_at_100_percent(self) -> None:
        pipeline, _ = watch(lambda world: CpuUtilization(world, 20), surge(750, 9000, 60, 200))
        values = dict(pipeline.datapoints(200))
        assert values[40] == pytest.approx(50)
        assert values[60] == pytest.approx(100)
        assert max(values.values()) <= 100 + 1e-9

    def test_a_period_appears_after_its_delay(self) -> None:
        pipeline, _ = watch(lambda world: CpuUtilization(world, 60), steady(750, 200))
        assert pipeline.datapoints(60 + 14.9) == []
        assert [start for start, _ in pipeline.datapoints(60 + 15.0)] == [0]


class TestRequestCount:
    def test_the_newest_minute_is_incomplete(self) -> None:
        pipeline, _ = watch(RequestCount, steady(100, 300))
        assert pipeline.datapoints(260, 200) == [(60, 6000), (120, 6000), (180, 5000)]
        assert pipeline.datapoints(270, 100) == [(120, 6000), (180, 6000)]

    def test_an_idle_load_balancer_reports_nothing(self) -> None:
        pipeline, _ = watch(RequestCount, surge(0, 100, 150, 300))
        assert pipeline.datapoints(300, 300) == [(120, 3000), (180, 6000), (240, 3000)]


class TestPods:
    def test_a_pod_has_a_figure_after_two_scrapes(self) -> None:
        counts: list[tuple[int, int]] = []
        pods: list[PodCpu] = []
        controller = Scripted(
            {0: 14},
            connect=lambda world: pods.append(PodCpu(world)),
            each_second=lambda world: counts.append((len(world.fleet.serving), len(pods[0].values(world.now)))),
        )
        simulate(steady(750, 90), controller, PUNCTUAL)
        assert counts[29] == (10, 0)
        assert counts[30] == (10, 10), "a second after the scrape at 30 s"
        assert counts[32] == (14, 10), "new ones that were scraped once while they started"
        assert counts[46] == (14, 14)

    def test_pods_are_scraped_at_another_moment_for_each_seed(self) -> None:
        """So no run has every scrape just after the HPA has looked."""
        moments = []
        for seed in range(12):
            shown: list[int] = []
            pods: list[PodCpu] = []

            def watch_pods(world: World, shown: list[int] = shown, pods: list[PodCpu] = pods) -> None:
                shown.append(len(pods[0].values(world.now)))

            controller = Scripted(connect=lambda world, pods=pods: pods.append(PodCpu(world)), each_second=watch_pods)
            simulate(steady(750, 60), controller, replace(PUNCTUAL, pod_phase=None), seed)
            moments.append(shown.index(10))
        assert len(set(moments)) > 5
        assert max(moments) - min(moments) < 15

    def test_a_pod_shows_what_it_used_since_the_last_scrape(self) -> None:
        pipeline, _ = watch(PodCpu, surge(750, 1200, 37.5, 60))
        assert pipeline.values(46) == pytest.approx([65.0] * 10)

    def test_knative_sees_the_last_minute_and_the_last_six_seconds(self) -> None:
        pipeline, _ = watch(PodRequests, surge(100, 700, 97, 200))
        assert pipeline.stable_mean(101) == pytest.approx((57 * 100 + 3 * 700) / 60)
        assert pipeline.panic_mean(101) == pytest.approx((3 * 100 + 3 * 700) / 6)

    def test_a_poller_sees_requests_at_work_and_waiting(self) -> None:
        _, calm = watch(PodRequests, steady(750, 10))
        assert calm.service.in_flight(3) == pytest.approx([75 * 0.1 / (1 - 0.5)] * 3), "Little's law"
        _, saturated = watch(PodRequests, steady(3000, 60))
        assert saturated.service.in_flight(1)[0] == pytest.approx(150 * 1.0 + 5 * 150)


class TestResponseTime:
    def test_it_grows_with_utilisation(self) -> None:
        calm, _ = watch(lambda world: ResponseTime(world, 10, "Average"), steady(750, 60))
        busy, _ = watch(lambda world: ResponseTime(world, 10, "p90"), steady(1200, 60))
        assert calm.datapoints(60, 30)[-1][1] == pytest.approx(0.2)
        assert busy.datapoints(60, 30)[-1][1] == pytest.approx(0.5)

    def test_a_percentile_is_over_the_requests_of_the_period(self) -> None:
        """Four seconds of ten at 50%, the other six at 80%."""
        trace = Trace("steps", [750.0] * 44 + [1200.0] * 6 + [750.0] * 20)
        for statistic, expected in (("p30", 0.2), ("p90", 0.5), ("Minimum", 0.2), ("Maximum", 0.5)):
            pipeline, _ = watch(lambda world, name=statistic: ResponseTime(world, 10, name), trace)
            assert dict(pipeline.datapoints(60, 60))[40] == pytest.approx(expected), statistic

    def test_a_request_counts_when_it_is_answered(self) -> None:
        """A surge at 30 s to twice what the tasks can do: those that come at 34 s wait 4 s."""
        pipeline, _ = watch(lambda world: ResponseTime(world, 5, "Maximum"), surge(750, 3000, 30, 60))
        worst = dict(pipeline.datapoints(60, 60))
        assert worst[25] == pytest.approx(0.2)
        assert 2.0 < worst[30] < 4.0
        assert worst[40] == pytest.approx(6.0)

    def test_without_requests_there_is_no_measurement(self) -> None:
        pipeline, _ = watch(lambda world: ResponseTime(world, 10, "p90"), steady(0, 60))
        assert pipeline.datapoints(60, 60) == []
