"""FastScaler: the deployed loop itself.

Every minute it is handed over to a new invocation that knows only what was stored.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastscaler import loop
from fastscaler.look import Decide
from fastscaler.pace import Pace
from fastscaler.scaling.decision import decide
from fastscaler.scaling.policy import Service
from simulator.metric_source import SimulatedMetrics
from simulator.ports import AtOnce, NothingElse, SimulatedClock, SimulatedReport, SimulatedService, SimulatedStore
from simulator.world import World

BEAT = 60  # Seconds: rate(1 minute).
TIME_OUT = 900.0  # Seconds that one invocation may take.
# Sandboxes that take turns: at a hand-over one is busy, so Lambda invokes the other. The learned delay lives in them.
SANDBOXES = 2


@dataclass(frozen=True, slots=True)
class FastScaler:
    """Scales by the policies of `service`. Another `decide` or `pace` makes another scaler: see `ablations`."""

    service: Service
    name: str = "fastscaler"
    decide: Decide = decide
    pace: Callable[[], Pace] = Pace

    def drive(self, world: World) -> None:
        """Runs to the end of the trace. Raises NotSimulated for a metric that the world does not have."""
        clock = SimulatedClock(world)
        ecs, nothing = SimulatedService(world, clock), NothingElse()
        metrics = SimulatedMetrics(world, self.service)
        store, report = SimulatedStore(world, clock), SimulatedReport(world)
        account = loop.World(store, metrics, ecs, nothing, nothing, ecs, clock, report, AtOnce)
        paces = [self.pace() for _ in range(SANDBOXES)]
        minute = 0
        while clock.t < world.end:
            minute += 1
            clock.limit = min(fires_at(world, minute), world.end)
            loop.run([self.service], account, paces[minute % SANDBOXES], clock.now() + TIME_OUT, decide=self.decide)


def fires_at(world: World, minute: int) -> float:
    """When EventBridge fires in this minute of the run (seconds); in the first one, 0, it fires as the run begins."""
    late = world.settings.beat_spread * float(world.draws.uniform("beats", minute))
    return BEAT * minute + late if minute else 0.0
