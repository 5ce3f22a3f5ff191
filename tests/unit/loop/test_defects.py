"""What nobody foresaw, such as a KeyError from an answer that lacks a key: the loop goes on and tells of it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pytest

from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.errors import AwsError, Defect
from fastscaler.look import Look
from fastscaler.scaling.observation import ServiceState
from tests.unit.loop.fakes import FakeEcs, FakeMetrics, RecordingReport, Simulation, a_service

UNFORESEEN = KeyError("Timestamps")


class Once:
    """Raises what nobody foresaw when it is called for the `nth` time."""

    def __init__(self, nth: int) -> None:
        self.calls_left = nth

    def __call__(self) -> None:
        self.calls_left -= 1
        if self.calls_left == 0:
            raise UNFORESEEN


class BrokenMetrics(FakeMetrics):
    trip: Callable[[], None]

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        self.trip()
        return super().read(reads, now)


class BrokenEcs(FakeEcs):
    trip: Callable[[], None]

    def describe(self, services: Sequence[str], caller: str) -> dict[str, ServiceState | AwsError]:
        self.trip()
        return super().describe(services, caller)


class BrokenReport(RecordingReport):
    trip: Callable[[], None] = staticmethod(lambda: None)

    def looked(self, look: Look) -> None:
        self.trip()
        super().looked(look)


def in_metrics(sim: Simulation, report: BrokenReport) -> None:
    broken = BrokenMetrics(sim.clock, sim.ecs)
    broken.load, broken.trip = sim.metrics.load, Once(3)
    sim.metrics = broken


def in_ecs(sim: Simulation, report: BrokenReport) -> None:
    broken = BrokenEcs(sim.clock, sim.journal)
    broken.fleets, broken.trip = sim.ecs.fleets, Once(2)
    sim.ecs = broken


def in_the_store(method: str, sim: Simulation, report: BrokenReport) -> None:
    sim.store.before[method] = Once(2)


def in_the_report(sim: Simulation, report: BrokenReport) -> None:
    report.trip = Once(2)


def in_the_stopped_tasks(sim: Simulation, report: BrokenReport) -> None:
    for fleet in sim.ecs.fleets.values():
        fleet.start_seconds = 200.0  # So that they are asked for.
    sim.stopped.error = UNFORESEEN  # type: ignore[assignment]  # What no adapter should ever raise.


def in_the_scalable_targets(sim: Simulation, report: BrokenReport) -> None:
    sim.scalable.error = UNFORESEEN  # type: ignore[assignment]


def in_the_target_health(sim: Simulation, report: BrokenReport) -> None:
    sim.ecs.target_groups = ("arn",)
    sim.targets.error = UNFORESEEN  # type: ignore[assignment]


EVERYWHERE = {
    "metrics": in_metrics,
    "ecs": in_ecs,
    "poll": partial(in_the_store, "poll"),
    "save": partial(in_the_store, "save"),
    "report": in_the_report,
    "stopped tasks": in_the_stopped_tasks,
    "scalable targets": in_the_scalable_targets,
    "target health": in_the_target_health,
}


@pytest.mark.parametrize("where", EVERYWHERE.values(), ids=EVERYWHERE)
def test_the_loop_survives_it_tells_of_it_and_answers_the_next_surge(
    sim: Simulation, where: Callable[[Simulation, BrokenReport], None]
) -> None:
    shop = sim.add(a_service(TaskStartTimeout=30), tasks=4, load=lambda t: 300 if t < 20 else 1200 if t < 100 else 5000)
    report = BrokenReport(sim.clock)
    where(sim, report)
    sim.run([shop], until=140, report=report)
    assert report.ending == "deadline"
    assert sim.fleet(shop).counts == [12, 50]
    told = [error for _, error in report.errors()] + [error for _, _, error in report.failures]
    assert any(isinstance(error, Defect) and error.code == "KeyError" for error in told)


def test_what_a_look_has_done_is_told_though_it_was_superseded_while_it_did_it(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200)
    sim.ecs.before_update = sim.store.take_over  # A successor begins between the intent and what is written last.
    report = sim.run([shop], until=60)
    assert report.ending == "superseded"
    assert sim.fleet(shop).counts == [12]
    assert [scaled.desired for look in report.looks for scaled in look.scaled] == [12]


def test_what_a_look_has_done_is_told_though_its_memory_could_not_be_written_for_a_defect(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=1200)
    sim.store.before["save"] = Once(2)  # The first is that of the intent.
    report = sim.run([shop], until=20)
    assert [scaled.desired for look in report.looks for scaled in look.scaled] == [12]
    assert [error.code for _, error in report.errors()] == ["KeyError"]
