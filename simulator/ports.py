"""The library's ports, on the simulated world: what AWS is to the deployed loop.

No time passes inside a call but in `SimulatedStore.poll`.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from fastscaler.aws.dynamodb import Head, Takeover
from fastscaler.errors import AwsError, Superseded
from fastscaler.look import Look
from fastscaler.loop import Ending
from fastscaler.scaling.memory import Memory, from_json, to_json
from fastscaler.scaling.observation import FailedLaunch, ServiceState
from simulator.world import START, World

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class AtOnce(Executor):
    """The port `Threads`: a call is over before the loop goes on, so no answer depends on which thread came first."""

    def __init__(self, most: int, name: str) -> None:
        """Nothing is needed."""

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """The result of the call, or its error."""
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class SimulatedClock:
    """The port `Clock`. Time passes while the loop sleeps, and no further than to `limit`: then a successor takes over.

    A predecessor really sleeps on until its next look, finds another epoch and leaves; here it finds that at once.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.t = 0.0  # Seconds of the run.
        self.limit = float(world.end)

    def now(self) -> float:
        """Epoch seconds."""
        return START + self.t

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        self.t = min(self.t + max(0.0, seconds), self.limit)
        self._world.advance(self.t)

    @property
    def is_over(self) -> bool:
        """Whether a successor has begun."""
        return self.t >= self.limit


class SimulatedStore:
    """The port `StateStore`, fenced as the DynamoDB table is. It keeps text, as the table does."""

    def __init__(self, world: World, clock: SimulatedClock) -> None:
        self._world, self._clock = world, clock
        self._epoch = 0
        self._stored: dict[str, str] = {}

    def take_over(self) -> int:
        """A new epoch."""
        self._epoch += 1
        return self._epoch

    def read_all(self) -> Takeover:
        """What was stored."""
        self._world.usage.queries += 1
        found = {service: from_json(text) for service, text in self._stored.items()}
        return Takeover(self._epoch, (), {service: memory for service, memory in found.items() if memory is not None})

    def poll(self) -> Head:
        """The epoch. The time that the reads of a look take passes here."""
        self._world.usage.queries += 1
        self._clock.sleep(self._world.settings.read_seconds)
        return Head(self._current_epoch(), ())

    def save(self, epoch: int, memories: Mapping[str, Memory]) -> None:
        """Keeps memories. Raises Superseded."""
        if epoch != self._current_epoch():
            raise Superseded(f"epoch {epoch} is over")
        self._world.usage.memories_written += len(memories)
        self._stored.update((service, to_json(memory)) for service, memory in memories.items())

    def _current_epoch(self) -> int:
        return self._epoch + self._clock.is_over


class SimulatedService:
    """The ports `ServiceApi` and `TargetHealth` for the one service of the world."""

    def __init__(self, world: World, clock: SimulatedClock) -> None:
        self._world, self._clock = world, clock

    def describe(self, services: Sequence[str]) -> Mapping[str, ServiceState | AwsError]:
        """The service as it is."""
        self._world.usage.described += 1
        fleet = self._world.fleet
        state = ServiceState(fleet.desired, fleet.running, len(fleet.pending), target_groups=("simulated",))
        return dict.fromkeys(services, state)

    def update(self, service: str, desired: int) -> None:
        """Sets the desired count."""
        self._world.update_service(desired, self._clock.t)

    def healthy(self, target_groups: Sequence[str]) -> int:
        """Tasks that take requests."""
        self._world.usage.health_described += 1
        return len(self._world.fleet.serving)


class NothingElse:
    """The ports `StoppedTasks` and `ScalableTargets`: every launch succeeds, and nobody else scales."""

    def failed_launches(self, service: str) -> Sequence[FailedLaunch]:
        """None."""
        return ()

    def competitors(self, services: Sequence[str]) -> Mapping[str, str]:
        """None."""
        return dict.fromkeys(services, "")


class SimulatedReport:
    """The port `Report`: why each call was made. An error is a defect of the simulation, so it ends it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def started(self, epoch: int, services: int) -> None:
        """Counted."""
        self._world.usage.invocations += 1

    def looked(self, look: Look) -> None:
        """The calls of a look get their reasons. Raises the first error that the look has met."""
        self._world.usage.looks += 1
        self._world.usage.looks_again += look.again
        for _, error in look.errors:
            raise error
        for scaled in look.scaled:
            self._world.calls[-1].reason = look.decisions[scaled.service].reason

    def failed(self, doing: str, error: AwsError) -> None:
        """Raises the error."""
        raise error

    def ended(self, epoch: int, why: Ending) -> None:
        """Nothing is to be done."""
