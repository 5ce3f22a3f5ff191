"""The real handler, once per sample event, against the stand-in for AWS. Ticks and observations take real time."""

import json
import time
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from demo.account import CLUSTER, SERVICE, TABLE, Account
from demo.invoke import Context
from demo.local_aws import LocalAws
from fastscaler.aws.dynamodb import Table
from fastscaler.errors import DirectiveRefused, DocumentInvalid
from fastscaler.loop import MARGIN
from fastscaler.scaling.observation import Floor, Pause
from tests.integration.shop import publish, sdk_of

REPOSITORY = Path(__file__).parents[2]
EVENTS = REPOSITORY / "events"
POLICIES = REPOSITORY / "policies.yaml"
KEY = f"{CLUSTER}/{SERVICE}"
INVALID = sorted(path.name for path in (EVENTS / "invalid").glob("*.json") if not path.name.startswith("synthetic"))
Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def account(aws: LocalAws) -> Account:
    account = Account(aws)
    account.create_table()
    account.create_service(CLUSTER, SERVICE, desired=4)
    aws.calls.reset()
    return account


@pytest.fixture
def table(account: Account) -> Table:
    return Table(account.dynamodb, TABLE)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES.read_text())
    return path


@pytest.fixture
def invoke(aws: LocalAws, policies: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoke]:
    """Invokes the handler in a sandbox that lasts as long as the test; `seconds` until its time is nearly up."""
    for name, value in {
        "TABLE_NAME": TABLE,
        "POLICIES_FILE": str(policies),
        "POWERTOOLS_SERVICE_NAME": f"scaler {uuid4()}",
        "POWERTOOLS_METRICS_NAMESPACE": "FastScaler",
    }.items():
        monkeypatch.setenv(name, value)
    spec = spec_from_file_location("scaler_app", REPOSITORY / "functions" / "scaler" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    app = module_from_spec(spec)
    spec.loader.exec_module(app)

    def invoke(event: Any, *, seconds: float = 30.0) -> dict[str, Any]:
        context = Context("scaler", time.monotonic() + MARGIN + seconds, str(uuid4()))
        answer: dict[str, Any] = app.handler(event, context)
        json.dumps(answer)
        return answer

    with sdk_of(aws):
        yield invoke


def event(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def publish_load(account: Account, requests_per_second: float) -> None:
    now = time.time()
    publish(account, lambda at: requests_per_second, tasks=4, start=now - 60, end=now + 60)


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


class TestTick:
    def test_it_scales_and_ends_before_its_time_is_up(
        self, aws: LocalAws, account: Account, table: Table, invoke: Invoke
    ) -> None:
        publish_load(account, 1000.0)
        assert invoke(event("scheduled_tick.json"), seconds=2) == {"ended": "deadline"}
        ((change),) = aws.fleet(CLUSTER, SERVICE).changes
        assert (change.before, change.after) == (4, 10), "sized for 1,000 requests/s in one call"
        assert table.load_document() == POLICIES.read_text()

    def test_an_invalid_document_runs_the_last_good_one(
        self,
        aws: LocalAws,
        account: Account,
        invoke: Invoke,
        policies: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        invoke(event("scheduled_tick.json"), seconds=3.0)
        policies.write_text("Services: []")
        publish_load(account, 1000.0)
        capsys.readouterr()
        invoke(event("scheduled_tick.json"), seconds=3.0)
        assert [change.after for change in aws.fleet(CLUSTER, SERVICE).changes] == [10]
        records = printed(capsys)
        assert [record["PolicyInvalid"] for record in records if "PolicyInvalid" in record] == [[1.0]]

    def test_with_no_good_document_it_fails_and_takes_nothing_over(
        self, table: Table, invoke: Invoke, policies: Path
    ) -> None:
        policies.write_text("Services: []")
        with pytest.raises(DocumentInvalid):
            invoke(event("scheduled_tick.json"))
        assert table.poll().epoch == 0

    def test_a_stalled_update_is_joined_before_the_handler_returns(
        self, aws: LocalAws, account: Account, invoke: Invoke
    ) -> None:
        publish_load(account, 1000.0)
        aws.delay("UpdateService", 2.0)
        invoke(event("scheduled_tick.json"), seconds=8.0)
        (call,) = aws.calls.of("UpdateService")
        assert call.error is None


class TestObserve:
    def test_it_tells_what_would_be_done_and_changes_nothing(
        self, aws: LocalAws, account: Account, invoke: Invoke
    ) -> None:
        publish_load(account, 1000.0)
        answer = invoke(event("observe.json"))
        assert (answer["ended"], answer["state_table"]) == ("finished", True)
        seen = answer["services"][KEY]
        assert (seen["current"], seen["desired"], seen["running"]) == (4, 10, 4)
        assert "250 per task against 100" in seen["reason"]
        reads = {"DescribeScalableTargets", "DescribeServices", "GetMetricData", "Query"}
        assert set(aws.calls.counts()) <= reads | {"PutMetricData"}

    def test_it_works_without_a_table(self, aws: LocalAws, invoke: Invoke) -> None:
        account = Account(aws)
        account.create_service(CLUSTER, SERVICE, desired=4)
        publish_load(account, 1000.0)
        answer = invoke({"Directive": "observe", "Looks": 1})
        assert answer["state_table"] is False
        assert answer["services"][KEY]["desired"] == 10


class TestDirectives:
    def test_prewarm(self, table: Table, invoke: Invoke) -> None:
        before = time.time()
        (stored,) = invoke(event("prewarm.json"))["stored"]
        assert stored["changed"] is True
        (floor,) = table.poll().directives
        assert isinstance(floor, Floor)
        assert (floor.service, floor.owner, floor.min_capacity) == (KEY, "product-launch", 5)
        assert floor.expires_at == pytest.approx(before + 3600, abs=5)

    def test_prewarm_as_the_schedules_of_the_template_send_it(self, table: Table, invoke: Invoke) -> None:
        scheduled = event("prewarm.json") | {"ScheduledTime": "2026-01-05T08:30:00Z", "DurationMinutes": 810}
        assert invoke(scheduled)["stored"][0]["expires_at"] == "2026-01-05T22:00:00+00:00"

    def test_pause_and_resume(self, table: Table, invoke: Invoke) -> None:
        before = time.time()
        invoke(event("pause.json"))
        (pause,) = table.poll().directives
        assert isinstance(pause, Pause)
        assert (pause.service, pause.direction) == (KEY, "ScaleIn")
        assert pause.expires_at == pytest.approx(before + 7200, abs=5)
        invoke(event("resume.json"))
        (pause,) = table.poll().directives
        assert pause.expires_at <= time.time()

    def test_the_loop_obeys(self, aws: LocalAws, account: Account, invoke: Invoke) -> None:
        publish_load(account, 350.0)
        invoke(event("prewarm.json"))
        invoke(event("scheduled_tick.json"), seconds=3.0)
        assert [change.after for change in aws.fleet(CLUSTER, SERVICE).changes] == [5]


# What the error names: the key, and what stands there.
NAMED = {
    "observe_too_many_looks.json": ["Looks = 500"],
    "pause_unknown_direction.json": ["Direction = 'Down'", "one of ScaleOut, ScaleIn, Both"],
    "prewarm_above_max_capacity.json": ["MinCapacity = 500", "at most MaxCapacity", "100"],
    "prewarm_unknown_service.json": [f"{CLUSTER}/no-such-service", KEY],
    "prewarm_without_owner.json": ["Owner = (missing): is required", "MinCapacity = 'five'", "DurationMinutes = -1"],
    "resume_with_arn.json": ["Cluster = ", "the name, not the ARN"],
    "scheduled_tick_of_another_source.json": [
        "Directive = (missing)",
        "must be one of prewarm, pause, resume, observe, rehearse",
    ],
    "unknown_directive.json": ["Directive = 'scale'", "must be one of prewarm, pause, resume, observe, rehearse"],
}


@pytest.mark.parametrize("name", INVALID)
def test_a_bad_event_is_refused_with_one_clear_error(
    aws: LocalAws, table: Table, invoke: Invoke, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DirectiveRefused) as caught:
        invoke(event(f"invalid/{name}"))
    for words in NAMED[name]:
        assert words in str(caught.value)
    assert aws.calls.counts() == {}, "nothing was stored, and nothing asked"
    records = printed(capsys)
    assert [record["DirectiveRefused"] for record in records if "DirectiveRefused" in record] == [[1.0]]
    assert sum(record.get("level") == "ERROR" for record in records) == 1


def test_every_bad_event_is_here() -> None:
    assert set(INVALID) == set(NAMED)
