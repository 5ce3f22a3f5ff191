"""The load of a service, seen per task that was asked for."""

from dataclasses import replace

import pytest

from fastscaler.scaling.load import Capacity, Load, is_blind, missing_data, project, project_all
from fastscaler.scaling.memory import Activity
from fastscaler.scaling.metric import Metric
from fastscaler.scaling.observation import (
    Datapoint,
    LoadBalancerReading,
    MetricReading,
    NoData,
    Observation,
    Reading,
    ServiceState,
    read_metric,
)
from fastscaler.scaling.policy import Service
from tests.unit.scaling.build import (
    BACKLOG,
    BALANCER,
    CPU,
    LATENCY,
    REQUESTS,
    START,
    observe,
    service,
    stepping,
    tracking,
)

PER_TASK = Metric.model_validate(REQUESTS)
LOOK = START + 1.5


class TestCredit:
    def test_tasks_asked_for_a_moment_ago_share_the_load(self) -> None:
        assert Capacity(desired=30, running=10, raised=20).credited(serving=10) == 30

    def test_credit_that_has_lapsed_counts_no_more(self) -> None:
        assert Capacity(desired=30, running=10, raised=0).credited(serving=10) == 10
        assert Capacity(desired=30, running=10, raised=5).credited(serving=10) == 15

    def test_credit_never_exceeds_what_was_asked_for(self) -> None:
        assert Capacity(desired=12, running=10, raised=40).credited(serving=10) == 12

    def test_leaving_tasks_still_share_the_load(self) -> None:
        assert Capacity(desired=10, running=10).credited(serving=14) == 14

    def test_the_second_generation_of_a_deployment_does_not(self) -> None:
        assert Capacity(desired=10, running=20, deployment_in_progress=True).credited(serving=20) == 10

    def test_there_is_always_something_to_divide_by(self) -> None:
        assert Capacity(desired=0, running=0).credited(serving=0) == 1

    def test_in_flight_is_what_was_asked_for_recently_and_does_not_serve(self) -> None:
        assert Capacity(14, 10, raised=4).in_flight(serving=10)
        assert not Capacity(14, 14, raised=4).in_flight(serving=14)
        assert not Capacity(14, 10, raised=0).in_flight(serving=10)


def seen(*points: tuple[float, float, int], capacity: Capacity) -> list[Load]:
    """The loads of datapoints (age of the bucket's end at LOOK, Sum, SampleCount)."""
    datapoints = [Datapoint(LOOK - age - 5, total, tasks) for age, total, tasks in points]
    reading = read_metric(PER_TASK, datapoints, capacity.running, 30, LOOK)
    return [project(PER_TASK, one, capacity) for one in (reading.complete, reading.partial) if isinstance(one, Reading)]


class TestPerTaskMetrics:
    def test_a_surge_is_projected_onto_the_tasks_in_flight(self) -> None:
        (load,) = seen((1.5, 5000, 10), capacity=Capacity(50, 10, raised=40))
        assert (load.shown, load.metric, load.total) == (500, 100, 5000)

    def test_late_reporters_do_not_make_the_others_look_busier(self) -> None:
        """8 of 10 tasks have reported 90 requests/s each: that is what every task has."""
        (load,) = seen((1.5, 720, 8), (6.5, 900, 10), capacity=Capacity(10, 10))
        assert (load.metric, load.total, load.serving) == (90, 900, 10)

    def test_one_busy_task_that_reports_first_is_not_a_busy_service(self) -> None:
        _, arriving = seen((1.5, 150, 1), (6.5, 500, 10), capacity=Capacity(10, 10))
        assert (arriving.metric, arriving.shown) == (15, 150)

    def test_a_sum_that_breaches_before_all_have_reported_breaches(self) -> None:
        _, arriving = seen((1.5, 1200, 4), (6.5, 500, 10), capacity=Capacity(10, 10))
        assert arriving.metric == 120

    def test_a_new_task_that_has_hardly_begun_does_not_pull_the_load_down(self) -> None:
        (load,) = seen((1.5, 1100, 11), capacity=Capacity(11, 11, raised=1))
        assert load.metric == 100

    def test_both_generations_of_a_deployment_are_one_service(self) -> None:
        (load,) = seen((1.5, 1000, 20), capacity=Capacity(10, 20, deployment_in_progress=True))
        assert load.metric == 100

    def test_silent_tasks_carry_the_average_load_when_it_comes_to_scale_in(self) -> None:
        points = [(1.5 + 5 * n, 250.0, 5) for n in range(7)]
        (load,) = seen(*points, capacity=Capacity(10, 10))
        assert (load.total, load.scale_in_total, load.metric) == (250, 500, 50)

    @pytest.mark.parametrize("capacity", [Capacity(10, 20), Capacity(20, 10, raised=10)])
    def test_but_not_those_that_leave_or_do_not_run_yet(self, capacity: Capacity) -> None:
        points = [(1.5 + 5 * n, 250.0, 5) for n in range(7)]
        assert seen(*points, capacity=capacity)[0].scale_in_total == 500


class TestOtherMetrics:
    def test_an_average_is_that_of_every_running_task(self) -> None:
        cpu = project(Metric.model_validate(CPU), Reading(80, START - 10, 1.5), Capacity(20, 10, raised=10))
        assert (cpu.metric, cpu.total, cpu.per_task) == (80, 800, 40)

    def test_a_datapoint_from_before_a_raise_speaks_of_the_tasks_of_then(self) -> None:
        """A minute's average that ended 20 s ago; 10 tasks more were asked for 50 s ago and run by now."""
        raised = Activity(START - 50, 10, 20, "policy")
        capacity = Capacity(20, 20, raised=10, activities=(raised,))
        cpu = project(Metric.model_validate({**CPU, "Period": 60}), Reading(80, START - 80, 20), capacity)
        assert (cpu.serving, cpu.total, cpu.per_task) == (10, 800, 40)

    def test_nor_does_it_of_tasks_that_were_just_starting_in_it(self) -> None:
        asked = Activity(START - 100, 10, 20, "policy")
        capacity = Capacity(20, 20, raised=10, activities=(asked,))
        cpu = project(Metric.model_validate({**CPU, "Period": 60}), Reading(80, START - 80, 20), capacity)
        assert cpu.total == 800

    def test_one_from_before_a_cut_speaks_of_more_tasks(self) -> None:
        cut = Activity(START - 50, 20, 10, "policy")
        cpu = project(
            Metric.model_validate({**CPU, "Period": 60}),
            Reading(40, START - 80, 20),
            Capacity(10, 10, activities=(cut,)),
        )
        assert (cpu.serving, cpu.total) == (20, 800)

    def test_one_from_after_a_change_speaks_of_the_tasks_of_now(self) -> None:
        long_ago = Activity(START - 200, 10, 20, "policy")
        capacity = Capacity(20, 20, activities=(long_ago,))
        cpu = project(Metric.model_validate({**CPU, "Period": 60}), Reading(80, START - 80, 20), capacity)
        assert cpu.total == 1600

    def test_a_load_of_the_whole_service_is_divided_among_the_tasks(self) -> None:
        backlog = project(Metric.model_validate(BACKLOG), Reading(800, START - 10, 1.5), Capacity(10, 10))
        assert (backlog.shown, backlog.metric, backlog.per_task, backlog.total) == (80, 80, 80, 800)

    def test_and_those_that_are_in_flight_take_their_share(self) -> None:
        backlog = project(Metric.model_validate(BACKLOG), Reading(800, START - 10, 1.5), Capacity(20, 10, raised=10))
        assert (backlog.metric, backlog.per_serving) == (40, 80)

    def test_a_sum_is_met_as_it_is(self) -> None:
        # RequestCountPerTarget has no other statistic, and is an average for all that.
        metric = Metric.model_validate({**CPU, "Statistic": "Sum"})
        assert project(metric, Reading(800, START - 10, 1.5), Capacity(10, 10)).metric == 800

    def test_nothing_running_divides_by_one(self) -> None:
        assert project(Metric.model_validate(CPU), Reading(80, START, 1.5), Capacity(0, 0)).per_task == 80


BOTH = service(tracking(), stepping(metric="Latency"), LoadBalancer=BALANCER)
REQUESTS_ONLY = service(tracking(), LoadBalancer=BALANCER)


def observed(scaled: Service, requests: MetricReading, counters: LoadBalancerReading | NoData | None) -> Observation:
    return Observation(ServiceState(10, 10), {"Requests": requests}, counters)


class TestLoadBalancerStandsIn:
    COUNTED = LoadBalancerReading(3000, 3000, START - 60)

    def loads(self, requests: MetricReading, counters: LoadBalancerReading | NoData | None) -> list[Load]:
        return project_all(REQUESTS_ONLY, observed(REQUESTS_ONLY, requests, counters), Capacity(10, 10))["Requests"]

    def test_for_requests_that_were_silent_too_long(self) -> None:
        (load,) = self.loads(MetricReading(NoData("stale", 31)), self.COUNTED)
        assert (load.total, load.shown, load.metric, load.complete) == (3000, 300, 300, False)

    @pytest.mark.parametrize("requests", [MetricReading(NoData("incomplete", 3)), MetricReading(NoData("stale", 30))])
    def test_not_before(self, requests: MetricReading) -> None:
        assert self.loads(requests, self.COUNTED) == []

    def test_not_while_reports_arrive(self) -> None:
        arriving = MetricReading(NoData("incomplete", 31), Reading(50, START - 5, 1.5, complete=False, total=50))
        (load,) = self.loads(arriving, self.COUNTED)
        assert load.total == 50

    @pytest.mark.parametrize("counters", [None, NoData("AccessDenied"), LoadBalancerReading()])
    def test_not_without_a_count(self, counters: LoadBalancerReading | NoData | None) -> None:
        assert self.loads(MetricReading(NoData("stale", 31)), counters) == []

    def test_for_requests_only(self) -> None:
        nothing = Observation(ServiceState(10, 10), {"Latency": MetricReading(NoData("stale", 99))}, self.COUNTED)
        assert project_all(BOTH, nothing, Capacity(10, 10)) == {"Requests": [], "Latency": []}


def missing(scaled: Service, observation: Observation) -> str:
    found = missing_data(scaled, observation, project_all(scaled, observation, Capacity(10, 10)))
    return next((f"{key}: {absent.reason}" for key, absent in found.items()), "")


class TestMissingData:
    def test_nothing_is_missing(self) -> None:
        assert missing(BOTH, observe(BOTH, 10, LOOK, load=100, latency=30)) == ""

    def test_silent_latency_is_believed_while_the_publishers_are_alive(self) -> None:
        assert missing(BOTH, observe(BOTH, 10, LOOK, load=0)) == ""

    def test_silent_requests_are_not(self) -> None:
        assert missing(BOTH, observe(BOTH, 10, LOOK, latency=30)) == "Requests: no datapoints"

    def test_latency_alone_has_nobody_to_vouch_for_it(self) -> None:
        alone = service(stepping(metric="Latency"))
        assert missing(alone, observe(alone, 10, LOOK)) == "Latency: no datapoints"

    def test_a_bucket_that_is_arriving_is_not_enough(self) -> None:
        arriving = [Datapoint(START - 5, 100, 2), Datapoint(START - 35, 100, 10)]
        assert missing(REQUESTS_ONLY, observe(REQUESTS_ONLY, 10, LOOK + 1, points=arriving)) == "Requests: incomplete"

    def test_nor_is_the_load_balancer(self) -> None:
        counted = LoadBalancerReading(30, 30, START - 60)
        assert missing(REQUESTS_ONLY, observe(REQUESTS_ONLY, 10, LOOK, balancer=counted)) == "Requests: no datapoints"

    def test_a_metric_that_was_never_read_is_missing(self) -> None:
        assert missing(REQUESTS_ONLY, Observation(ServiceState(10, 10), {})) == "Requests: not read"

    @pytest.mark.parametrize(
        ("absent", "namespace", "told"),
        [
            (NoData("no datapoints"), "Shop", ""),
            (NoData("AccessDenied", failed=True), "Shop", "Latency: AccessDenied"),
            (NoData("no datapoints"), "AWS/ApplicationELB", "Latency: no datapoints"),
        ],
    )
    def test_silence_is_believed_of_ones_own_metrics_that_could_be_read(
        self, absent: NoData, namespace: str, told: str
    ) -> None:
        metrics = {"Requests": REQUESTS, "Latency": {**LATENCY, "Namespace": namespace}}
        scaled = service(tracking(), stepping(metric="Latency"), Metrics=metrics)
        alive = observe(scaled, 10, LOOK, load=100)
        assert missing(scaled, replace(alive, metrics={**alive.metrics, "Latency": MetricReading(absent)})) == told

    def test_a_metric_that_no_policy_evaluates_may_be(self) -> None:
        metrics = {"Requests": REQUESTS, "Latency": LATENCY, "Cpu": CPU}
        idle = service(tracking(), Metrics=metrics)
        assert missing(idle, observe(idle, 10, LOOK, load=100)) == ""


class TestBlind:
    def blind(self, scaled: Service, observation: Observation) -> bool:
        return is_blind(scaled, observation, project_all(scaled, observation, Capacity(10, 10)))

    def test_after_the_data_has_been_away_too_long(self) -> None:
        for age, is_it in ((29, False), (31, True)):
            observation = Observation(ServiceState(10, 10), {"Requests": MetricReading(NoData("throttled", age))})
            assert self.blind(REQUESTS_ONLY, observation) is is_it

    def test_not_while_one_metric_speaks(self) -> None:
        assert not self.blind(BOTH, observe(BOTH, 10, LOOK, latency=30))

    def test_not_while_the_load_balancer_speaks(self) -> None:
        counted = LoadBalancerReading(30, 30, START - 60)
        assert not self.blind(REQUESTS_ONLY, observe(REQUESTS_ONLY, 10, LOOK, balancer=counted))
