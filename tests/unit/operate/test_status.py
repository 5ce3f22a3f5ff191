"""What `fastscaler status` says of a stack, from what lies in the table, in ECS and in the log."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from fastscaler.aws.function_log import Record
from fastscaler.cli.status import as_data, print_status
from fastscaler.cli.status_lines import page, warnings
from fastscaler.errors import AccessDenied, NotFound, NotReady, Throttled
from fastscaler.scaling.memory import Change, Launch
from fastscaler.scaling.observation import Floor, Pause
from fastscaler.status import ServiceStatus, Status
from fastscaler.status_reader import StatusReader
from tests.unit.operate.build import (
    API,
    BUSY,
    JOBS,
    NOW,
    WEB,
    Account,
    FakeClock,
    a_busy_shop,
    block,
    decision,
    metrics,
    summary,
)


def status_of(account: Account) -> Status:
    return StatusReader(account, FakeClock()).read()


def only(account: Account) -> ServiceStatus:
    (service,) = status_of(account).services
    return service


def screen(account: Account, width: int = 80) -> str:
    return "\n".join(line.plain for line in page(status_of(account), width))


def on_one_line(account: Account) -> str:
    return " ".join(screen(account).split())


def piped(account: Account) -> str:
    """What a pipe gets."""
    with pytest.MonkeyPatch.context() as patch:
        output = io.StringIO()
        patch.setattr("sys.stdout", output)
        print_status(status_of(account), Console(file=output, highlight=False))
        return output.getvalue()


class TestWhatItSays:
    def test_counts_are_those_of_ecs(self) -> None:
        seen = status_of(a_busy_shop()).services[0]
        assert (seen.desired, seen.running, seen.in_flight) == (9, 4, 5)

    def test_the_load_is_the_newest_that_was_logged(self) -> None:
        account = Account(WEB)
        account.log.records = [metrics(WEB, NOW - 65, 80.0), metrics(WEB, NOW - 5, 62.1)]
        seen = only(account)
        assert (seen.load, seen.load_metric, seen.threshold) == (62.1, "RequestsPerSecond", pytest.approx(110))

    def test_of_several_metrics_the_one_nearest_to_its_threshold_is_shown(self) -> None:
        latency = {"Namespace": "Shop", "MetricName": "Latency", "Statistic": "p90", "Dimensions": {"Service": "web"}}
        requests = block(WEB)
        slow = {"Name": "latency", "PolicyType": "TargetTracking", "Metric": "Latency", "TargetValue": 0.5}
        account = Account(
            WEB, Metrics={**requests["Metrics"], "Latency": latency}, Policies=[*requests["Policies"], slow]
        )
        record = metrics(WEB, NOW - 4, None)
        fields = {**record.fields, "Load": {"RequestsPerSecond": 62.1, "Latency": 0.6}}
        account.log.records.append(Record(record.at, fields))
        seen = only(account)
        assert (seen.load_metric, seen.load, seen.threshold) == ("Latency", 0.6, pytest.approx(0.55))

    def test_a_surge_shows_with_its_decision_before_the_minute_is_over(self) -> None:
        account = Account(WEB)
        account.log.records.append(decision(WEB, NOW - 2, 4, 9))
        assert only(account).load == 180

    def test_the_last_change_is_told_however_long_ago_it_was(self) -> None:
        account = Account(WEB)
        account.remember(WEB, change=Change(NOW - 3 * 86_400, 4, 9, "requests-per-task", BUSY))
        assert f"4 -> 9 tasks, 3 d ago: {BUSY}" in screen(account)

    def test_a_refused_call_is_not_told_as_a_change(self) -> None:
        account = Account(WEB)
        account.remember(WEB, change=Change(NOW - 60, 4, 9, "requests-per-task", BUSY, refused=True))
        assert "refused: 4 -> 9 tasks" in screen(account)

    def test_what_holds_the_count_now_is_told_too(self) -> None:
        account = Account(WEB)
        why = (
            "requests-per-task: 20 per task; stabilization window: the highest recommendation of the last 300 s counts"
        )
        account.log.records.append(summary(NOW - 4, shop_web={"cause": "stabilization window", "reason": why}))
        assert only(account).cause == "stabilization window"
        assert "now: requests-per-task: 20 per task" in screen(account)

    def test_what_held_it_before_is_over_with_the_next_summary(self) -> None:
        account = Account(WEB)
        held = {"cause": "no data", "reason": "no data"}
        account.log.records += [summary(NOW - 65, shop_web=held), summary(NOW - 5)]
        assert not only(account).needs_attention

    def test_a_log_that_is_behind_does_not_tell_what_was_before_the_last_change(self) -> None:
        account = Account(WEB)
        account.log.records.append(summary(NOW - 20, shop_web={"cause": "rate limit", "reason": "8 to 4 tasks"}))
        account.remember(WEB, change=Change(NOW - 10, 4, 2, "requests-per-task", "4 to 2 tasks"))
        assert "8 to 4 tasks" not in screen(account)

    def test_floors_and_pauses_that_hold_and_no_others(self) -> None:
        account = Account(WEB)
        account.direct(Floor(WEB, "sale", 20, NOW + 600), Floor(WEB, "night", 3, NOW - 1), Pause(WEB, "ScaleIn", NOW))
        seen = only(account)
        assert [floor.owner for floor in seen.floors] == ["sale"]
        assert seen.pauses == ()

    def test_what_stands_in_the_way_is_noted(self) -> None:
        account = Account(WEB)
        account.remember(WEB, conflict="scale-in", launch=Launch(NOW, 4, failed=3, reason="CannotPullContainerError"))
        account.ecs.states[WEB] = replace(account.ecs.states[WEB], deployment_in_progress=True)  # type: ignore[type-var]
        shown = screen(account)
        assert "a deployment is in progress" in shown
        assert "Application Auto Scaling acts on it too (scale-in)" in shown
        assert "3 tasks failed to start: CannotPullContainerError" in shown

    def test_an_error_is_told_as_long_as_it_goes_on(self) -> None:
        error = Record(NOW - 70, {"message": "a call failed", "service": WEB, "error": "UpdateService: Throttling"})
        account = Account(WEB)
        account.log.records = [error, metrics(WEB, NOW - 65, 62.1, errors=3)]
        assert "calls fail: UpdateService: Throttling" in screen(account)
        account.log.records.append(metrics(WEB, NOW - 5, 62.1))
        assert "calls fail" not in screen(account)

    def test_a_service_that_ecs_does_not_know_is_told_and_the_others_are_shown(self) -> None:
        account = Account(WEB, API)
        del account.ecs.states[WEB]
        web, api = status_of(account).services
        assert (web.desired, web.error) == (None, "there is no such service in ECS")
        assert api.desired == 4

    def test_in_observe_mode_what_would_have_been_done_is_told_as_such(self) -> None:
        account = Account(WEB, Mode="observe")
        account.log.records.append(decision(WEB, NOW - 12, 4, 9, applied=False, observe_only=True))
        assert "would set 4 -> 9 tasks, 12 s ago" in screen(account)


class TestCountsThatAreNotKnown:
    DENIED = AccessDenied("DescribeServices", "AccessDeniedException", "User: on-call is not authorized " * 4)

    def test_why_is_said_once_and_the_rest_is_shown(self) -> None:
        account = Account(WEB, API)
        account.ecs.states = {WEB: self.DENIED, API: self.DENIED}
        account.direct(Floor(WEB, "sale", 9, NOW + 60))
        said = on_one_line(account)
        assert said.count("): permit ecs:DescribeServices.") == 1
        assert said.count("counts not known (DescribeServices: AccessDeniedException)") == 2
        assert "floor 9 of sale" in said

    def test_in_a_pipe_it_is_one_line(self) -> None:
        account = Account(WEB)
        account.ecs.states = {WEB: self.DENIED}
        line = piped(account).splitlines()[1]
        assert line.startswith("Counts are missing: ")
        assert line.endswith("permit ecs:DescribeServices.")

    def test_a_service_that_was_deleted_is_no_trouble_of_the_stack(self) -> None:
        account = Account(WEB, API)
        del account.ecs.states[WEB]
        assert status_of(account).counts_error is None


class TestTheLoop:
    def test_its_last_look_is_told(self) -> None:
        assert "last look 4 s ago, invocation 4711" in screen(Account(WEB))

    def test_a_silent_loop_is_said_first(self) -> None:
        account = Account(WEB)
        account.log.records = []
        assert "The loop has given no sign for 3 minutes: nothing is scaled." in screen(account).splitlines()[1]
        assert status_of(account).silent

    def test_one_that_has_just_started_is_alive(self) -> None:
        account = Account(WEB)
        account.log.records = [Record(NOW - 9, {"message": "started", "epoch": 1})]
        assert not status_of(account).silent
        account.log.records = [Record(NOW - 9, {"message": "started", "epoch": 0})]
        assert status_of(account).silent, "that was an observation"

    def test_a_log_that_may_not_be_read_costs_load_and_reasons_only(self) -> None:
        account = Account(WEB)
        account.log.error = AccessDenied("FilterLogEvents", "AccessDeniedException")
        found = status_of(account)
        assert found.services[0].desired == 4
        assert found.services[0].load is None
        assert not found.silent
        assert "FilterLogEvents is not allowed: permit logs:FilterLogEvents." in on_one_line(account)

    def test_a_busy_log_costs_no_more_and_is_no_missing_permission(self) -> None:
        account = Account(WEB)
        account.log.error = Throttled("FilterLogEvents", "ThrottlingException")
        found = status_of(account)
        assert (found.services[0].desired, found.silent) == (4, False)
        said = on_one_line(account)
        assert "Load and reasons are missing" in said
        assert "AWS asks for fewer calls (FilterLogEvents): try again in a minute." in said
        assert "allowed" not in said

    def test_a_log_group_that_was_deleted_costs_no_more(self) -> None:
        account = Account(WEB)
        account.log.error = NotFound("FilterLogEvents", "ResourceNotFoundException", "The log group does not exist.")
        assert status_of(account).services[0].desired == 4
        assert "The log group does not exist" in on_one_line(account)

    def test_what_was_heard_before_is_kept_while_the_log_is_busy(self) -> None:
        account, clock = Account(WEB), FakeClock()
        reader = StatusReader(account, clock)
        reader.read()
        clock.sleep(20)
        account.log.error = Throttled("FilterLogEvents", "ThrottlingException")
        found = reader.read()
        assert found.services[0].load == 62.1
        assert "Load and reasons are those of before" in "".join(line.plain for line in warnings(found, 200))

    def test_before_its_first_run_it_says_so(self) -> None:
        account = Account(WEB)
        account.table.document = None
        with pytest.raises(NotReady, match="no policy document yet"):
            status_of(account)

    def test_of_a_log_only_what_is_new_is_read_again(self) -> None:
        account, clock = Account(WEB), FakeClock()
        reader = StatusReader(account, clock)
        reader.read()
        clock.sleep(60)
        assert reader.read().services[0].load == 62.1
        assert account.log.asked == [NOW - 180, NOW + 60 - 75]


class TestScreens:
    @pytest.mark.parametrize("width", [80, 100, 160])
    def test_no_line_is_wider_than_the_terminal(self, width: int) -> None:
        account = Account(*(f"production-cluster/a-service-with-a-long-name-{n}" for n in range(3)), JOBS)
        account.direct(Floor(JOBS, "owner", 9, NOW + 60, "a reason that goes on and on " * 6))
        assert max(map(len, screen(account, width).splitlines())) <= width

    def test_in_a_pipe_each_service_is_one_line(self) -> None:
        lines = piped(a_busy_shop()).splitlines()
        assert [line.split(":")[0] for line in lines[1:4]] == [WEB, API, JOBS]
        assert "9 tasks, 4 running, RequestsPerSecond 180 per task (scale-out at 110)" in lines[1]
        assert "\x1b" not in "".join(lines)

    def test_many_services_are_summed_up(self) -> None:
        account = Account(*(f"shop/service-{n}" for n in range(200)))
        account.direct(Pause("shop/service-7", "ScaleIn", NOW + 60))
        assert screen(account).splitlines()[-1] == "200 services: 199 steady, 1 paused"

    def test_json_has_what_the_screen_has(self) -> None:
        web, _, jobs = as_data(status_of(a_busy_shop()))["services"]
        assert (web["desired"], web["running"], web["in_flight"], web["load"]) == (9, 4, 5, 180)
        assert web["change"]["reason"] == BUSY
        assert [pause["expires_at"] for pause in jobs["pauses"]] == [None, NOW + 1800]


def test_an_error_of_the_table_is_raised() -> None:
    account = Account(WEB)
    account.table.error = Throttled("Query", "ThrottlingException")
    with pytest.raises(Throttled):
        status_of(account)
