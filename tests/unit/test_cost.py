"""The bill of a document against the calls that the loop makes, and docs/cost.md against the bill."""

import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from aws_lambda_powertools import Logger

from benchmarks.billing import billed_per_hour
from fastscaler import loop
from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.cost import (
    LOOP_LOG,
    LOOP_METRICS,
    SCALE_OUT_METRICS,
    SERVICE_LOG,
    SERVICE_METRICS,
    Cost,
    Item,
    Range,
    document_cost,
)
from fastscaler.document.parse import parse_document
from fastscaler.pace import Pace
from fastscaler.report import LogReport
from fastscaler.scaling.policy import Document, Service
from tests.unit.loop.fakes import EPOCH, Simulation
from tests.unit.scaling.build import BALANCER, CPU, REQUESTS, service, tracking

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cost.md").read_text()
README = (ROOT / "README.md").read_text()
SHIPPED = parse_document((ROOT / "policies.yaml").read_text(), "policies.yaml")


def read_every(*seconds: int) -> Service:
    """A service with a metric of CloudWatch's for each of these intervals, one that tasks publish, and a balancer."""
    metrics = {f"Every{interval}": {**CPU, "Period": 5, "ReadEvery": interval} for interval in seconds}
    policies = [tracking(), *({**tracking(), "Name": key, "Metric": key} for key in metrics)]
    return service(Metrics={**metrics, "Requests": REQUESTS}, Policies=policies, LoadBalancer=BALANCER)


def cost_of(*services: Service) -> Cost:
    return document_cost(Document(Services=services))  # type: ignore[call-arg]


def items_of(*services: Service) -> dict[str, Item]:
    (found,) = cost_of(*services).services
    return {item.name: item for item in found.items}


class Metrics:
    """Keeps how often each metric of the real loop was read, and passes the reads on."""

    def __init__(self, sim: Simulation) -> None:
        self._metrics = sim.metrics
        self.times: Counter[str] = Counter()

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        self.times.update(read.key for read in reads)
        return self._metrics.read(reads, now)


class TestReads:
    def test_of_the_loop_in_an_hour_are_those_that_are_billed(self) -> None:
        scaled = read_every(5, 7, 10, 15, 20, 30, 45, 60, 120, 300)
        times: Counter[str] = Counter()
        for phase in range(32):  # Two minutes with the hand-over at each of many places within a minute.
            sim = Simulation()
            sim.add(scaled, tasks=4, load=160.0)
            counted = Metrics(sim)
            sim.metrics = counted  # type: ignore[assignment]
            sim.clock.sleep(0.25 + phase * 60 / 32)
            begun = sim.clock.t
            for minute in range(1, 3):
                sim.run([scaled], until=begun + 60 * minute, observed=frozenset([scaled.key]))
            times += counted.times
        items = items_of(scaled)
        for key in scaled.metrics:
            figures = items[key].reads_per_hour
            assert figures is not None
            assert figures.calm == pytest.approx(times[key] * 60 / 64, rel=0.02), key
        assert items["load balancer, 3 counters"].reads_per_hour == Range(60, 60)
        assert times["LoadBalancer.RequestCount"] == 64

    def test_of_the_shipped_document_are_those_of_the_benchmark(self) -> None:
        (shipped,) = document_cost(SHIPPED).services
        billed = [item.billed_per_month for item in shipped.items if item.billed_per_month is not None]
        measured = billed_per_hour()
        assert sum(figures.calm for figures in billed) / 720 == measured["idle"]["metrics_billed"]
        # The benchmark is one draw of random lateness, and the figure is to be on the safe side of it.
        most = sum(figures.busy for figures in billed) / 720
        assert 0.95 * most <= measured["busy"]["metrics_billed"] <= most

    def test_a_metric_that_no_policy_uses_costs_nothing(self) -> None:
        assert "Cpu" not in items_of(service(Metrics={"Requests": REQUESTS, "Cpu": CPU}))

    def test_only_what_sets_the_pace_is_looked_at_again(self) -> None:
        items = items_of(read_every(5, 15))
        assert {key for key, item in items.items() if (reads := item.reads_per_hour) and reads.busy > reads.calm} == {
            "Requests"
        }

    def test_of_an_expression_each_metric_is_billed(self) -> None:
        items = items_of(service(tracking(metric="Work")))
        assert items["Work, 2 metrics"].billed_per_month == Range(2 * 43_200, 2 * 43_200)
        assert items["Work, 2 metrics"].usd.calm == pytest.approx(0.864)
        assert not {"Waiting", "Taken"} & items.keys()

    def test_a_metric_per_task_is_billed_as_one(self) -> None:
        requests = items_of(service())["Requests"]
        assert requests.usd.calm == pytest.approx(5.616)
        assert requests.billed_per_month == Range(561_600, 907_200)


class TestTheWhole:
    def test_the_total_is_the_sum(self) -> None:
        cost = cost_of(*(service(Service=name) for name in ("a", "b", "c")))
        items = [item.usd for one in cost.services for item in one.items] + [item.usd for item in cost.shared]
        assert cost.total.calm == pytest.approx(sum(usd.calm for usd in items))
        assert cost.total.busy == pytest.approx(sum(usd.busy for usd in items))

    def test_what_is_shared_is_paid_once(self) -> None:
        one, ten = cost_of(service()), cost_of(*(service(Service=f"s{number}") for number in range(10)))
        (lambda_of_one, *_), (lambda_of_ten, *_) = one.shared, ten.shared
        assert lambda_of_one.usd == lambda_of_ten.usd
        assert lambda_of_ten.usd.calm == pytest.approx(10.80, abs=0.01)
        assert sum(item.usd.busy for item in ten.shared if item.name.startswith("DynamoDB")) < 0.60

    def test_a_thousand_services_have_a_bill(self) -> None:
        cost = cost_of(*(service(Service=f"s{number}") for number in range(1000)))
        assert cost.total.calm == pytest.approx(1000 * 5.616 + 1000 * 2.1, rel=0.02)


def test_the_loop_publishes_and_logs_what_is_billed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "fastscaler")  # As the template has it.
    sim, log = Simulation(), io.StringIO()
    scaled = sim.add(service(), tasks=4, load=lambda t: 160.0 if t < 1800 else 600.0)
    pace, report = Pace(), LogReport(Logger(service="fastscaler", stream=log), "FastScaler", sim.clock)
    for minute in range(1, 61):
        loop.run([scaled], sim.world(report), pace, EPOCH + 60 * minute + loop.MARGIN)
    published = capsys.readouterr().out
    names: dict[str, set[str]] = defaultdict(set)
    for line in published.splitlines():
        record = json.loads(line)
        (directive,) = record["_aws"]["CloudWatchMetrics"]
        names[record["service"]].update(metric["Name"] for metric in directive["Metrics"])
    own = names.pop(scaled.key)
    assert len(own) == SERVICE_METRICS + SCALE_OUT_METRICS
    assert "ScaleOutSeconds" in own
    assert [len(of_loop) for of_loop in names.values()] == [LOOP_METRICS]
    assert len(published) + len(log.getvalue()) == pytest.approx(LOOP_LOG + SERVICE_LOG, rel=0.2)


def row(what: str) -> list[str]:
    """The cells of a row of docs/cost.md, by what stands in the first of them."""
    (found,) = re.findall(rf"^\| {re.escape(what)} \|(.*)\|$", PAGE, flags=re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


def test_the_readme_says_what_the_loops_metrics_alarms_and_dashboard_cost() -> None:
    (row,) = re.findall(r"^\| its metrics about the loop, .+ \| ([\d.]+) \|$", README, flags=re.MULTILINE)
    shared = {one.name: one.usd.calm for one in cost_of(service()).shared}
    assert float(row) == pytest.approx(shared["FastScaler's own metrics"] + shared["alarms"] + shared["dashboard"])


class TestThePage:
    @pytest.mark.parametrize("seconds", [5, 10, 15, 20, 30, 60])
    def test_says_what_a_metric_costs(self, seconds: int) -> None:
        item = items_of(read_every(seconds))[f"Every{seconds}"]
        assert item.reads_per_hour is not None
        assert item.billed_per_month is not None
        reads, arithmetic, usd = row(f"a metric read every {seconds} s")
        assert (reads, usd) == (f"{item.reads_per_hour.calm:.0f}", f"{item.usd.calm:.2f}")
        assert arithmetic == f"{item.billed_per_month.calm:,.0f} x 0.01 per 1,000"

    def test_says_what_a_busy_service_costs(self) -> None:
        item = items_of(service())["Requests"]
        assert item.billed_per_month is not None
        busy = ["1,260", f"{item.billed_per_month.busy:,.0f} x 0.01 per 1,000", f"{item.usd.busy:.2f}"]
        assert row("the same, always busy") == busy

    def test_says_what_the_load_balancer_and_the_metrics_about_a_service_cost(self) -> None:
        items = items_of(service(LoadBalancer=BALANCER))
        assert row("load balancer")[-1] == f"{items['load balancer, 3 counters'].usd.calm:.2f}"
        own = items["FastScaler's own metrics"].usd
        assert row("FastScaler's metrics about it")[-1] == f"{own.calm:.2f} to {own.busy:.2f}"

    @pytest.mark.parametrize(
        ("what", "item"),
        [
            ("Lambda, x86_64, 256 MB", "Lambda, 256 MB, x86_64"),
            ("overlap at hand-overs", "Lambda, overlap at hand-overs"),
            ("DynamoDB reads, ten services", "DynamoDB, reads"),
            ("DynamoDB writes, ten services", "DynamoDB, writes"),
            ("FastScaler's metrics about its loop", "FastScaler's own metrics"),
            ("alarms", "alarms"),
            ("dashboard", "dashboard"),
            ("logs at INFO, ten services", "logs"),
        ],
    )
    def test_says_what_the_control_plane_costs(self, what: str, item: str) -> None:
        shared = {one.name: one.usd for one in cost_of(*(service(Service=f"s{n}") for n in range(10))).shared}
        calm, busy = f"{shared[item].calm:.2f}", f"{shared[item].busy:.2f}"
        assert row(what)[-1] == (calm if calm == busy else f"{calm} to {busy}")
