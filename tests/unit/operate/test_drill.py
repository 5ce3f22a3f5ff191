"""A drill from its plan to its verdict, and that the metric comes to rest whatever happens."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastscaler.cli.drill_chart import draw, title
from fastscaler.cli.drill_report import as_data, passed, report_lines, verdict
from fastscaler.drill.aws_clock import clock_ahead
from fastscaler.drill.outcome import Outcome
from fastscaler.drill.plan import DrillRefused, Plan, rest_seconds
from fastscaler.drill.run import Drill, refuse_if_published
from fastscaler.errors import AccessDenied, AnswerLost, FunctionFailed, Throttled, Unavailable
from fastscaler.scaling.observation import Pause, ServiceState
from fastscaler.scaling.policy import Document
from tests.unit.operate.build import NOW, WEB, Account
from tests.unit.operate.fake_drill import ASKED, FakeAccount, FakeClock, document_of, plan

Change = Callable[..., Any]


def shop(**keys: object) -> Document:
    return document_of(Account(WEB, **keys).table.document)


def drill(account: FakeAccount) -> Outcome:
    return Drill(account.plan, account.world(), lambda before, after: 60 * (after - before)).run()


def sums_up(outcome: Outcome) -> bool:
    """Whether the stages add up to the total, as they are written down."""
    data = as_data(outcome)
    return abs(sum(stage["seconds"] for stage in data["stages"]) - data["total_seconds"]) < 0.01


class TestThePlan:
    def test_by_default_it_is_60_percent_of_the_threshold_and_five_times_that(self) -> None:
        found = plan(shop())
        assert (found.base, found.peak) == (pytest.approx(0.6 * 110 * 4), pytest.approx(5 * 0.6 * 110 * 4))

    def test_a_safe_drill_publishes_under_another_name_and_rehearses_there(self) -> None:
        found = plan(shop())
        assert found.metric.metric_name == "DrillRequestsPerSecond"
        assert found.load_event()["MetricPrefix"] == found.rehearsal_event()["MetricPrefix"] == "Drill"
        assert found.load_event()["Tasks"] == 4

    def test_a_live_one_publishes_what_the_service_is_scaled_by(self) -> None:
        found = plan(shop(), live=True)
        assert found.metric.metric_name == "RequestsPerSecond"
        assert (found.load_event()["MetricPrefix"], found.load_event()["Tasks"]) == ("", "running")

    @pytest.mark.parametrize("profile", ["spike", "step"])
    @pytest.mark.parametrize("live", [True, False])
    def test_the_functions_take_its_events(self, profile: str, live: bool, synthetic: Any) -> None:
        from fastscaler.directives import parse_directive

        found = plan(shop(), live=live, profile=profile)
        assert synthetic.parse_event(found.load_event()).rest_seconds == 10
        assert synthetic.parse_event(found.rest_event(300)).rest_load == found.base
        assert parse_directive(found.rehearsal_event()).directive == "rehearse"

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"state": ServiceState(0, 0)}, "no task of shop/web runs"),
            ({"state": ServiceState(100, 100)}, "has MaxCapacity"),
            ({"directives": [Pause(WEB, "ScaleOut", NOW + 60)]}, "scale-out of shop/web is paused"),
            ({"profile": "sine"}, "--profile sine: must be spike or step"),
            ({"peak": "0.5x"}, "--peak 0.5x: must be a multiple of the base"),
            ({"peak": "lots"}, "--peak lots"),
            ({"peak": "nanx"}, "--peak nanx"),
            ({"peak": "1.1x"}, "scales out above 110: give a higher one"),
            ({"base": 1000.0}, "--base 1000: must be above 0 and below 440"),
            ({"namespace": "Other"}, "no policy of shop/web uses what a drill publishes: RequestsPerSecond of Other"),
        ],
    )
    def test_what_makes_no_sense_is_refused_in_one_line(self, changes: dict[str, Any], why: str) -> None:
        with pytest.raises(DrillRefused, match=why) as refused:
            plan(shop(), **changes)
        assert "\n" not in str(refused.value)

    def test_in_observe_mode_only_a_safe_one_makes_sense(self) -> None:
        assert plan(shop(Mode="observe")).live is False
        with pytest.raises(DrillRefused, match="Mode observe"):
            plan(shop(Mode="observe"), live=True)

    def test_tasks_that_publish_themselves_are_not_added_to(self) -> None:
        account = FakeAccount(plan(shop(), live=True))
        refuse_if_published(account, account.plan, NOW)
        account.clock.time = NOW + 30
        with pytest.raises(DrillRefused, match="its own tasks publish it"):
            refuse_if_published(account, account.plan, NOW)

    def test_calm_load_lasts_as_long_as_the_scale_in_rules_take(self) -> None:
        (service,) = shop().services
        # 300 s of window; 16 to 8 to 4 takes two steps of 60 s each, and one is for good measure.
        assert 300 + 2 * 60 <= rest_seconds(service, 4, 16) <= 300 + 4 * 60
        assert rest_seconds(service, 4, 4) == 0


class TestASafeDrill:
    def test_its_ledger_ends_at_the_decision_and_says_so(self) -> None:
        outcome = drill(FakeAccount(plan(shop())))
        stages = {stage.name: stage.seconds for stage in outcome.ledger.stages} if outcome.ledger else {}
        assert list(stages) == ["published", "visible", "read", "decided"]
        assert stages["published"] == pytest.approx(5.2)
        assert sum(stages.values()) == pytest.approx(7.0)
        assert sums_up(outcome)
        assert "ends at the decision" in "\n".join(report_lines(outcome))
        assert passed(outcome)
        assert verdict(outcome) == "within 10 s: the scaler had decided 7.0 s after the load rose"

    def test_it_starts_nothing_that_moves_the_service(self) -> None:
        account = FakeAccount(plan(shop()))
        drill(account)
        assert account.started == []
        assert all(event["MetricPrefix"] == "Drill" for event in account.invoked)

    def test_an_answer_that_took_too_long_fails_with_the_stage_that_took_longest(self) -> None:
        outcome = drill(FakeAccount(plan(shop()), answer=14.0))
        assert not passed(outcome)
        assert "NOT within 10 s" in verdict(outcome)
        assert "the loop reads it" in verdict(outcome)

    def test_without_an_answer_it_says_what_the_scaler_said(self) -> None:
        outcome = drill(FakeAccount(plan(shop()), answer=None))
        assert not passed(outcome)
        assert "not answered: no data (no datapoints)" in verdict(outcome)

    def test_an_answer_before_the_surge_is_no_pass(self) -> None:
        outcome = drill(FakeAccount(plan(shop()), answer=-4.0))
        assert not passed(outcome)
        assert "the base is too high" in verdict(outcome)

    def test_it_asks_for_the_metric_only_until_the_surge_is_visible_and_once_it_is_over(self) -> None:
        account = FakeAccount(plan(shop()))
        outcome = drill(account)
        # The surge's bucket can be seen 27 s after the beginning; at the end the last bucket is awaited.
        assert account.reads == outcome.polls <= 33
        assert outcome.usd == pytest.approx(outcome.polls / 100_000)


class TestALiveDrill:
    def test_its_ledger_goes_to_healthy_and_adds_up(self) -> None:
        outcome = drill(FakeAccount(plan(shop(), live=True)))
        ledger = outcome.ledger
        assert ledger is not None
        assert [stage.name for stage in ledger.stages][-3:] == ["updated", "running", "healthy"]
        assert ledger.total == pytest.approx(47.3)
        assert sums_up(outcome)
        assert ledger.reaction == pytest.approx(7.3)
        assert outcome.scale_out is not None
        assert (outcome.scale_out.previous, outcome.scale_out.desired, outcome.scale_out.reason) == (4, 14, ASKED)

    def test_without_a_load_balancer_it_ends_when_the_tasks_run(self) -> None:
        outcome = drill(FakeAccount(plan(shop(), live=True, state=ServiceState(4, 4))))
        assert outcome.ledger is not None
        assert outcome.ledger.complete
        assert outcome.ledger.stages[-1].name == "running"

    def test_tasks_that_never_get_healthy_end_it_all_the_same(self) -> None:
        outcome = drill(FakeAccount(plan(shop(), live=True), healthy_after=None))
        assert outcome.ledger is not None
        assert not outcome.ledger.complete
        assert outcome.ledger.stages[-1].name == "updated"
        assert passed(outcome)

    def test_no_answer_ends_it_too(self) -> None:
        account = FakeAccount(plan(shop(), live=True), answer=None)
        outcome = drill(account)
        assert not passed(outcome)
        assert account.clock.now() < NOW + 200

    def test_a_calm_load_follows_so_that_the_service_comes_back(self) -> None:
        account = FakeAccount(plan(shop(), live=True))
        outcome = drill(account)
        (event,) = account.started
        assert (event["Profile"], event["BaseRequestsPerSecond"]) == ("constant", account.plan.base)
        assert event["DurationSeconds"] == 60 * 10
        assert outcome.rests_until is not None


class TestRest:
    @pytest.mark.parametrize("live", [True, False])
    def test_it_looks_whether_the_metric_is_at_rest(self, live: bool) -> None:
        assert drill(FakeAccount(plan(shop(), live=live))).at_rest is True
        left_up = drill(FakeAccount(plan(shop(), live=live), stuck=True))
        assert left_up.at_rest is False
        assert not passed(left_up)
        assert "NOT at rest" in "\n".join(report_lines(left_up))

    @pytest.mark.parametrize("live", [True, False])
    @pytest.mark.parametrize("second", [3, 18, 30])
    def test_ctrl_c_waits_until_it_is(self, live: bool, second: int) -> None:
        account = FakeAccount(plan(shop(), live=live))
        pressed = []

        def press(now: float) -> None:
            if now >= NOW + second and not pressed:
                pressed.append(now)
                raise KeyboardInterrupt

        account.clock.on_sleep = press
        with pytest.raises(KeyboardInterrupt):
            drill(account)
        assert account.load(account.clock.now()) == account.plan.base
        assert account.clock.now() >= account.origin + account.plan.seconds
        assert "The metric is at rest." in account.said
        # A live one has scaled out, and the service comes back only while it sees a calm load.
        assert bool(account.started) is live

    def test_a_second_ctrl_c_leaves_at_once(self) -> None:
        account = FakeAccount(plan(shop()))

        def press(now: float) -> None:
            if now >= NOW + 10:
                raise KeyboardInterrupt

        account.clock.on_sleep = press
        with pytest.raises(KeyboardInterrupt):
            drill(account)
        assert account.clock.now() < NOW + 15

    def test_an_error_waits_as_well(self) -> None:
        account = FakeAccount(plan(shop()), metric_error=AccessDenied("GetMetricData", "AccessDenied"))
        with pytest.raises(AccessDenied):
            drill(account)
        assert account.clock.now() >= account.origin + account.plan.seconds

    def test_a_load_that_fails_ends_it_at_once(self) -> None:
        error = FunctionFailed("SinkError", "AccessDenied")
        account = FakeAccount(plan(shop()), load_error=error)
        with pytest.raises(FunctionFailed):
            drill(account)
        assert account.clock.now() < NOW + 10

    def test_a_busy_cloudwatch_ends_nothing(self) -> None:
        account = FakeAccount(plan(shop()), metric_error=Throttled("GetMetricData", "Throttling"))
        outcome = drill(account)
        assert passed(outcome)
        assert outcome.at_rest is None


class TestALostConnection:
    """Networks cut connections; the function that was invoked goes on."""

    LOST = AnswerLost("Invoke", "ConnectionClosedError", "Connection was closed")

    @pytest.mark.parametrize("live", [True, False])
    def test_the_load_is_followed_to_its_end_and_the_verdict_says_so(self, live: bool) -> None:
        account = FakeAccount(plan(shop(), live=live), load_error=self.LOST)
        outcome = drill(account)
        assert account.clock.now() >= account.origin + account.plan.seconds
        assert outcome.at_rest is True
        assert passed(outcome)
        assert verdict(outcome).startswith("within 10 s: ")
        assert verdict(outcome).endswith(
            "connection to the load was lost, its metric was followed to the end and is at rest"
        )
        assert sums_up(outcome)
        assert "the load goes on, and is followed to its end" in "\n".join(account.said)
        assert bool(account.started) is live

    def test_a_load_that_was_left_up_is_no_pass(self) -> None:
        outcome = drill(FakeAccount(plan(shop()), load_error=self.LOST, stuck=True))
        assert not passed(outcome)
        assert verdict(outcome).endswith("is NOT at rest")

    def test_a_load_whose_rest_nobody_saw_is_no_pass(self) -> None:
        account = FakeAccount(plan(shop()), load_error=self.LOST)

        def cloudwatch_is_busy(now: float) -> None:
            if now > account.origin + account.plan.seconds - 10:
                account.metric_error = Throttled("GetMetricData", "Throttling")

        account.clock.on_sleep = cloudwatch_is_busy
        outcome = drill(account)
        assert not passed(outcome)
        assert verdict(outcome).endswith("is not known to be at rest")

    def test_one_that_never_began_is_an_error_when_it_cannot_begin_any_more(self) -> None:
        account = FakeAccount(plan(shop()), load_error=self.LOST, seen=False)
        with pytest.raises(AnswerLost):
            drill(account)
        assert account.clock.now() >= NOW + account.plan.seconds

    @pytest.mark.parametrize("live", [True, False])
    def test_ctrl_c_waits_for_its_end_all_the_same(self, live: bool) -> None:
        account = FakeAccount(plan(shop(), live=live), load_error=self.LOST)
        pressed = []

        def press(now: float) -> None:
            if now >= NOW + 20 and not pressed:
                pressed.append(now)
                raise KeyboardInterrupt

        account.clock.on_sleep = press
        with pytest.raises(KeyboardInterrupt):
            drill(account)
        assert account.clock.now() >= account.origin + account.plan.seconds
        assert "The metric is at rest, as CloudWatch shows it." in account.said

    def test_a_rehearsal_is_read_from_the_log_then(self) -> None:
        outcome = drill(FakeAccount(plan(shop()), rehearsal_error=self.LOST))
        assert verdict(outcome) == "within 10 s: the scaler had decided 7.0 s after the load rose"

    def test_without_that_the_load_is_awaited_and_it_fails(self) -> None:
        account = FakeAccount(plan(shop()), rehearsal_error=self.LOST, answer=None)
        with pytest.raises(AnswerLost):
            drill(account)
        assert NOW + account.plan.seconds < account.clock.now() < NOW + 300

    def test_a_service_that_cannot_be_brought_back_is_named(self) -> None:
        """The network has gone for good."""
        gone = Unavailable("Invoke", "EndpointConnectionError")
        account = FakeAccount(plan(shop(), live=True), load_error=self.LOST, start_error=gone)
        with pytest.raises(Unavailable):
            drill(account)
        assert "look at the desired count of shop/web" in account.said[-1]


class TestClocks:
    @pytest.mark.parametrize("ahead", [-42.0, 0.0, 3.4, 7200.0])
    def test_a_wrong_clock_of_this_machine_does_not_show_in_the_ledger(self, ahead: float) -> None:
        outcome = drill(FakeAccount(plan(shop(), live=True), ahead=ahead))
        assert outcome.clock_ahead == pytest.approx(ahead, abs=0.3)
        assert outcome.ledger is not None
        assert outcome.ledger.reaction == pytest.approx(7.3)
        assert all(stage.seconds >= 0 for stage in outcome.ledger.stages)
        told = "this machine's clock differs" in "\n".join(report_lines(outcome))
        assert told == (abs(ahead) > 1)

    def test_without_a_date_the_clocks_are_taken_to_agree(self) -> None:
        class NoDate:
            def poll(self) -> Any:
                return type("Head", (), {"date": None})

        assert clock_ahead(NoDate(), FakeClock()) == 0.0


def test_what_the_loop_has_read_was_visible_even_if_the_drill_saw_it_later() -> None:
    outcome = drill(FakeAccount(plan(shop()), answer=6.0))
    assert outcome.ledger is not None
    stages = {stage.name: stage.seconds for stage in outcome.ledger.stages}
    assert stages["read"] == 0
    assert sums_up(outcome)


def test_the_json_and_the_chart_can_be_written(tmp_path: Path) -> None:
    found: Plan = plan(shop(), live=True)
    outcome = drill(FakeAccount(found))
    data = json.loads(json.dumps(as_data(outcome)))
    assert data["reaction_seconds"] == 7.3
    assert [bucket["requests_per_second"] for bucket in data["buckets"]][3] == pytest.approx(found.peak)
    draw(outcome, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_the_charts_title_is_not_cut_by_a_long_name() -> None:
    name = f"production/{'a-service-with-a-long-name' * 8}"
    account = FakeAccount(plan(shop()))
    account.plan = replace(account.plan, service=name)
    outcome = drill(account)
    assert outcome.ledger is not None
    lines = title(outcome, outcome.ledger).splitlines()
    assert max(map(len, lines)) < 80
    assert "".join(lines[:-1]) == name
    assert lines[-1] == "safe drill: decided after 7.0 s"
