"""Ten minutes in which anything fails at any call while invocations overlap, stall and die; then all is well again."""

import random
from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil

import pytest

from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.errors import AccessDenied, AwsError, Rejected, Throttled, Unavailable
from fastscaler.scaling.observation import ServiceState
from fastscaler.scaling.policy import Service
from tests.unit.loop.fakes import FakeEcs, FakeMetrics, Outcome, RecordingReport, Simulation, a_service

HOSTILE, CALM = 600, 300  # Seconds.
LEVEL = 100  # Seconds for which a load lasts; the last one stays.
UNKNOWN = Unavailable("AnyCall", "ReadTimeoutError")  # For UpdateService: whether it had an effect is not known.
FAILURES: tuple[Exception, ...] = (
    Throttled("AnyCall", "ThrottlingException"),
    AccessDenied("AnyCall", "AccessDeniedException"),
    Rejected("AnyCall", "ValidationException"),
    UNKNOWN,
    KeyError("a key that the answer lacks"),
)
HALF_A_MINUTE = {"StabilizationWindowSeconds": 30, "Cooldown": 10}


class Hostility:
    """What goes wrong next, the same for the same seed."""

    def __init__(self, seed: int, sim: Simulation) -> None:
        self.random, self.sim = random.Random(seed), sim

    def happens(self, share: float) -> bool:
        return self.sim.clock.t < HOSTILE and self.random.random() < share

    def strike(self) -> None:
        """Raises something, or lets the invocation that calls stand still, for up to a minute."""
        if self.happens(0.02):
            raise self.random.choice(FAILURES)
        if self.happens(0.01):
            self.sim.clock.sleep(self.random.choice([1.5, 4, 20, 62]))


class HostileMetrics(FakeMetrics):
    hostility: Hostility

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        self.hostility.strike()
        answers = super().read(reads, now)
        return {name: [] if self.hostility.happens(0.03) else answer for name, answer in answers.items()}


class HostileEcs(FakeEcs):
    """`found` holds, for every call that was made, what it asked for and the count that it met."""

    hostility: Hostility
    found: list[tuple[str, int, int]]

    def describe(self, services: Sequence[str], caller: str) -> dict[str, ServiceState | AwsError]:
        if self.hostility.happens(0.03):
            raise self.hostility.random.choice(FAILURES)
        return super().describe(services, caller)

    def update(self, service: str, desired: int, caller: str) -> None:
        if self.hostility.happens(0.1):
            takes_effect = self.hostility.random.choice([None, 0.0, 1.0, 3.0])
            self.outcomes[service] = [Outcome(UNKNOWN, applied_after=takes_effect)]
        self.found.append((service, desired, self.fleets[service].desired))
        super().update(service, desired, caller)


def hostile(seed: int) -> tuple[Simulation, HostileEcs, Hostility]:
    sim = Simulation()
    hostility = Hostility(seed, sim)
    sim.ecs = ecs = HostileEcs(sim.clock, sim.journal)
    ecs.hostility, ecs.found = hostility, []
    sim.metrics = HostileMetrics(sim.clock, ecs)
    sim.metrics.hostility = hostility
    for method in ("poll", "save", "take_over"):
        sim.store.before[method] = hostility.strike
    return sim, ecs, hostility


def load_at(levels: Sequence[float], t: float) -> float:
    return levels[min(max(0, int(t)) // LEVEL, len(levels) - 1)]


def invoke(sim: Simulation, services: Sequence[Service], t: float) -> RecordingReport:
    """An invocation at `t`. One that cannot take over fails, and its predecessor goes on."""
    report = RecordingReport(sim.clock)

    def run() -> None:
        try:
            sim.run(services, until=HOSTILE + CALM, caller=str(t), report=report)
        except (AwsError, KeyError):
            assert report.epoch == 0

    sim.clock.start(t, run)
    return report


@pytest.mark.parametrize("seed", range(8))
def test_no_call_breaks_a_rule_and_the_load_is_answered_when_all_is_well_again(seed: int) -> None:
    sim, ecs, hostility = hostile(seed)
    loads = [[hostility.random.choice([150, 400, 900, 2000]) for _ in range(HOSTILE // LEVEL)] for _ in range(2)]
    services = []
    for number, levels in enumerate(loads):
        shop = a_service(f"shop-{number}", MinCapacity=2, MaxCapacity=30, Behavior={"ScaleIn": HALF_A_MINUTE})
        services.append(sim.add(shop, tasks=6, load=partial(load_at, levels)))
    t, reports = 0.0, []
    while t < HOSTILE + CALM / 2:
        reports.append(invoke(sim, services, t))
        t += hostility.random.choice([60, 60, 20, 0.5, 119])
    sim.clock.run_all()

    decisions = [d for report in reports for look in report.looks for d in look.decisions.values()]
    cuts = {(d.current, d.desired) for d in decisions if d.desired < d.current}
    intended: dict[str, str] = {}
    for what, service, count in (entry.split() for entry in sim.journal):
        if what == "intent":
            intended[service] = count
        else:
            assert intended.pop(service) == count, "a call without an intent of its own"
    for _, asked, met in ecs.found:
        assert 2 <= asked <= 30
        assert asked >= met or (met, asked) in cuts, "a call that took tasks away, and none was to"
    for service, levels in zip(services, loads, strict=True):
        assert ceil(levels[-1] / 110) <= sim.fleet(service).desired <= ceil(levels[-1] / 85)
