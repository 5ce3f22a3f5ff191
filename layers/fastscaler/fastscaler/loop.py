"""One invocation of the scaler: take over, look again and again, hand over.

Nothing here relies on when it is invoked. The newest invocation takes over by adding 1 to the epoch; every look begins
by reading the epoch, and an invocation that finds another one leaves without acting. So beats may be missed, late or
doubled: exactly one invocation decides.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from fastscaler.apply import Applier
from fastscaler.errors import AwsError, Superseded, Throttled, Unavailable, told_as
from fastscaler.gather import Gatherer
from fastscaler.inquire import Inquirer
from fastscaler.look import Decide, Look, Looker
from fastscaler.pace import AGAIN, Pace, newest_bucket_end
from fastscaler.ports import (
    Clock,
    MetricSource,
    ScalableTargets,
    ServiceApi,
    StateStore,
    StoppedTasks,
    TargetHealth,
    Threads,
)
from fastscaler.scaling.decision import decide
from fastscaler.scaling.policy import Service

MARGIN = 15.0  # Seconds before the deadline at which the loop ends: more than a look with slow answers takes.
DATE_RESOLUTION = 0.5  # A Date header has whole seconds; on average it is half a second behind.
INSIST = 10.0  # Seconds for which an invocation tries to take over.

Ending = Literal["superseded", "deadline", "finished"]
Answer = TypeVar("Answer")


class Report(Protocol):
    """Where the loop tells what it does."""

    def started(self, epoch: int, services: int) -> None:
        """This invocation decides now."""

    def looked(self, look: Look) -> None:
        """A look is over."""

    def failed(self, doing: str, error: AwsError) -> None:
        """A call failed on which all services depend while `doing` something; nothing was changed."""

    def ended(self, epoch: int, why: Ending) -> None:
        """This invocation decides no more."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside that the loop uses."""

    store: StateStore
    metrics: MetricSource
    ecs: ServiceApi
    stopped: StoppedTasks
    scalable: ScalableTargets
    targets: TargetHealth
    clock: Clock
    report: Report
    threads: Threads = ThreadPoolExecutor


def run(
    services: Sequence[Service],
    world: World,
    pace: Pace,
    deadline: float,
    *,
    observed: frozenset[str] = frozenset(),
    looks: int | None = None,
    decide: Decide = decide,
    enough: Callable[[], bool] = lambda: False,
    once_started: Callable[[int], None] = lambda epoch: None,
) -> Ending:
    """Takes over and looks until superseded, until `looks` are done or it is `enough`, or `deadline` (epoch s) is near.

    Nothing is called for services in `observed`. `once_started` is called with the epoch after the first look, so that
    nothing stands between taking over and looking. `decide` is there for a simulation of other rules. Raises AwsError
    where it could not take over: then the predecessor goes on, unless what it would need is out of order as well.
    """
    clock, report = world.clock, world.report
    if clock.now() >= deadline - MARGIN:
        return "deadline"
    # Bounded: an invocation that insisted for longer could take over from one that is newer than itself.
    epoch = _insist(world.store.take_over, "taking over", world, min(clock.now() + INSIST, deadline - MARGIN))
    # From here on the predecessor is superseded: to give up would leave the services to nobody.
    stored = _insist(world.store.read_all, "reading the memory", world, deadline - MARGIN).memories
    report.started(epoch, len(services))
    memories = {service.key: stored[service.key] for service in services if service.key in stored}
    applier = Applier(world.ecs, world.store, clock, epoch, memories, world.threads)
    gatherer = Gatherer(services, world.metrics, world.ecs, clock.now())
    inquirer = Inquirer(services, world.stopped, world.scalable, clock.now())
    looker = Looker(services, observed, gatherer, inquirer, applier, world.targets, clock, world.threads, decide)
    why: Ending = "deadline"
    try:
        number, again, looked_at = 0, False, 0.0
        while clock.now() < deadline - MARGIN:
            number, begun = number + 1, clock.now()
            looked = _look(looker, world, epoch, number, again=again)
            if number == 1:
                once_started(epoch)
            if number > 1 and not again:
                looked_at = newest_bucket_end(begun)
                if looked and (share := looker.on_time_share(begun)) is not None:
                    pace.learn(share)
            if number == looks or enough():
                why = "finished"
                break
            now = clock.now()
            next_look, next_again = pace.next_look(now, looked_at), max(begun + pace.again, now)
            again = looked and bool(looker.late_services(begun)) and next_again < next_look
            clock.sleep(min(next_again if again else next_look, deadline - MARGIN) - now)
    except Superseded:
        why = "superseded"
    finally:
        looker.close()
    report.ended(epoch, why)
    return why


def _insist(call: Callable[[], Answer], doing: str, world: World, until: float) -> Answer:
    """What `call` answers, asked again every second until `until` while AWS is busy or broken. Raises AwsError."""
    while True:
        try:
            return call()
        except (Throttled, Unavailable) as error:
            if world.clock.now() + AGAIN >= until:
                raise
            world.report.failed(doing, error)
        world.clock.sleep(AGAIN)


def _look(looker: Looker, world: World, epoch: int, number: int, *, again: bool) -> bool:
    """One look under the fence; False where it could not be had. Raises Superseded."""
    doing = "reading the epoch"
    try:
        # Where it fails, nobody knows whether this invocation still decides, so it does nothing until that is known.
        head = world.store.poll()
        if head.epoch != epoch:
            raise Superseded(f"epoch {head.epoch} has begun")
        doing = "looking"
        ahead = None if head.date is None else world.clock.now() - head.date - DATE_RESOLUTION
        world.report.looked(looker.look(number, head.directives, ahead, again=again))
    except Superseded:
        raise
    except Exception as error:
        # A defect of this program too: an invocation that ended by it would leave the services to nobody for a minute.
        world.report.failed(doing, told_as(doing, error))
        return False
    return True
