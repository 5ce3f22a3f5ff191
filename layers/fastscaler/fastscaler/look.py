"""One look: gather, decide, apply, for all services in one pass with batched reads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial

from fastscaler.apply import Applier, Scaled
from fastscaler.errors import AwsError, Defect, Superseded, told_as
from fastscaler.gather import Gatherer
from fastscaler.inquire import Inquirer
from fastscaler.ledger import follow
from fastscaler.pace import BUCKET
from fastscaler.ports import Clock, TargetHealth, Threads
from fastscaler.scaling.decision import LEFT_ALONE, Decision, decide
from fastscaler.scaling.guards import learn_of_competitor
from fastscaler.scaling.memory import Ledger, Memory
from fastscaler.scaling.observation import Floor, Observation, Pause, ServiceState
from fastscaler.scaling.policy import Service

Decide = Callable[[Service, Observation, Memory, float], Decision]

MAX_HEALTH_CALLS = 10  # Services whose target health is asked for in one look, for their ledgers.


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found and did, for the report. Times are epoch seconds, keys are `cluster/service`.

    `errors` pairs each error with the service it concerns, empty where it concerns several; `notes` pairs a service
    with what came to light about it apart from its decision. `again`: this look came
    after a first one at the same bucket. `read`: when its data had been read; `decided`: when it had been decided on.
    `clock_ahead`: seconds by which this machine's clock leads AWS's. `metrics_read`: the metrics that GetMetricData
    bills for it.
    """

    number: int
    at: float
    read: float
    decided: float
    finished: float
    again: bool
    decisions: Mapping[str, Decision]
    states: Mapping[str, ServiceState]
    scaled: Sequence[Scaled] = ()
    ledgers: Sequence[tuple[str, Ledger]] = ()
    notes: Sequence[tuple[str, str]] = ()
    errors: Sequence[tuple[str, AwsError]] = ()
    clock_ahead: float | None = None
    metrics_read: int = 0


class Looker:
    """Looks at `services`; nothing is called for those in `observed`."""

    def __init__(
        self,
        services: Sequence[Service],
        observed: frozenset[str],
        gatherer: Gatherer,
        inquirer: Inquirer,
        applier: Applier,
        targets: TargetHealth,
        clock: Clock,
        threads: Threads = ThreadPoolExecutor,
        decide: Decide = decide,
    ) -> None:
        self._services, self._observed = services, observed
        self._gatherer, self._inquirer, self._applier = gatherer, inquirer, applier
        self._targets, self._clock, self._decide_one = targets, clock, decide
        self._decisions: dict[str, Decision] = {}
        self._defective: set[str] = set()  # Services in whose decision this program failed; nothing is asked of them.
        self._health_calls = 0
        self._reader = threads(2, "read-services")

    def look(self, number: int, directives: Sequence[Floor | Pause], clock_ahead: float | None, *, again: bool) -> Look:
        """Looks once: at everything that is due or, `again`, only at the late metrics of hot services.

        Raises Superseded. An AwsError of one service leaves the others alone and its own count where it is.
        """
        at, read_before = self._clock.now(), self._gatherer.metrics_read
        services = self.late_services(at) if again else self._services
        errors = self._gather(services, at, again=again)
        # The clock is read again: data is judged at the time at which it was there.
        read = self._clock.now()
        # Before deciding: a decision from the memory before an answer would undo what that answer said.
        scaled = self._applier.collect(0)
        decisions = self._decide(services, directives, read, errors)
        decided = self._clock.now()
        self._decisions.update(decisions)
        scaled += self._apply(decisions, read, errors)
        errors += [(one.service, one.error) for one in scaled if one.error is not None]
        ledgers = [(one.service, ledger) for one in scaled for ledger in self._opened(one)]
        notes: Sequence[tuple[str, str]] = ()
        if not again:
            ledgers += self._follow_ledgers(services, errors)
            notes = self._learn_of_competitors(services, read, errors)
        states = {key: state for key in decisions if isinstance(state := self._gatherer.state(key), ServiceState)}
        finished = self._clock.now()
        return Look(
            number=number,
            at=at,
            read=read,
            decided=decided,
            finished=finished,
            again=again,
            decisions=decisions,
            states=states,
            scaled=scaled,
            ledgers=ledgers,
            notes=notes,
            errors=tuple(errors),
            clock_ahead=clock_ahead,
            metrics_read=self._gatherer.metrics_read - read_before,
        )

    def late_services(self, now: float) -> list[Service]:
        """The hot services whose newest bucket is not complete yet."""
        return [
            service
            for service in self._services
            if (last := self._decisions.get(service.key)) is not None
            and last.hot
            and service.key not in self._defective
            and self._gatherer.on_time(service, now) is False
        ]

    def on_time_share(self, now: float) -> float | None:
        """Which share of the services that publish has its newest bucket complete; None where none publishes."""
        sound = [service for service in self._services if service.key not in self._defective]
        found = [on_time for service in sound if (on_time := self._gatherer.on_time(service, now)) is not None]
        return sum(found) / len(found) if found else None

    def close(self) -> list[Scaled]:
        """Waits for the calls on their way."""
        self._reader.shutdown(wait=True)
        return self._applier.close()

    def _gather(self, services: Sequence[Service], now: float, *, again: bool) -> list[tuple[str, AwsError]]:
        if again:
            errors = [("", error) for error in self._gatherer.read_late(services, now)]
            # One call after the last description is explained by memory, a second one is not.
            outdated = [service.key for service in services if self._is_outdated(service.key)]
            return errors + list(self._gatherer.describe(outdated, outdated, now).items())
        urgent = {service.key for service in services if self._is_urgent(service)}
        described = self._reader.submit(self._gatherer.describe, [s.key for s in services], urgent, now)
        stuck = self._inquirer.launches_due(services, self._applier.memory, now)
        asked = self._reader.submit(self._inquirer.ask_for_launches, stuck, now)
        errors = [("", error) for error in self._gatherer.read_due(services, now)]
        errors += [("", error) for error in asked.result()]
        return errors + list(described.result().items())

    def _is_urgent(self, service: Service) -> bool:
        """Whether the service is hot, in flight or in deployment, so that its state is needed at every look."""
        last, state = self._decisions.get(service.key), self._gatherer.state(service.key)
        if not isinstance(state, ServiceState):
            return False  # The gatherer knows when to ask again.
        if last is None:
            return True
        memory = self._applier.memory(service.key)
        in_flight = memory.intent is not None or bool(memory.ledgers) or state.running < state.desired
        return last.hot or in_flight or self._is_outdated(service.key) or state.deployment_in_progress

    def _is_outdated(self, service: str) -> bool:
        """Whether the known state is from before the last call.

        Once the grace of that call is over, or another one is made, the old count would pass for someone else's change.
        """
        state = self._gatherer.state(service)
        return isinstance(state, ServiceState) and state.desired != self._applier.memory(service).desired

    def _decide(
        self,
        services: Sequence[Service],
        directives: Sequence[Floor | Pause],
        now: float,
        errors: list[tuple[str, AwsError]],
    ) -> dict[str, Decision]:
        decisions = self._decide_once(services, directives, now, errors)
        # A change is never decided on a state of half a minute ago: ask again, and decide anew.
        old = [
            service
            for service in services
            if service.key in decisions
            and decisions[service.key].activity is not None
            and now - self._gatherer.described_at(service.key) > BUCKET
        ]
        if old:
            keys = [service.key for service in old]
            errors += self._gatherer.describe(keys, keys, now).items()
            for key in keys:
                del decisions[key]
            decisions |= self._decide_once(old, directives, now, errors)
        return decisions

    def _decide_once(
        self,
        services: Iterable[Service],
        directives: Sequence[Floor | Pause],
        now: float,
        errors: list[tuple[str, AwsError]],
    ) -> dict[str, Decision]:
        """A decision for every service whose state is known; the others stand still."""
        decisions = {}
        for service in services:
            self._defective.discard(service.key)
            try:
                observation = self._gatherer.observe(service, directives, now)
                if not isinstance(observation, AwsError):
                    observation = self._inquirer.add_to(observation, service.key)
                    memory = self._applier.memory(service.key)
                    decisions[service.key] = self._decide_one(service, observation, memory, now)
            except Exception as error:
                # Whatever it is, it must not leave the other services to nobody.
                self._defective.add(service.key)
                errors.append((service.key, Defect.of("decide", error)))
        return decisions

    def _apply(
        self, decisions: Mapping[str, Decision], read: float, errors: list[tuple[str, AwsError]]
    ) -> list[Scaled]:
        done = {
            key: replace(decision, activity=None) if key in self._observed else decision
            for key, decision in decisions.items()
        }
        try:
            scaled = self._applier.apply(done, read)
        except AwsError as error:
            errors.append(("", error))
            return []
        self._save(errors)
        return scaled

    def _save(self, errors: list[tuple[str, AwsError]]) -> None:
        """Stores what has been learned. Whatever comes of it, what this look has done must still be told."""
        try:
            self._applier.save()
        except Superseded:
            pass  # The next look finds that out for itself.
        except Exception as error:
            errors.append(("", told_as("write memory", error)))

    def _learn_of_competitors(
        self, services: Sequence[Service], now: float, errors: list[tuple[str, AwsError]]
    ) -> list[tuple[str, str]]:
        """Asks for other scalers where that is due, and stores the answers at once: a successor will not ask again."""
        decisions = self._decisions
        scaled_here = [one for one in services if one.key in decisions and decisions[one.key].cause != LEFT_ALONE]
        found, met = self._inquirer.ask_for_competitors(scaled_here, self._applier.memory, now)
        errors += [("", error) for error in met]
        notes = []
        for key, competitor in found.items():
            self._applier.memories[key], note = learn_of_competitor(self._applier.memory(key), competitor)
            if note:
                notes.append((key, note))
        if found:
            self._save(errors)
        return notes

    def _opened(self, scaled: Scaled) -> list[Ledger]:
        """The ledger that this call has opened, if it was a scale-out."""
        ledgers = self._applier.memory(scaled.service).ledgers
        return [ledger for ledger in ledgers if ledger.updated == scaled.returned]

    def _follow_ledgers(
        self, services: Sequence[Service], errors: list[tuple[str, AwsError]]
    ) -> list[tuple[str, Ledger]]:
        followed: list[tuple[str, Ledger]] = []
        self._health_calls = 0
        for service in services:
            memory, state = self._applier.memory(service.key), self._gatherer.state(service.key)
            if not memory.ledgers or not isinstance(state, ServiceState):
                continue
            # Asked once for all ledgers of the service, and only if one of them has come that far.
            healthy = cache(partial(self._healthy, service.key, state.target_groups, errors))
            memory, progressed = follow(service, state, memory, healthy, self._clock.now())
            self._applier.memories[service.key] = memory
            followed += ((service.key, ledger) for ledger in progressed)
        return followed

    def _healthy(self, service: str, target_groups: Sequence[str], errors: list[tuple[str, AwsError]]) -> int:
        """The healthy targets of `service`; none where that is not known, so that its ledger ends in time anyway."""
        if self._health_calls >= MAX_HEALTH_CALLS:
            return 0  # The ledger is a record: it may be a look late, and must not make one late.
        self._health_calls += 1
        try:
            return self._targets.healthy(target_groups)
        except Exception as error:
            self._health_calls = MAX_HEALTH_CALLS
            errors.append((service, told_as("read target health", error)))
            return 0
