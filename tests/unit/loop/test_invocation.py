"""One event: which policies run, what an observation leaves behind, and what an invocation answers."""

import json
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest
import yaml
from aws_lambda_powertools import Logger

from fastscaler import loop
from fastscaler.errors import DirectiveRefused, DocumentInvalid, Unavailable
from fastscaler.invocation import Adapters, handle
from fastscaler.pace import Pace
from fastscaler.scaling.observation import Floor, Pause
from tests.unit.loop.fakes import EPOCH, Simulation, a_service, step

TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
OBSERVE = {"Directive": "observe"}
PREWARM = {"Directive": "prewarm", "Cluster": "shops", "Service": "shop", "Owner": "morning", "MinCapacity": 7}
REHEARSE = {"Directive": "rehearse", "Cluster": "shops", "Service": "shop", "MetricPrefix": "Drill", "Seconds": 25}
Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(document())
    return path


@pytest.fixture
def invoke(sim: Simulation, file: Path) -> Invoke:
    """Invokes with an event, until about `until` seconds."""

    def invoke(event: Any, *, until: float = 30.0) -> dict[str, Any]:
        table: Any = sim.store
        logger = Logger(service="test", level="DEBUG")
        pace = Pace()
        ecs = sim.ecs.called_by("scaler")
        adapters = Adapters(
            table=table,
            metrics=sim.metrics,
            ecs=ecs,
            stopped=sim.stopped,
            scalable=sim.scalable,
            targets=sim.targets,
            clock=sim.clock,
            pace=pace,
            logger=logger,
            policies_file=str(file),
            metrics_namespace="Test",
        )
        seconds_left = until - sim.clock.t + loop.MARGIN
        return handle(event, adapters, seconds_left=seconds_left, request_id=f"request at {sim.clock.t}")

    return invoke


def document(**keys: object) -> str:
    service = a_service("shop", **keys).model_dump(by_alias=True, mode="json", exclude_none=True)
    return yaml.safe_dump({"Services": [service]})


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def counted(records: list[dict[str, Any]], metric: str) -> int:
    """How often a metric was emitted, in CloudWatch's embedded metric format."""
    return sum(metric in record for record in records if "_aws" in record)


class TestPolicies:
    def test_a_good_document_is_kept_as_the_last_good_one(self, sim: Simulation, invoke: Invoke, file: Path) -> None:
        sim.add(a_service(), tasks=4, load=100.0)
        assert invoke(TICK) == {"ended": "deadline"}
        assert sim.store.document == file.read_text()

    @pytest.mark.parametrize("text", ["", "Services: []", "Services: [", None])
    def test_an_invalid_one_runs_the_last_good_and_raises_an_alarm(
        self, sim: Simulation, invoke: Invoke, file: Path, capsys: pytest.CaptureFixture[str], text: str | None
    ) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.store.document = document()
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        invoke(TICK)
        assert sim.fleet(shop).counts == [12]
        assert sim.store.document == document(), "the last good one stays"
        assert counted(printed(capsys), "PolicyInvalid") == 1

    @pytest.mark.parametrize("last_good", [None, "Services: []"])
    def test_with_neither_it_does_not_take_over_and_raises_the_alarm_too(
        self, sim: Simulation, invoke: Invoke, file: Path, capsys: pytest.CaptureFixture[str], last_good: str | None
    ) -> None:
        file.write_text("Services: []")
        sim.store.document = last_good
        with pytest.raises(DocumentInvalid, match="Services"):
            invoke(TICK)
        assert sim.store.epoch == 0
        assert counted(printed(capsys), "PolicyInvalid") == 1

    def test_one_that_cannot_be_kept_is_run_all_the_same(self, sim: Simulation, invoke: Invoke) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.store.errors["save_document"] = [Unavailable("TransactWriteItems", "InternalServerError")]
        invoke(TICK)
        assert sim.fleet(shop).counts == [12]

    def test_superseded_while_it_is_kept_the_invocation_leaves(self, sim: Simulation, invoke: Invoke) -> None:
        sim.add(a_service(), tasks=4, load=100.0)

        def supersede() -> None:
            sim.store.epoch += 1

        sim.store.before["save_document"] = supersede
        assert invoke(TICK) == {"ended": "superseded"}
        assert sim.clock.t == 0

    def test_services_in_observe_mode_are_never_called(self, sim: Simulation, invoke: Invoke, file: Path) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        file.write_text(document(Mode="observe"))
        invoke(TICK)
        assert sim.fleet(shop).asked == []


class TestObserve:
    def test_it_does_not_pass_for_the_loop(
        self, sim: Simulation, invoke: Invoke, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sim.add(a_service(), tasks=4, load=1200.0)
        invoke(OBSERVE)
        assert [record for record in printed(capsys) if "_aws" in record] == []

    def test_it_decides_and_leaves_no_trace(self, sim: Simulation, invoke: Invoke) -> None:
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        answer = invoke(OBSERVE)
        assert answer["ended"] == "finished"
        assert answer["state_table"] is True
        seen = answer["services"][shop.key]
        assert (seen["current"], seen["desired"], seen["running"]) == (4, 12, 4)
        assert seen["load"] == {"Load": 300.0}
        assert seen["reason"]
        assert sim.ecs.updated == []
        assert {method for _, method in sim.store.calls} <= {"read_all", "poll"}

    def test_it_tells_who_else_scales_the_service(self, sim: Simulation, invoke: Invoke) -> None:
        """What a new user has to know before the first deployment."""
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        assert invoke(OBSERVE)["services"][shop.key]["conflict"] is None
        sim.scalable.found[shop.key] = "scale-out, scale-in"
        assert invoke(OBSERVE, until=60)["services"][shop.key]["conflict"] == "scale-out, scale-in"

    def test_it_does_not_disturb_the_running_loop(self, sim: Simulation, invoke: Invoke) -> None:
        shop = sim.add(a_service(), tasks=4, load=step(100, 1200, at=20))
        running = sim.start(0, [shop], until=60, caller="running")
        sim.clock.start(5, lambda: invoke({**OBSERVE, "Looks": 10}, until=100))
        sim.clock.run_all()
        assert running.ending == "deadline"
        assert sim.fleet(shop).counts == [12]

    def test_it_looks_as_often_as_it_is_asked(self, sim: Simulation, invoke: Invoke) -> None:
        shop = sim.add(a_service(), tasks=4, load=100.0)
        invoke({**OBSERVE, "Looks": 2})
        assert len(sim.metrics.times_read(shop.key)) == 2

    def test_it_works_before_there_is_a_table(self, sim: Simulation, invoke: Invoke) -> None:
        """`sam local invoke` before the first deployment."""
        shop = sim.add(a_service(), tasks=4, load=1200.0)
        sim.store.exists = False
        answer = invoke(OBSERVE)
        assert answer["state_table"] is False
        assert answer["services"][shop.key]["desired"] == 12

    def test_before_there_is_a_table_an_invalid_document_says_what_is_wrong_with_it(
        self, sim: Simulation, invoke: Invoke, file: Path
    ) -> None:
        sim.store.exists = False
        file.write_text("Services: []")
        with pytest.raises(DocumentInvalid, match="Services"):
            invoke(OBSERVE)

    def test_a_service_that_does_not_exist_says_so(self, sim: Simulation, invoke: Invoke) -> None:
        assert "no service shops/shop" in invoke(OBSERVE)["services"]["shops/shop"]["error"]


class TestRehearsal:
    def test_it_tells_when_a_load_under_other_names_would_be_answered_and_changes_nothing(
        self, sim: Simulation, invoke: Invoke
    ) -> None:
        shop = sim.add(a_service(), tasks=4, load=100.0)
        sim.metrics.load_under["DrillLoad"] = step(240, 1200, at=20)
        answer = invoke({**REHEARSE, "Seconds": 60}, until=90)
        told = answer["scale_out"]
        assert (told["from"], told["to"]) == (4, 12)
        assert told["bucket_end"] - EPOCH == 25
        assert 25 < told["decided"] - EPOCH <= 30
        assert told["read"] <= told["decided"]
        assert sim.clock.t < 35, "it ends with its answer"
        assert sim.fleet(shop).asked == []
        assert {method for _, method in sim.store.calls} <= {"read_all", "poll"}

    def test_without_an_answer_it_tells_why(self, sim: Simulation, invoke: Invoke) -> None:
        sim.add(a_service(), tasks=4, load=1200.0)
        answer = invoke(REHEARSE, until=90)
        assert answer["scale_out"] is None
        assert "no data" in answer["last"]["reason"]
        assert 20 <= sim.clock.t <= 30

    def test_it_emits_no_metric(self, sim: Simulation, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
        """A made-up load must not show on a dashboard, nor raise an alarm."""
        sim.add(a_service(), tasks=4, load=100.0)
        invoke({**REHEARSE, "Seconds": 100}, until=200)
        assert [record for record in printed(capsys) if "_aws" in record] == []

    def test_an_unknown_service_is_refused(self, invoke: Invoke) -> None:
        with pytest.raises(DirectiveRefused, match="must be a service of the policy document: shops/shop"):
            invoke({**REHEARSE, "Service": "other"})


class TestDirectives:
    def test_the_running_loop_obeys_at_its_next_look(self, sim: Simulation, invoke: Invoke) -> None:
        shop = sim.add(a_service(), tasks=4, load=350.0)
        sim.start(0, [shop], until=60, caller="running")
        sim.clock.start(22, lambda: invoke({**PREWARM, "DurationMinutes": 30}, until=900))
        sim.clock.run_all()
        ((t, count),) = sim.fleet(shop).asked
        assert count == 7
        assert 22 <= t <= 27

    def test_the_answer_tells_what_was_stored_in_words_a_person_reads(self, sim: Simulation, invoke: Invoke) -> None:
        (stored,) = invoke({**PREWARM, "DurationMinutes": 30})["stored"]
        assert stored == {
            "service": "shops/shop",
            "owner": "morning",
            "min_capacity": 7,
            "expires_at": "2027-01-15T08:30:00+00:00",
            "reason": "",
            "changed": True,
            "before": None,
        }

    def test_the_answer_tells_what_held_before_and_what_holds_now(self, sim: Simulation, invoke: Invoke) -> None:
        sim.store.put_directive(Floor("shops/other", "morning", 3, EPOCH + 900), EPOCH, "1")
        sim.store.put_directive(Floor("shops/shop", "expired", 3, EPOCH - 1), EPOCH, "2")
        sim.store.put_directive(Floor("shops/shop", "morning", 3, EPOCH + 900), EPOCH, "3")
        sim.store.put_directive(Pause("shops/shop", "ScaleOut", inf, "incident"), EPOCH, "4")
        answer = invoke({**PREWARM, "DurationMinutes": 0})
        assert answer["stored"][0]["before"]["min_capacity"] == 3
        (pause,) = answer["holds"]
        assert (pause["direction"], pause["expires_at"], pause["reason"]) == ("ScaleOut", None, "incident")
        assert answer["observes"] is False

    def test_a_refused_one_stores_nothing_fails_and_is_counted(
        self, sim: Simulation, invoke: Invoke, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(DirectiveRefused, match="MinCapacity"):
            invoke({**PREWARM, "MinCapacity": 1000, "DurationMinutes": 30})
        assert sim.store.directives == {}
        assert counted(printed(capsys), "DirectiveRefused") == 1

    @pytest.mark.parametrize("event", [{}, {"source": "aws.s3"}, [], "tick"])
    def test_an_event_that_is_nothing_is_refused(self, invoke: Invoke, sim: Simulation, event: object) -> None:
        with pytest.raises(DirectiveRefused, match="must be one of prewarm, pause, resume, observe"):
            invoke(event)
        assert sim.store.calls == []

    def test_it_is_checked_against_the_last_good_document(self, sim: Simulation, invoke: Invoke, file: Path) -> None:
        sim.store.document, _ = document(), file.write_text("Services: []")
        invoke({**PREWARM, "DurationMinutes": 30})
        assert len(sim.store.directives) == 1
