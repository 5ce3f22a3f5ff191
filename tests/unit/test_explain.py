"""What `explain` decides in a described situation: the same as the loop would, and what a newcomer has to see."""

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.document.parse import parse_document
from fastscaler.explain import Explanation, explain
from fastscaler.scaling.policy import Direction, Service
from fastscaler.situation import MISSING, Change, Situation
from tests.unit.loop.fakes import Simulation
from tests.unit.scaling.build import BALANCER, CPU, METRICS, START, service, stepping, tracking

SHIPPED = parse_document((Path(__file__).parents[2] / "policies.yaml").read_text(), "policies.yaml").services[0]


def ask(scaled: Service, now: float = START + 17, **situation: Any) -> Explanation:
    return explain(scaled, Situation(**situation), now)


def desired(scaled: Service, **situation: Any) -> int:
    return ask(scaled, **situation).decision.desired


def cause(scaled: Service, **situation: Any) -> str:
    return ask(scaled, **situation).decision.cause


class TestASurge:
    def test_the_shipped_policies_size_for_the_load_that_is_shown(self) -> None:
        found = ask(SHIPPED, metrics={"RequestsPerSecond": 180.0}, desired=4, running=4)
        assert (found.decision.current, found.decision.desired) == (4, 8)
        assert found.decision.reason.endswith("180 per task against 100: 4 to 8 tasks")

    def test_with_a_task_capacity_twice_a_load_that_saturates(self) -> None:
        found = ask(service(tracking(TaskCapacity=140)), metrics={"Requests": 180.0}, desired=4, running=4)
        assert (found.decision.current, found.decision.desired) == (4, 15)
        assert found.decision.reason.endswith("sized for 2 x 720: 4 to 15 tasks")

    def test_tasks_that_start_are_not_asked_for_again(self) -> None:
        scaled = service(stepping())
        assert desired(scaled, metrics={"Requests": 180.0}, desired=4) == 6
        assert desired(scaled, metrics={"Requests": 180.0}, desired=8, running=4) == 8

    def test_tasks_that_do_not_start_are_no_capacity(self) -> None:
        scaled = service(stepping())
        assert desired(scaled, metrics={"Requests": 180.0}, desired=8, running=4, pending=0) == 10

    def test_nor_are_those_asked_for_longer_ago_than_the_start_timeout(self) -> None:
        scaled = service(stepping())
        in_time, late = Change(110, 4), Change(130, 4)
        assert desired(scaled, metrics={"Requests": 180.0}, desired=8, running=4, last_scale_out=in_time) == 8
        assert desired(scaled, metrics={"Requests": 180.0}, desired=8, running=4, last_scale_out=late) == 10

    def test_within_a_cooldown_only_a_larger_step_adds_the_difference(self) -> None:
        scaled = service(stepping(Cooldown=60))
        raised = {"desired": 6, "last_scale_out": Change(20, 2)}
        assert desired(scaled, metrics={"Requests": 160.0}, **raised) == 6
        assert desired(scaled, metrics={"Requests": 250.0}, **raised) == 8
        assert desired(scaled, metrics={"Requests": 160.0}, desired=6, last_scale_out=Change(70, 2)) == 8

    def test_a_step_is_in_effect_until_tasks_were_taken_away_again(self) -> None:
        hot = {"metrics": {"Requests": 160.0}, "desired": 6}
        scaled = service(stepping(Cooldown=60))
        assert desired(scaled, **hot, last_scale_out=Change(50, 2), last_scale_in=Change(20, 2)) == 8
        assert desired(scaled, **hot, last_scale_out=Change(20, 2), last_scale_in=Change(50, 2)) == 6

    def test_a_scale_out_window_is_full_of_the_surge(self) -> None:
        patient = service(Behavior={"ScaleOut": {"StabilizationWindowSeconds": 60}})
        assert desired(patient, metrics={"Requests": 200.0}, desired=4) == 8


class TestALowLoad:
    def test_a_calm_service_shrinks(self) -> None:
        assert desired(service(), metrics={"Requests": 20.0}, desired=10) == 5

    @pytest.mark.parametrize("window", [0, 7, 60, 299, 300, 3600])
    @pytest.mark.parametrize("second", [0.0, 1.0, 4.9, 29.0])
    def test_whatever_its_window_and_the_time(self, window: int, second: float) -> None:
        scaled = service(Behavior={"ScaleIn": {"StabilizationWindowSeconds": window}})
        assert ask(scaled, START + second, metrics={"Requests": 20.0}, desired=10).decision.desired == 5

    def test_it_waits_for_the_window_after_a_scale_out(self) -> None:
        low = {"metrics": {"Requests": 20.0}, "desired": 10}
        assert cause(service(), **low, last_scale_out=Change(60, 4)) == "stabilization window"
        assert desired(service(), **low, last_scale_out=Change(60, 4)) == 10
        assert desired(service(), **low, last_scale_out=Change(400, 4)) == 5

    def test_and_while_tasks_start_that_somebody_asked_for(self) -> None:
        assert desired(service(), metrics={"Requests": 20.0}, desired=10, running=6) == 10

    def test_it_waits_for_the_cooldown_after_a_scale_in(self) -> None:
        low = {"metrics": {"Requests": 20.0}, "desired": 10}
        assert cause(service(), **low, last_scale_in=Change(10, 2)) == "cooldown"
        # 12 tasks a minute ago allow 6 now; 30 s ago they would still be 5 below 10.
        assert desired(service(), **low, last_scale_in=Change(40, 2)) == 6

    def test_nothing_is_taken_away_in_a_deployment_or_a_pause(self) -> None:
        low = {"metrics": {"Requests": 20.0}, "desired": 10}
        assert cause(service(), **low, deployment_in_progress=True) == "deployment"
        assert cause(service(), **low, paused=frozenset(["ScaleIn"])) == "paused"

    def test_the_load_balancer_can_know_better(self) -> None:
        scaled = service(LoadBalancer={**BALANCER, "RequestMetric": "Requests"})
        assert desired(scaled, metrics={"Requests": 20.0}, desired=10) == 5
        assert desired(scaled, metrics={"Requests": 20.0}, desired=10, load_balancer=950.0) == 10


class TestAMetricThatIsNotGiven:
    BOTH = service(tracking(), tracking(60, metric="Cpu"))

    def test_neither_asks_for_tasks_nor_objects(self) -> None:
        assert desired(self.BOTH, metrics={"Requests": 200.0}, desired=4) == 8
        assert desired(self.BOTH, metrics={"Requests": 20.0}, desired=10) == 5
        assert desired(self.BOTH, metrics={"Requests": 20.0, "Cpu": 60.0}, desired=10) == 10

    def test_scales_in_for_nobody(self) -> None:
        scaled = service(stepping(), tracking(60, metric="Cpu"))
        assert desired(scaled, metrics={"Requests": 50.0}, desired=10) == 10

    def test_is_named_with_the_policies_that_have_no_say(self) -> None:
        (line,) = ask(self.BOTH, metrics={"Requests": 200.0}, desired=4).assumed
        assert line == "Cpu is not given, so these policies have no say: Cpu-tracking"

    def test_proves_that_the_publishers_are_alive(self) -> None:
        scaled = service(stepping(), tracking(0.5, metric="Latency"))
        silent_and_calm = {"Latency": MISSING, "Requests": 20.0}
        assert cause(scaled, metrics={"Latency": MISSING}, desired=4) == cause(
            scaled, metrics=silent_and_calm, desired=4
        )

    def test_with_none_given_nothing_moves(self) -> None:
        assert desired(SHIPPED, desired=9) == 9
        assert ask(SHIPPED).decision.current == SHIPPED.min_capacity


class TestMissingData:
    def test_holds(self) -> None:
        assert cause(service(), metrics={"Requests": MISSING}, desired=10) == "no data"

    def test_raises_to_the_fallback(self) -> None:
        scaled = service(FallbackCapacity=12)
        assert desired(scaled, metrics={"Requests": MISSING}, desired=10) == 12
        assert desired(scaled, metrics={"Requests": MISSING}, desired=14) == 14

    def test_lets_the_load_balancer_stand_in(self) -> None:
        scaled = service(LoadBalancer={**BALANCER, "RequestMetric": "Requests"})
        assert desired(scaled, metrics={"Requests": MISSING}, desired=10) == 10
        assert desired(scaled, metrics={"Requests": MISSING}, desired=10, load_balancer=1500.0) == 15
        assert desired(scaled, metrics={"Requests": MISSING}, desired=10, load_balancer=100.0) == 10

    def test_of_one_metric_forbids_what_the_other_would_take_away(self) -> None:
        metrics = {"Requests": METRICS["Requests"], "Cpu": {**CPU, "Namespace": "AWS/ECS", "Period": 20}}
        both = service(tracking(), tracking(60, metric="Cpu"), Metrics=metrics)
        assert cause(both, metrics={"Requests": 20.0, "Cpu": MISSING}, desired=10) == "no data"
        assert desired(both, metrics={"Requests": 20.0, "Cpu": 10.0}, desired=10) == 5
        assert desired(both, metrics={"Requests": 200.0, "Cpu": MISSING}, desired=4) == 8


class TestKindsOfMetrics:
    @pytest.mark.parametrize("key", ["Backlog", "Work"])
    def test_a_queue_is_divided_by_the_tasks(self, key: str) -> None:
        scaled = service(tracking(metric=key))
        assert desired(scaled, metrics={key: 1200.0}, desired=4) == 12
        assert desired(scaled, metrics={key: 30.0}, desired=4) == 2

    def test_utilisation_is_met_as_it_is(self) -> None:
        assert desired(service(tracking(60, metric="Cpu")), metrics={"Cpu": 90.0}, desired=4) == 6

    @pytest.mark.parametrize("period", [1, 5, 10, 20, 30, 60, 300])
    def test_the_value_counts_whatever_the_period(self, period: int) -> None:
        metrics = {"Cpu": {**CPU, "Namespace": "Own", "Period": period}}
        scaled = service(tracking(60, metric="Cpu"), Metrics=metrics)
        assert desired(scaled, metrics={"Cpu": 90.0}, desired=4) == 6
        assert desired(scaled, metrics={"Cpu": 15.0}, desired=10) == 5


class TestFloorsAndBounds:
    def test_a_floor_lifts_and_is_named(self) -> None:
        found = ask(service(), metrics={"Requests": 20.0}, desired=4, floor=10).decision
        assert (found.desired, found.cause) == (10, "pre-warm floor")

    def test_a_count_below_min_capacity_is_lifted(self) -> None:
        assert desired(service(lowest=3), desired=0) == 3

    def test_a_paused_scale_out_stays(self) -> None:
        assert desired(service(), metrics={"Requests": 500.0}, desired=4, paused=frozenset(["ScaleOut"])) == 4


class TestTheLoop:
    """The real loop, in simulated time, in the same situation."""

    @pytest.mark.parametrize(("tasks", "per_task"), [(10, 20.0), (10, 84.0), (10, 100.0), (10, 111.0), (4, 480.0)])
    def test_decides_the_same(self, tasks: int, per_task: float) -> None:
        sim = Simulation()
        scaled = sim.add(service(tracking(), stepping()), tasks=tasks, load=tasks * per_task)
        report = sim.run([scaled], until=420, observed=frozenset([scaled.key]))
        decided = report.looks[-1].decisions[scaled.key]
        explained = ask(scaled, metrics={"Requests": per_task}, desired=tasks).decision
        assert (explained.desired, explained.cause, explained.reason) == (
            decided.desired,
            decided.cause,
            decided.reason,
        )
        assert explained.trail == decided.trail


VALUES = st.one_of(st.just(MISSING), st.floats(0, 1e15))
COUNTS = st.one_of(st.none(), st.integers(0, 5000))
CHANGES = st.one_of(st.none(), st.builds(Change, st.floats(0, 1e4), st.integers(1, 50)))


@given(
    st.builds(
        Situation,
        metrics=st.fixed_dictionaries({}, optional=dict.fromkeys(METRICS, VALUES)),
        desired=COUNTS,
        running=COUNTS,
        pending=COUNTS,
        deployment_in_progress=st.booleans(),
        load_balancer=st.one_of(st.none(), st.floats(0, 1e15)),
        floor=st.one_of(st.none(), st.integers(1, 100)),
        paused=st.frozensets(st.sampled_from(get_args(Direction))),
        last_scale_out=CHANGES,
        last_scale_in=CHANGES,
    ),
    st.floats(0, 4e9),
)
def test_every_situation_has_an_answer_within_the_bounds(situation: Situation, now: float) -> None:
    scaled = service(
        *(tracking(metric=key) for key in METRICS),
        stepping(name="steps", Cooldown=60),
        LoadBalancer={**BALANCER, "RequestMetric": "Requests"},
        Behavior={"ScaleIn": {"StabilizationWindowSeconds": 30}},
    )
    found = explain(scaled, situation, now).decision
    lowest, highest = min(found.current, scaled.min_capacity), max(found.current, scaled.max_capacity)
    assert lowest <= found.desired <= highest
    if situation.metrics.get("Requests") is MISSING:
        assert found.desired >= found.current
