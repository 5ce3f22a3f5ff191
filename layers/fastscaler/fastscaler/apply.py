"""Apply: the one place that scales. An intent is written under the fence, then called once, then acknowledged."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from fastscaler.errors import AwsError, Rejected, Unavailable
from fastscaler.ledger import close_call
from fastscaler.ports import Clock, ServiceApi, StateStore, Threads
from fastscaler.scaling.decision import Decision
from fastscaler.scaling.memory import Change, Ledger, Memory

SEND_WITHIN = 1.0  # Seconds after its intent was written within which a call must leave, or not at all.
WAIT_FOR_CALLS = 1.0  # Seconds that a tick waits for its calls; a slower one is collected by a later tick.
REASON_LENGTH = 300  # Characters of a reason that are stored: DynamoDB bills by the kilobyte.
PARALLEL_UPDATES = 50  # What ECS takes at once; a call that had to queue here would not leave in time.


@dataclass(frozen=True, slots=True)
class Scaled:
    """A call that came back: the service, how it ended, and when (epoch seconds)."""

    service: str
    desired: int
    returned: float
    error: AwsError | None = None


@dataclass
class Applier:
    """Carries decisions out. Holds the memory of every service, and what of it is stored."""

    ecs: ServiceApi
    store: StateStore
    clock: Clock
    epoch: int
    memories: dict[str, Memory]
    threads: Threads = ThreadPoolExecutor
    _saved: dict[str, Memory] = field(default_factory=dict)
    _calls: dict[str, Future[Scaled]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._saved = dict(self.memories)
        self._pool = self.threads(PARALLEL_UPDATES, "update-service")

    def memory(self, service: str) -> Memory:
        """What is remembered of the service; a new memory where nothing is."""
        return self.memories.get(service) or Memory()

    def apply(self, decisions: Mapping[str, Decision], read: float) -> list[Scaled]:
        """Makes the decided changes; `read` is when their data had been read (epoch seconds), they are decided now.

        Only the intents are written first, so that nothing else can delay or prevent the calls; `save` writes the rest.
        Raises Superseded and AwsError, in both cases with no call made.
        """
        intended: list[str] = []
        decided = self.clock.now()
        for service, decision in decisions.items():
            self.memories[service] = decision.memory
            if decision.activity is not None and service not in self._calls:
                ledger = None
                if decision.desired > decision.current:
                    # A floor is no answer to a bucket.
                    since = decision.bucket_end if decision.activity.cause == "policy" else None
                    ledger = Ledger(decision.current, decision.desired, since, read, decided)
                self.memories[service] = decision.memory.intend(decision.activity, ledger, _told(decision))
                intended.append(service)
        written = self.clock.now()
        try:
            self._save(intended)
        except Exception:
            for service in intended:
                self.memories[service] = decisions[service].memory
            raise
        for service in intended:
            desired = decisions[service].desired
            self._calls[service] = self._pool.submit(self._update, service, desired, written)
        return self.collect(WAIT_FOR_CALLS)

    def collect(self, seconds: float) -> list[Scaled]:
        """Takes in the calls that have come back, or do so within `seconds`."""
        if not self._calls:
            return []
        wait(self._calls.values(), timeout=seconds)
        done = {service: call.result() for service, call in self._calls.items() if call.done()}
        for service, scaled in done.items():
            del self._calls[service]
            memory = self.memories[service]
            if scaled.error is None:
                self.memories[service] = close_call(memory.acknowledge(), scaled.returned)
            elif not isinstance(scaled.error, Unavailable):
                self.memories[service] = memory.withdraw()
        return list(done.values())

    def save(self) -> None:
        """Stores what a successor would need, and nothing where it would need nothing. Raises Superseded, AwsError."""
        self._save(self.memories)

    def _save(self, services: Iterable[str]) -> None:
        changed = {
            service: memory
            for service in services
            if (memory := self.memories[service]).worth_saving(self._saved.get(service) or Memory())
        }
        if changed:
            self.store.save(self.epoch, changed)
            self._saved.update(changed)

    def close(self) -> list[Scaled]:
        """Waits for every call on its way: a frozen sandbox would send it minutes later."""
        self._pool.shutdown(wait=True)
        return self.collect(0)

    def _update(self, service: str, desired: int, written: float) -> Scaled:
        if not 0 <= self.clock.now() - written <= SEND_WITHIN:
            error = Rejected("UpdateService", "NotSent", f"the call could not leave within {SEND_WITHIN:g} s")
            return Scaled(service, desired, self.clock.now(), error)
        try:
            self.ecs.update(service, desired)
        except AwsError as caught:
            return Scaled(service, desired, self.clock.now(), caught)
        except Exception as caught:
            # A defect of this program: whether the call had an effect is as unknown as after a time-out.
            unknown = Unavailable("UpdateService", type(caught).__name__, str(caught))
            return Scaled(service, desired, self.clock.now(), unknown)
        return Scaled(service, desired, self.clock.now())


def _told(decision: Decision) -> Change | None:
    activity, reason = decision.activity, decision.reason
    if activity is None:
        return None
    if len(reason) > REASON_LENGTH:
        reason = f"{reason[: REASON_LENGTH - 3]}..."
    return Change(activity.at, decision.current, decision.desired, decision.cause, reason)
