"""What an operator reads: one line per change, every service's errors, and metrics each minute."""

import json
from itertools import count
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from fastscaler.errors import AccessDenied, Throttled
from fastscaler.loop import run
from fastscaler.pace import Pace
from fastscaler.report import LogReport
from fastscaler.scaling.observation import Floor
from fastscaler.scaling.policy import Service
from tests.unit.loop.fakes import EPOCH, Outcome, Simulation, a_service, step

Records = list[dict[str, Any]]
# Powertools keeps a logger, and the stream it began with, by its name.
NUMBERS = count()


class Invocation:
    """Runs the loop with the real report and reads what it printed."""

    def __init__(self, sim: Simulation, capsys: pytest.CaptureFixture[str]) -> None:
        self.sim, self.capsys = sim, capsys

    def run(self, *services: Service, seconds: float, observed: frozenset[str] = frozenset()) -> Records:
        report = LogReport(Logger(service=f"test {next(NUMBERS)}"), "Test", self.sim.clock, observed)
        world = self.sim.world(report)
        run(services, world, Pace(), EPOCH + self.sim.clock.t + seconds + 15, observed=observed)
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]


@pytest.fixture
def invocation(sim: Simulation, capsys: pytest.CaptureFixture[str]) -> Invocation:
    return Invocation(sim, capsys)


def said(records: Records, message: str) -> Records:
    return [record for record in records if record.get("message") == message]


def emitted(records: Records, metric: str, service: str | None = None) -> list[float]:
    """The values of a metric in the embedded metric format, for a service or for the function as a whole."""
    found = (record for record in records if "_aws" in record and metric in record)
    return [record[metric][0] for record in found if service in (None, record.get("service"))]


def metric_names(records: Records, service: Service) -> set[str]:
    """The metrics that were emitted for a service."""
    return {
        metric["Name"]
        for record in records
        if "_aws" in record and record.get("service") == service.key
        for metric in record["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }


def test_a_scale_out_is_one_line_with_its_reason(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(100, 1200, at=20))
    records = invocation.run(shop, seconds=50)
    (decision,) = (record for record in said(records, "decision") if record["to"] != record["from"])
    assert (decision["service"], decision["from"], decision["to"]) == (shop.key, 4, 12)
    assert decision["applied"] is True
    assert "300 per task against 100" in decision["reason"]


def test_a_steady_service_says_nothing_but_its_summary(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=350.0)
    records = invocation.run(shop, seconds=185)
    assert said(records, "decision") == []
    assert len(said(records, "summary")) in (3, 4)


def test_a_call_that_failed_is_never_told_as_applied(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200.0)
    sim.ecs.outcomes[shop.key] = [Outcome(Throttled("UpdateService", "ThrottlingException"), None)]
    records = invocation.run(shop, seconds=20)
    changes = (record for record in said(records, "decision") if record["to"] != record["from"])
    assert [change["applied"] for change in changes] == [False, True]


def test_every_service_in_trouble_is_named_once_a_minute(sim: Simulation, invocation: Invocation) -> None:
    shops = [sim.add(a_service(f"shop-{n}"), tasks=4, load=100.0) for n in range(3)]
    for shop in shops[:2]:
        sim.ecs.refusals[shop.key] = Throttled("DescribeServices", "ThrottlingException")
    records = invocation.run(*shops, seconds=50)
    errors = [record for record in records if record.get("level") == "ERROR"]
    assert sorted(error["service"] for error in errors) == [shops[0].key, shops[1].key]
    assert emitted(records, "ServiceErrors", shops[0].key)[0] > 5
    assert emitted(records, "ServiceErrors", shops[2].key) == [0]


def test_while_nothing_can_be_looked_at_errors_are_still_counted_each_minute(
    sim: Simulation, invocation: Invocation
) -> None:
    shop = sim.add(a_service(), tasks=4, load=100.0)
    sim.store.errors["poll"] = [AccessDenied("Query", "AccessDeniedException")] * 100
    records = invocation.run(shop, seconds=150)
    assert len(emitted(records, "Errors")) == 3
    assert min(emitted(records, "Errors")) >= 5


@pytest.mark.parametrize(("skew", "told"), [(0.4, False), (3.0, True), (-3.0, True)])
def test_a_clock_that_differs_from_aws_is_told_once_a_minute(
    sim: Simulation, invocation: Invocation, skew: float, told: bool
) -> None:
    shop = sim.add(a_service(), tasks=4, load=100.0)
    sim.store.date_ahead = -skew
    warnings = said(invocation.run(shop, seconds=50), "clock differs from AWS's")
    assert [record["seconds_ahead"] for record in warnings] == ([skew] if told else [])


def test_what_a_service_emits_in_a_surge(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(100, 1200, at=20))
    records = invocation.run(shop, seconds=100)
    names = metric_names(records, shop)
    assert {"DesiredCount", "RunningCount", "LoadPercent", "DataAge", "Holds", "ScaleOutSeconds"} <= names
    assert len(names) <= 9


def test_the_load_is_the_highest_of_the_minute(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=lambda t: 880.0 if 20 <= t < 35 else 220.0)
    records = invocation.run(shop, seconds=120)
    # 220 and 55 a task; tasks are added above 110. The surge is over, but its minute shows it.
    assert emitted(records, "LoadPercent", shop.key)[0] == 200
    assert emitted(records, "LoadPercent", shop.key)[-1] < 50


def test_an_observed_service_waits_for_no_task(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200.0)
    records = invocation.run(shop, seconds=70, observed=frozenset({shop.key}))
    assert emitted(records, "DesiredCount", shop.key)[0] == 12
    assert emitted(records, "RunningCount", shop.key)[0] == 4
    assert set(emitted(records, "TasksInFlight", shop.key)) == {0}


def in_trouble(records: Records) -> dict[str, list[float]]:
    """What alarms see: how many services were in each kind of trouble, minute by minute."""
    kinds = ("AtMaximum", "WithStaleData", "InConflict", "WithLaunchFailures")
    return {kind: emitted(records, f"Services{kind}") for kind in kinds}


def test_services_without_trouble_are_counted_as_none(sim: Simulation, invocation: Invocation) -> None:
    shops = [sim.add(a_service(f"shop-{n}"), tasks=4, load=350.0) for n in range(3)]
    counts = in_trouble(invocation.run(*shops, seconds=110))
    assert {kind: set(values) for kind, values in counts.items()} == {kind: {0} for kind in counts}


def test_services_at_their_maximum_are_counted(sim: Simulation, invocation: Invocation) -> None:
    shops = [sim.add(a_service(f"shop-{n}", MaxCapacity=8), tasks=4, load=1200.0) for n in range(2)]
    shops.append(sim.add(a_service("shop-2"), tasks=4, load=350.0))
    assert in_trouble(invocation.run(*shops, seconds=70))["AtMaximum"][-1] == 2


def test_services_whose_data_stays_away_are_counted_until_it_is_back(sim: Simulation, invocation: Invocation) -> None:
    shops = [sim.add(a_service(f"shop-{n}"), tasks=4, load=350.0) for n in range(2)]
    away, publish = 70, sim.metrics.load[shops[0].key]
    sim.metrics.load[shops[0].key] = publish
    sim.metrics.silent[shops[0].key] = lambda start: 4 if 10 <= start < away else 0
    counts = in_trouble(invocation.run(*shops, seconds=170))["WithStaleData"]
    assert (counts[0], counts[-1]) == (1, 0)


def test_services_in_conflict_and_with_failing_launches_are_counted(sim: Simulation, invocation: Invocation) -> None:
    shops = [sim.add(a_service(f"shop-{n}"), tasks=4, load=step(240, 1200, at=20)) for n in range(2)]
    sim.scalable.found[shops[0].key] = "scale-out"
    sim.fleet(shops[1]).broken = "CannotPullContainerError: no such image"
    counts = in_trouble(invocation.run(*shops, seconds=400))
    assert max(counts["InConflict"]) == 1
    assert max(counts["WithLaunchFailures"]) == 1


def test_while_nothing_can_be_looked_at_nothing_is_known_of_the_services(
    sim: Simulation, invocation: Invocation
) -> None:
    shop = sim.add(a_service(), tasks=4, load=100.0)
    sim.store.errors["poll"] = [AccessDenied("Query", "AccessDeniedException")] * 100
    counts = in_trouble(invocation.run(shop, seconds=150))
    assert counts == {kind: [] for kind in counts}


def test_the_metrics_that_were_read_are_counted_as_they_are_billed(sim: Simulation, invocation: Invocation) -> None:
    shops = [sim.add(a_service(f"shop-{n}"), tasks=4, load=200.0) for n in range(3)]
    records = invocation.run(*shops, seconds=55)
    assert sum(emitted(records, "MetricsRead")) == sum(len(names) for _, names in sim.metrics.reads) >= 30


def test_a_conflict_is_noted_and_counted_for_as_long_as_it_lasts(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=100.0)
    sim.scalable.found[shop.key] = "scale-out, scale-in"
    sim.clock.at(200, sim.scalable.found.clear)
    records = invocation.run(shop, seconds=900)
    began, ended = (record for record in said(records, "noted") if "conflict" in record["what"])
    assert (began["service"], ended["service"]) == (shop.key, shop.key)
    assert "(scale-out, scale-in)" in began["what"]
    values = emitted(records, "ServicesInConflict")
    assert set(values) == {0, 1}
    assert 3 <= sum(values) <= 10, "of fifteen minutes"


def test_launches_that_fail_are_noted_and_a_metric_until_they_work(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
    fleet = sim.fleet(shop)
    fleet.broken = "CannotPullContainerError: no such image"
    sim.clock.at(400, lambda: fleet.mend(400, deployed=True))
    records = invocation.run(shop, seconds=900)
    began, ended = (record["what"] for record in said(records, "noted") if "scale-out" in record["what"])
    assert began == "scale-out stops: 8 tasks stopped before RUNNING: CannotPullContainerError: no such image"
    assert "a new deployment began" in ended
    values = emitted(records, "LaunchFailures", shop.key)
    assert set(values) == {8}
    assert 4 <= len(values) <= 5, "of fifteen minutes"


def test_with_everything_wrong_at_once_a_service_emits_nine_metrics(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(240, 1200, at=20))
    sim.scalable.found[shop.key] = "scale-out"
    records = invocation.run(shop, seconds=100)
    sim.fleet(shop).broken = "CannotPullContainerError"
    sim.metrics.load[shop.key] = lambda t: 2400.0
    records += invocation.run(shop, seconds=300)
    assert {"LaunchFailures", "ScaleOutSeconds"} < metric_names(records, shop)
    assert len(metric_names(records, shop)) == 9


def test_a_scale_out_tells_how_long_each_stage_took(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(100, 1200, at=20))
    records = invocation.run(shop, seconds=100)
    called, running = said(records, "ledger")
    assert set(called["seconds"]) == {"bucket_end_to_read", "read_to_decided", "decided_to_updated", "total"}
    assert "updated_to_running" in running["seconds"]
    assert emitted(records, "ScaleOutSeconds", shop.key) == [called["seconds"]["total"]]


def test_a_floor_is_no_reaction_to_a_load(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=100.0)
    sim.store.put_directive(Floor(shop.key, "morning", 9, EPOCH + 1000), EPOCH, "1")
    records = invocation.run(shop, seconds=100)
    called, _ = said(records, "ledger")
    assert set(called["seconds"]) == {"read_to_decided", "decided_to_updated", "total"}
    assert emitted(records, "ScaleOutSeconds", shop.key) == []


def test_observing_tells_what_would_be_done_once(sim: Simulation, invocation: Invocation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200.0)
    records = invocation.run(shop, seconds=50, observed=frozenset({shop.key}))
    (decision,) = said(records, "decision")
    assert (decision["to"], decision["applied"], decision["observe_only"]) == (12, False, True)
