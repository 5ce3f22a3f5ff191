"""`fastscaler pause`, `resume` and `prewarm`: what they send, what they say, and how a refusal looks."""

import json
from collections.abc import Mapping
from math import inf
from typing import Any

import pytest
import typer

from fastscaler.aws.dynamodb import Head
from fastscaler.cli.directives import send
from fastscaler.cli.service_option import keys_of
from fastscaler.cli.stack_options import told_errors
from fastscaler.directives import Observe, Rehearse, carry_out, parse_directive, to_answer
from fastscaler.document.parse import parse_document
from fastscaler.errors import AccessDenied, AnswerLost, AwsError, DirectiveRefused, FunctionFailed, Throttled
from fastscaler.scaling.observation import Floor, Pause
from tests.unit.operate.build import API, NOW, WEB, Account, FakeClock

Directive = Floor | Pause


class Scaler:
    """The deployed scaler, as far as directives go, with its own rules."""

    def __init__(self, account: Account) -> None:
        self.account, self.stored = account, list[Directive]()
        self.holds: dict[tuple[str, str], Directive] = {}
        self.newer: list[Directive] = []  # Given later, and taken just before what these tests send.
        self.error: AwsError | FunctionFailed | None = None
        self.refused: dict[str, AwsError] = {}

    def put_directive(self, directive: Directive, at: float, request_id: str) -> bool:
        newer = {place(one): one for one in self.newer}
        self.holds |= newer
        self.stored.append(directive)
        if place(directive) in newer:
            return False
        self.holds[place(directive)] = directive
        return True

    def poll(self) -> Head:
        return Head(1, tuple(self.holds.values()))

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        assert function == "scaler"
        if self.error is not None:
            raise self.error
        if (refused := self.refused.get(f"{event['Cluster']}/{event['Service']}")) is not None:
            raise refused
        try:
            request = parse_directive(event)
            assert not isinstance(request, Observe | Rehearse)
            document = parse_document(str(self.account.table.document), "policies.yaml")
            return json.loads(json.dumps(to_answer(carry_out(request, document, self, NOW, "request"))))
        except DirectiveRefused as refused:
            raise FunctionFailed("DirectiveRefused", str(refused)) from None


def place(directive: Directive) -> tuple[str, str]:
    return directive.service, directive.owner if isinstance(directive, Floor) else directive.direction


class Stack:
    """A deployed stack with two services."""

    scaler, name = "scaler", "fastscaler"

    def __init__(self) -> None:
        self.account = Account(WEB, API)
        self.functions = Scaler(self.account)
        self.table = self.account.table

    def send(self, event: dict[str, Any], *keys: str, as_json: bool = False) -> None:
        stack: Any = self
        with told_errors("fastscaler"):
            send(stack, keys or (WEB,), event, FakeClock(), as_json=as_json)


@pytest.fixture
def stack() -> Stack:
    return Stack()


PAUSE = {"Directive": "pause", "Direction": "Both", "Reason": "incident"}
RESUME = {"Directive": "resume", "Direction": "Both"}
PREWARM = {"Directive": "prewarm", "Owner": "sale", "MinCapacity": 20, "DurationMinutes": 90, "Reason": ""}
RELEASE = PREWARM | {"MinCapacity": 1, "DurationMinutes": 0}


def refusal(stack: Stack, event: dict[str, Any], capsys: pytest.CaptureFixture[str], *keys: str) -> str:
    with pytest.raises(typer.Exit) as ended:
        stack.send(event, *keys)
    assert ended.value.exit_code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "Traceback" not in line
    return line


def test_a_pause_is_stored_and_said_by_direction(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send(PAUSE | {"DurationMinutes": 30})
    assert {
        (one.service, one.direction, one.expires_at) for one in stack.functions.stored if isinstance(one, Pause)
    } == {
        (WEB, "ScaleOut", NOW + 1800),
        (WEB, "ScaleIn", NOW + 1800),
    }
    out = capsys.readouterr().out
    assert out.startswith("shop/web: scale-out and scale-in are paused until ")
    assert out.endswith(" (incident)\n")


def test_a_pause_without_minutes_holds_until_it_is_resumed(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send(PAUSE | {"Direction": "ScaleIn"})
    assert capsys.readouterr().out == "shop/web: scale-in is paused until resumed (incident)\n"


def test_one_command_stops_all_services(stack: Stack) -> None:
    source: Any = stack
    stack.send(PAUSE, *keys_of(source, None, every=True))
    assert {one.service for one in stack.functions.stored} == {WEB, API}
    assert len(stack.functions.stored) == 4


def test_a_service_that_aws_did_not_take_is_named_and_the_others_are_paused(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.functions.refused = {WEB: Throttled("Invoke", "TooManyRequestsException")}
    line = refusal(stack, PAUSE, capsys, WEB, API)
    assert line == "fastscaler: shop/web: nothing was stored: AWS asks for fewer calls (Invoke): try again in a minute"
    assert {one.service for one in stack.functions.stored} == {API}


def test_a_call_that_was_cut_off_may_have_been_stored(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.functions.refused = {WEB: AnswerLost("Invoke", "ConnectionClosedError")}
    assert "shop/web: it is not known whether it was stored" in refusal(stack, PAUSE, capsys, WEB, API)


def test_one_service_that_is_refused_leaves_no_other_running(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """One that was taken out of the policies a moment ago."""
    assert "shop/gone: refused: Service = 'shop/gone'" in refusal(stack, PAUSE, capsys, WEB, "shop/gone", API)
    assert {one.service for one in stack.functions.stored} == {WEB, API}


def test_what_is_wrong_for_all_is_said_once(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(stack, PAUSE | {"Direction": "Sideways"}, capsys, WEB, API)
    assert line.startswith("fastscaler: shop/web, shop/api: refused: Direction = 'Sideways': must be one of ScaleOut, ")
    many = [f"shop/service-{number}" for number in range(200)]
    assert "shop/service-9 and 190 more: refused: Direction" in refusal(stack, PAUSE | {"Direction": ""}, capsys, *many)


def test_resume_ends_a_pause(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send(PAUSE | {"Direction": "ScaleOut"})
    stack.send(RESUME | {"Direction": "ScaleOut"})
    *_, stored = stack.functions.stored
    assert stored.expires_at == NOW
    assert capsys.readouterr().out.splitlines()[1:] == ["shop/web: scale-out resumed"]


def test_resuming_what_is_not_paused_says_so(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send(PAUSE | {"Direction": "ScaleIn"})
    stack.send(RESUME)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "shop/web: scale-out is not paused",
        "shop/web: scale-in resumed",
    ]


def test_prewarm_raises_a_floor_and_release_ends_it(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send(PREWARM)
    (stored,) = stack.functions.stored
    assert stored == Floor(WEB, "sale", 20, NOW + 5400, "")
    assert "shop/web: at least 20 tasks until" in capsys.readouterr().out
    stack.send(RELEASE)
    assert "floor of sale released" in capsys.readouterr().out


class TestReleasing:
    def test_what_others_hold_is_said(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        stack.send(PREWARM)
        stack.send(PREWARM | {"Owner": "ads", "MinCapacity": 1})
        capsys.readouterr()
        stack.send(RELEASE)
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith("shop/web: floor of sale released; still at least 1 task until ")
        assert line.endswith(", for ads")

    def test_a_misspelt_owner_is_no_success_and_the_owners_are_named(
        self, stack: Stack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stack.send(PREWARM)
        line = refusal(stack, RELEASE | {"Owner": "sael"}, capsys)
        assert line.startswith("fastscaler: shop/web: sael has no floor, so nothing was released; what holds: ")
        assert line.endswith(", for sale; give its --owner")

    def test_where_no_floor_holds_that_is_said(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        line = refusal(stack, RELEASE, capsys)
        assert line == "fastscaler: shop/web: sale has no floor, so nothing was released; no floor holds there"

    def test_a_floor_that_has_expired_is_none(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        stack.functions.holds[WEB, "sale"] = Floor(WEB, "sale", 20, NOW - 60)
        assert "sale has no floor" in refusal(stack, RELEASE, capsys)


class TestANewerDirective:
    """One that a schedule or another person gave later, so that this one changes nothing."""

    @pytest.mark.parametrize(
        ("newer", "event", "stands"),
        [
            (Floor(WEB, "sale", 5, NOW + 9000), PREWARM, "at least 5 tasks until"),
            (Floor(WEB, "sale", 30, NOW + 60), PREWARM, "at least 30 tasks until"),
            (Floor(WEB, "sale", 20, NOW), PREWARM, "sale has no floor"),
            (Floor(WEB, "sale", 20, NOW + 60), RELEASE, "at least 20 tasks until"),
            (Pause(WEB, "ScaleOut", NOW), PAUSE, "scale-out is not paused"),
            (Pause(WEB, "ScaleOut", NOW + 60), PAUSE, "scale-out is paused until"),
            (Pause(WEB, "ScaleOut", inf, "incident"), RESUME, "scale-out is paused until resumed (incident)"),
        ],
    )
    def test_what_stands_is_said_and_it_is_no_success(
        self, stack: Stack, capsys: pytest.CaptureFixture[str], newer: Directive, event: dict[str, Any], stands: str
    ) -> None:
        stack.functions.newer = [newer]
        line = refusal(stack, event, capsys)
        assert line.startswith("fastscaler: shop/web: not done, since a newer directive is there: ")
        assert stands in line

    @pytest.mark.parametrize(
        ("newer", "event", "said"),
        [
            (Floor(WEB, "sale", 30, NOW + 9000), PREWARM, "shop/web: at least 30 tasks until"),
            (Pause(WEB, "ScaleIn", inf, "deploy"), PAUSE, "scale-in is paused until resumed (deploy), by a"),
            (Floor(WEB, "ads", 9, NOW + 9000), PREWARM, "at least 20 tasks until"),
        ],
    )
    def test_one_that_asks_for_as_much_is_a_success(
        self, stack: Stack, capsys: pytest.CaptureFixture[str], newer: Directive, event: dict[str, Any], said: str
    ) -> None:
        stack.functions.newer = [newer]
        stack.send(event)
        assert said in capsys.readouterr().out

    def test_in_json_too(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        stack.functions.newer = [Floor(WEB, "sale", 5, NOW + 60)]
        with pytest.raises(typer.Exit) as ended:
            stack.send(PREWARM, as_json=True)
        printed = capsys.readouterr()
        assert ended.value.exit_code == 1
        (held,) = json.loads(printed.out)["holds"]
        assert held["min_capacity"] == 5
        assert "not done" in printed.err


class TestAFloorThatAddsNoTask:
    def test_a_pause_of_scale_out_is_said_with_how_to_go_on(
        self, stack: Stack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stack.send(PAUSE)
        capsys.readouterr()
        stack.send(PREWARM)
        floor, held, command = capsys.readouterr().out.splitlines()
        assert floor.startswith("shop/web: at least 20 tasks until")
        assert held == ("shop/web: but scale-out is paused until resumed (incident), so no task is added; to go on:")
        assert command == "    fastscaler resume --stack fastscaler --service shop/web --direction ScaleOut"

    def test_in_json_too(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        stack.send(PAUSE)
        capsys.readouterr()
        stack.send(PREWARM, as_json=True)
        warning, command = json.loads(capsys.readouterr().out)["warnings"]
        assert "so no task is added" in warning
        assert "fastscaler resume" in command

    @pytest.mark.parametrize("pause", [Pause(WEB, "ScaleIn", inf), Pause(WEB, "ScaleOut", NOW - 1)])
    def test_another_pause_is_none_of_its_business(
        self, stack: Stack, capsys: pytest.CaptureFixture[str], pause: Pause
    ) -> None:
        stack.functions.holds[place(pause)] = pause
        stack.send(PREWARM)
        assert len(capsys.readouterr().out.splitlines()) == 1

    def test_a_service_in_observe_mode_is_said(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        stack.table.document = Account(WEB, Mode="observe").table.document
        stack.send(PREWARM)
        assert "it is in Mode observe, so nothing is called" in capsys.readouterr().out

    def test_releasing_one_is_no_promise(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        stack.send(PAUSE)
        stack.send(PREWARM)
        capsys.readouterr()
        stack.send(RELEASE)
        assert len(capsys.readouterr().out.splitlines()) == 1


def test_json_is_what_was_stored_and_what_holds(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.functions.holds[WEB, "ads"] = Floor(WEB, "ads", 9, NOW + 60)
    stack.send(PREWARM, as_json=True)
    found = json.loads(capsys.readouterr().out)
    (stored,) = found["stored"]
    assert (stored["owner"], stored["min_capacity"], stored["changed"]) == ("sale", 20, True)
    assert {one["owner"] for one in found["holds"]} == {"ads", "sale"}
    assert found["warnings"] == []


def test_a_floor_above_max_capacity_is_refused_in_one_line(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(stack, PREWARM | {"MinCapacity": 101}, capsys)
    assert line == "fastscaler: refused: MinCapacity = 101: must be at most MaxCapacity of shop/web, which is 100"
    assert stack.functions.stored == []


def test_every_problem_is_in_that_line(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(stack, PREWARM | {"Owner": "a b", "DurationMinutes": -1}, capsys)
    assert "Owner = 'a b': must be 1 to 64 letters" in line
    assert "DurationMinutes = -1" in line


def test_an_unknown_service_is_refused_with_those_there_are(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert "must be a service of the policy document: shop/web, shop/api" in refusal(stack, PAUSE, capsys, "shop/nope")


def test_a_function_that_fails_otherwise_says_where_to_look(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.functions.error = FunctionFailed("Sandbox.Timedout", "Task timed out after 900.00 seconds")
    assert "sam logs" in refusal(stack, PAUSE, capsys)


def test_a_missing_permission_is_named(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.functions.error = AccessDenied("Invoke", "AccessDeniedException")
    assert refusal(stack, PAUSE, capsys).endswith("Invoke is not allowed: permit lambda:InvokeFunction")


class TestWhichService:
    def test_a_whole_name_needs_no_table(self, stack: Stack) -> None:
        stack.table.document = None
        source: Any = stack
        assert keys_of(source, "shop/other", every=False) == ["shop/other"]

    def test_a_services_own_name_is_enough(self, stack: Stack) -> None:
        source: Any = stack
        assert keys_of(source, "api", every=False) == [API]

    def test_with_several_one_has_to_be_named(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        source: Any = stack
        with pytest.raises(typer.Exit) as ended:
            keys_of(source, None, every=False)
        assert ended.value.exit_code == 2
        assert "--service is needed" in capsys.readouterr().err
