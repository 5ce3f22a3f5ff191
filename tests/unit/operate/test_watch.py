"""`fastscaler watch`: what is read when, what a pipe gets, and what fits on a screen."""

from dataclasses import replace
from itertools import islice

import pytest

from fastscaler.cli.stack_options import why
from fastscaler.cli.watch import changes, readings_of, screen
from fastscaler.errors import AccessDenied, Throttled, Unavailable
from fastscaler.scaling.observation import ServiceState
from fastscaler.status_reader import StatusReader
from tests.unit.operate.build import API, NOW, WEB, Account, FakeClock, a_busy_shop, metrics


def readings(account: Account, clock: FakeClock, seconds: int, every: float = 5.0) -> list[tuple[float, str]]:
    """When each status was read, and what went wrong, for some seconds."""
    found = islice(readings_of(StatusReader(account, clock), clock, every), seconds)
    return [(status.at - NOW, wrong) for status, wrong in found]


class TestReading:
    def test_it_reads_every_five_seconds_and_redraws_every_second(self) -> None:
        assert [at for at, _ in readings(Account(WEB), FakeClock(), 7)] == [0, 0, 0, 0, 0, 5, 5]

    def test_many_services_are_read_less_often_than_ecs_would_mind(self) -> None:
        account = Account(*(f"shop/service-{n}" for n in range(200)))
        times = sorted({at for at, _ in readings(account, FakeClock(), 25)})
        assert times == [0, 10, 20]

    def test_a_busy_aws_leaves_the_last_status_standing_and_is_said(self) -> None:
        account, clock = Account(WEB), FakeClock()

        def fail_for_a_while(now: float) -> None:
            account.table.error = Throttled("Query", "ThrottlingException") if now < NOW + 8 else None

        clock.on_sleep = fail_for_a_while
        found = readings(account, clock, 12)
        assert found[5][0] == 0
        assert "AWS asks for fewer calls" in found[5][1]
        assert found[10] == (10, "")

    def test_a_denied_call_ends_it(self) -> None:
        account, clock = Account(WEB), FakeClock()

        def deny(now: float) -> None:
            account.table.error = AccessDenied("Query", "AccessDeniedException")

        clock.on_sleep = deny
        with pytest.raises(AccessDenied):
            readings(account, clock, 12)


class TestInAPipe:
    def test_a_line_for_each_service_and_then_for_each_change(self) -> None:
        account, clock = Account(WEB, API), FakeClock()

        def scale_at_20(now: float) -> None:
            account.log.records.append(metrics(WEB, now, 60 + now % 7))  # Loads alone are no news.
            if now >= NOW + 20:
                account.ecs.states[WEB] = ServiceState(9, 4)

        clock.on_sleep = scale_at_20
        found = readings_of(StatusReader(account, clock), clock, 5.0)
        lines = list(changes(islice(found, 40), as_json=False))
        assert len(lines) == 3
        assert WEB in lines[2]
        assert "9 tasks, 4 running" in lines[2]

    def test_a_busy_aws_and_a_silent_loop_are_a_line_when_they_begin_and_when_they_end(self) -> None:
        account, clock = Account(WEB), FakeClock()

        def fail_for_a_while(now: float) -> None:
            account.log.records.append(metrics(WEB, now, 60))
            account.table.error = Throttled("Query", "ThrottlingException") if NOW + 8 < now < NOW + 22 else None

        clock.on_sleep = fail_for_a_while
        found = readings_of(StatusReader(account, clock), clock, 5.0)
        stack = [line for line in changes(islice(found, 40), as_json=False) if WEB not in line]
        assert len(stack) == 2
        assert "AWS asks for fewer calls" in stack[0]
        assert stack[1].endswith("The loop looks, and all of it can be read.")


class TestOnAScreen:
    def test_it_never_has_more_lines_than_the_terminal(self) -> None:
        account = Account(*(f"shop/service-{n}" for n in range(200)))
        status = StatusReader(account, FakeClock()).read()
        for height in (8, 24, 60):
            lines = screen(status, "", 80, height)
            assert len(lines) <= height
            assert "200 services" in lines[-1].plain

    def test_what_needs_attention_comes_first(self) -> None:
        account = Account(*(f"shop/service-{n}" for n in range(200)))
        account.ecs.states["shop/service-150"] = ServiceState(9, 4)
        status = StatusReader(account, FakeClock()).read()
        assert screen(status, "", 80, 10)[2].plain.startswith("shop/service-150")

    def test_what_went_wrong_stands_above_the_rows(self) -> None:
        status = StatusReader(a_busy_shop(), FakeClock()).read()
        shown = [line.plain for line in screen(replace(status, at=NOW + 9), "Shown as before: no answer", 80, 30)]
        assert shown[1] == "Shown as before: no answer"
        assert "last look 13 s ago" in shown[0]

    def test_what_to_do_about_it_is_not_cut(self) -> None:
        wrong = (
            f"Shown as before: {why(Unavailable('Query', 'EndpointConnectionError', 'Could not connect to x ' * 5))}"
        )
        status = StatusReader(Account(WEB), FakeClock()).read()
        shown = [line.plain for line in screen(status, wrong, 80, 30)]
        assert max(map(len, shown)) <= 80
        assert wrong in " ".join(shown)
        assert len(screen(status, wrong, 80, 4)) <= 4
