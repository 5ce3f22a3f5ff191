"""Traces and controllers that tests write down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastscaler.document.parse import parse_document
from fastscaler.scaling.policy import Service
from simulator.run import Run, Trace
from simulator.settings import Settings
from simulator.simulate import Controller, simulate
from simulator.world import World

POLICIES = Path(__file__).parents[3] / "policies.yaml"

GOLDEN_RATIO = (5**0.5 - 1) / 2


def steady(load: float, seconds: int) -> Trace:
    """The same load all the time."""
    return Trace("steady", [load] * seconds)


def surge(before: float, after: float, at: float, seconds: int) -> Trace:
    """A load that jumps at `at`, which may be within a second."""
    shares = (min(1.0, max(0.0, second + 1 - at)) for second in range(seconds))
    return Trace("surge", [before + (after - before) * share for share in shares])


def surge_at(seed: int, earliest: int) -> float:
    """A moment of the minute after `earliest`: consecutive seeds fall evenly into their buckets of 5 s."""
    return earliest + 5 * (seed % 12) + 5 * (seed * GOLDEN_RATIO % 1)


@dataclass
class Scripted:
    """A controller that makes the calls it is told to, by second, and lets a test look at the world meanwhile."""

    calls: Mapping[int, int] = field(default_factory=dict)
    connect: Callable[[World], object] = lambda world: None
    each_second: Callable[[World], object] = lambda world: None
    name: str = "scripted"

    def drive(self, world: World) -> None:
        self.connect(world)
        while world.now < world.end:
            if world.now in self.calls:
                world.update_service(self.calls[world.now], world.now)
            world.advance(world.now + 1)
            self.each_second(world)


def shipped(**changes: object) -> Service:
    """The service of the shipped document; `changes` replace keys of it."""
    service = parse_document(POLICIES.read_text(), POLICIES.name).services[0]
    return Service.model_validate(service.model_dump(by_alias=True) | changes)


def run_five_fold(
    controller: Controller, seed: int, settings: Settings, *, tasks: int, seconds: int
) -> tuple[float, Run]:
    """A 5x surge from 60% of the target on `tasks` tasks: when it came, and the run until `seconds` later."""
    at, before = surge_at(seed, 180), 0.6 * settings.target * tasks
    settings = replace(settings, start_tasks=tasks, minimum=tasks)
    return at, simulate(surge(before, 5 * before, at, int(at) + seconds), controller, settings, seed)


def unaccounted(run: Run) -> float:
    """Requests that came and were neither served nor lost, and do not wait either."""
    return float(run.load.sum() - run.served.sum() - run.lost.sum() - run.queue[-1])
