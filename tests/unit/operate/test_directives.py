"""`fastscaler pause`, `resume` and `prewarm`: what they send, what they say, and how a refusal looks."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import typer

from fastscaler.cli.directives import send
from fastscaler.cli.service_option import keys_of
from fastscaler.cli.stack_options import told_errors
from fastscaler.directives import Observe, Rehearse, carry_out, parse_directive, to_answer
from fastscaler.document.parse import parse_document
from fastscaler.errors import AccessDenied, AwsError, DirectiveRefused, FunctionFailed, Throttled
from fastscaler.scaling.observation import Floor, Pause
from tests.unit.operate.build import API, NOW, WEB, Account, FakeClock

Directive = Floor | Pause


class Scaler:
    """The deployed scaler, as far as directives go, with its own rules."""

    def __init__(self, account: Account) -> None:
        self.account, self.stored = account, list[Directive]()
        self.newer_is_there = False
        self.error: AwsError | FunctionFailed | None = None
        self.refused: dict[str, AwsError] = {}

    def put_directive(self, directive: Directive, at: float, request_id: str) -> bool:
        self.stored.append(directive)
        return not self.newer_is_there

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
PREWARM = {"Directive": "prewarm", "Owner": "sale", "MinCapacity": 20, "DurationMinutes": 90, "Reason": ""}


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
    assert "shop/web: scale-out paused until" in out
    assert "scale-in paused until" in out
    assert "(incident)" in out


def test_a_pause_without_minutes_holds_until_it_is_resumed(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send(PAUSE | {"Direction": "ScaleIn"})
    assert capsys.readouterr().out == "shop/web: scale-in paused until it is resumed (incident)\n"


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
    assert line.startswith("fastscaler: nothing was stored for shop/web (")
    assert {one.service for one in stack.functions.stored} == {API}


def test_resume_ends_a_pause(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send({"Directive": "resume", "Direction": "ScaleOut"})
    (stored,) = stack.functions.stored
    assert stored.expires_at == NOW
    assert capsys.readouterr().out == "shop/web: scale-out resumed\n"


def test_prewarm_raises_a_floor_and_release_ends_it(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send(PREWARM)
    (stored,) = stack.functions.stored
    assert stored == Floor(WEB, "sale", 20, NOW + 5400, "")
    assert "shop/web: at least 20 tasks until" in capsys.readouterr().out
    stack.send(PREWARM | {"MinCapacity": 1, "DurationMinutes": 0})
    assert "floor of sale released" in capsys.readouterr().out


def test_a_newer_directive_wins_and_that_is_said(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.functions.newer_is_there = True
    stack.send(PREWARM)
    assert "but a newer directive is there" in capsys.readouterr().out


def test_json_is_what_was_stored(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send(PREWARM, as_json=True)
    (stored,) = json.loads(capsys.readouterr().out)
    assert (stored["owner"], stored["min_capacity"], stored["changed"]) == ("sale", 20, True)


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
