"""One controller on one trace."""

import time
from collections.abc import Callable
from typing import Protocol

from simulator.run import Run, Trace
from simulator.settings import Settings
from simulator.world import World, arrays


class Controller(Protocol):
    """What scales the service of a world. It keeps nothing between two runs."""

    @property
    def name(self) -> str:
        """What results call it."""

    def drive(self, world: World) -> None:
        """Lets time pass in `world` to the end of its trace, and scales meanwhile."""


def simulate(
    trace: Trace,
    controller: Controller,
    settings: Settings | None = None,
    seed: int = 1,
    progress: Callable[[int], None] = lambda second: None,
) -> Run:
    """The run of `controller` on `trace`; the same for the same arguments.

    `progress` is called with the simulated second every ten minutes of the trace.
    """
    begun = time.perf_counter()
    settings = settings or Settings()
    world = World(trace, settings, seed, progress)
    controller.drive(world)
    world.advance(world.end)
    return Run(
        trace=trace.name,
        controller=controller.name,
        seed=seed,
        settings=settings,
        calls=tuple(world.calls),
        usage=world.usage,
        seconds=time.perf_counter() - begun,
        **arrays(world),
    )
