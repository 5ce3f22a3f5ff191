"""In-memory stand-ins for the loop's ports, in simulated time.

One loop runs in the test's own thread. Several run in threads that take turns: whoever wakes first in simulated time
runs, alone, until it sleeps again, so that every run of a test is the same.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf

from fastscaler import loop
from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.aws.dynamodb import Directive, Head, Takeover
from fastscaler.errors import AwsError, NotFound, Superseded, Throttled
from fastscaler.look import Look
from fastscaler.loop import Ending, World
from fastscaler.pace import Pace
from fastscaler.scaling.memory import Memory, from_json, to_json
from fastscaler.scaling.metric import Metric
from fastscaler.scaling.observation import Datapoint, FailedLaunch, Floor, ServiceState
from fastscaler.scaling.policy import Service

EPOCH = 1_800_000_000.0  # A bucket boundary, and a minute's.
CLUSTER = "shops"
BUCKET = 5
FAILS_AFTER = 20.0  # Seconds until a task that cannot run has stopped.
PATIENCE = 20.0  # Real seconds after which a test that hangs fails.


class FakeClock:
    """Simulated time in epoch seconds; `t` is the same in seconds since the test began."""

    def __init__(self) -> None:
        self._now = EPOCH
        self._due: list[tuple[float, int, Callable[[], object] | threading.Event]] = []
        self._order = count()
        self._idle = threading.Event()
        self._errors: list[BaseException] = []

    def now(self) -> float:
        return self._now

    @property
    def t(self) -> float:
        return self._now - EPOCH

    def sleep(self, seconds: float) -> None:
        """Lets time pass: what is due meanwhile happens, and loops that wake earlier run."""
        woken = threading.Event()
        self._push(self._now + max(0.0, seconds), woken)
        self._pass_the_turn()
        assert woken.wait(PATIENCE), "the simulation hangs"

    def at(self, t: float, action: Callable[[], object]) -> None:
        """Has `action` happen at `t` seconds; it must not sleep."""
        self._push(EPOCH + t, action)

    def start(self, t: float, task: Callable[[], object]) -> None:
        """Has `task`, a loop, start at `t` seconds in a thread of its own; `run_all` runs what was started."""
        turn = threading.Event()

        def body() -> None:
            assert turn.wait(PATIENCE), "the simulation hangs"
            try:
                task()
            except BaseException as error:
                self._errors.append(error)
            self._pass_the_turn()

        threading.Thread(target=body, daemon=True).start()
        self._push(EPOCH + t, turn)

    def run_all(self) -> None:
        """Runs until every loop has ended; raises what one of them raised."""
        self._pass_the_turn()
        assert self._idle.wait(PATIENCE), "the simulation hangs"
        if self._errors:
            raise self._errors[0]

    def _push(self, when: float, what: Callable[[], object] | threading.Event) -> None:
        heappush(self._due, (when, next(self._order), what))

    def _pass_the_turn(self) -> None:
        while self._due:
            when, _, what = heappop(self._due)
            self._now = max(self._now, when)
            if isinstance(what, threading.Event):
                what.set()
                return
            what()
        self._idle.set()


@dataclass
class FakeFleet:
    """The tasks of one service. `asked` holds (t, count) for every change; new tasks run `start_seconds` later."""

    desired: int
    start_seconds: float = 30.0
    asked: list[tuple[float, int]] = field(default_factory=list)
    deploying: bool = False
    deployment: int = 1
    broken: str = ""  # Why new tasks stop before they run; ECS starts others in their place.
    failed: list[FailedLaunch] = field(default_factory=list)
    _ready: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ready = [-inf] * self.desired

    def set_desired(self, desired: int, t: float) -> None:
        self.asked.append((t, desired))
        self.desired = desired
        del self._ready[desired:]
        missing = desired - len(self._ready)
        self._ready += [inf if self.broken else t + self.start_seconds] * missing
        if self.broken:
            self.fail(t + FAILS_AFTER, missing)

    def fail(self, t: float, tasks: int) -> None:
        """Has `tasks` new tasks stop at `t` before they run."""
        self.failed += [FailedLaunch(EPOCH + t, self.broken)] * tasks

    def mend(self, t: float, *, deployed: bool) -> None:
        """What kept tasks from running is gone, after a deployment or without one."""
        self.broken = ""
        self.deployment += deployed
        self._ready = [ready if ready < inf else t + self.start_seconds for ready in self._ready]

    def running(self, t: float) -> int:
        return sum(ready <= t for ready in self._ready)

    @property
    def counts(self) -> list[int]:
        return [count for _, count in self.asked]


@dataclass
class Outcome:
    """How one planted UpdateService call ends. `applied_after`: seconds until its effect; None: it has none."""

    error: AwsError | None = None
    applied_after: float | None = 0.0
    killed: bool = False
    gate: threading.Event | None = None


class Killed(BaseException):
    """The sandbox ends at this moment, without asking."""


class FakeEcs:
    """The port `ServiceApi`. `described` and `updated` hold (t, caller, ...) of every call."""

    def __init__(self, clock: FakeClock, journal: list[str]) -> None:
        self._clock, self._journal = clock, journal
        self.fleets: dict[str, FakeFleet] = {}
        self.target_groups: tuple[str, ...] = ()
        self.status = "ACTIVE"
        self.refusals: dict[str, AwsError] = {}  # By service: what DescribeServices answers.
        self.outcomes: dict[str, list[Outcome]] = defaultdict(list)  # By service: of its next UpdateService calls.
        self.described: list[tuple[float, str, tuple[str, ...]]] = []
        self.updated: list[tuple[float, str, str, int]] = []
        self.before_update: Callable[[], object] = lambda: None

    def called_by(self, caller: str) -> "EcsCaller":
        return EcsCaller(self, caller)

    def describe(self, services: Sequence[str], caller: str) -> dict[str, ServiceState | AwsError]:
        self.described.append((self._clock.t, caller, tuple(services)))
        return {service: self.refusals.get(service) or self._state(service) for service in services}

    def _state(self, service: str) -> ServiceState | AwsError:
        fleet = self.fleets.get(service)
        if fleet is None:
            return NotFound("DescribeServices", "MISSING", f"no service {service}")
        running = fleet.running(self._clock.t)
        return ServiceState(
            fleet.desired,
            running,
            fleet.desired - running,
            self.status,
            deployment_in_progress=fleet.deploying,
            target_groups=self.target_groups,
            deployment=f"ecs-svc/{fleet.deployment}",
        )

    def update(self, service: str, desired: int, caller: str) -> None:
        self.before_update()
        self.updated.append((self._clock.t, caller, service, desired))
        self._journal.append(f"update {service} {desired}")
        outcomes = self.outcomes[service]
        outcome = outcomes.pop(0) if outcomes else Outcome()
        if outcome.gate is not None:
            assert outcome.gate.wait(PATIENCE), "the call was never let go"
        if outcome.killed:
            raise Killed
        if outcome.applied_after == 0:
            self.fleets[service].set_desired(desired, self._clock.t)
        elif outcome.applied_after is not None:
            at = self._clock.t + outcome.applied_after
            self._clock.at(at, lambda: self.fleets[service].set_desired(desired, at))
        if outcome.error is not None:
            raise outcome.error

    def times_described(self, service: str) -> list[float]:
        return [t for t, _, services in self.described if service in services]


@dataclass(frozen=True)
class EcsCaller:
    """FakeEcs as one loop sees it."""

    ecs: FakeEcs
    caller: str

    def describe(self, services: Sequence[str]) -> Mapping[str, ServiceState | AwsError]:
        return self.ecs.describe(services, self.caller)

    def update(self, service: str, desired: int) -> None:
        self.ecs.update(service, desired, self.caller)


class FakeMetrics:
    """The port `MetricSource`: every running task publishes its share of the load, in buckets of 5 s.

    `load`: requests/s of a service at t. `lateness`: seconds from the end of the bucket that ends at t to its arrival.
    """

    def __init__(self, clock: FakeClock, ecs: FakeEcs) -> None:
        self._clock, self._ecs = clock, ecs
        self.load: dict[str, Callable[[float], float]] = {}
        self.load_under: dict[str, Callable[[float], float]] = {}  # Of a rehearsal, by metric name.
        self.lateness: dict[str, Callable[[float], float]] = {}
        self.silent: dict[str, Callable[[float], int]] = {}  # Tasks of a service that run and do not publish.
        self.parts: dict[str, list[Datapoint]] = defaultdict(list)  # By service: a late bucket, as it fills.
        self.errors: dict[str, AwsError] = {}  # By service.
        self.datapoints: dict[MetricName, list[Datapoint]] = {}  # Of metrics that are not the load.
        self.reads: list[tuple[float, tuple[MetricName, ...]]] = []

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        self.reads.append((self._clock.t, tuple(read.name for read in reads)))
        return {read.name: self._answer(read) for read in reads}

    def _answer(self, read: MetricRead) -> Answer:
        if read.service in self.errors:
            return self.errors[read.service]
        if not read.metric.per_task or read.service not in self._ecs.fleets:
            return self.datapoints.get(read.name, [])
        # What is made up for a rehearsal is published under names of its own.
        name = read.metric.metric_name if isinstance(read.metric, Metric) else ""
        load = self.load_under.get(name) if name.startswith("Drill") else self.load.get(read.service)
        return [*self._buckets(read.service, read.window, load), *self.parts[read.service][-1:]]

    def _buckets(self, service: str, window: float, load: Callable[[float], float] | None) -> Iterator[Datapoint]:
        t = self._clock.t
        late: Callable[[float], float] = self.lateness.get(service, lambda end: 1.0)
        silent: Callable[[float], int] = self.silent.get(service, lambda start: 0)
        for start in range(int((t - window) // BUCKET) * BUCKET, int(t) + 1, BUCKET):
            end = start + BUCKET
            running = self._ecs.fleets[service].running(start)
            tasks = running - silent(start)
            if load is not None and tasks > 0 and end + late(end) <= t:
                yield Datapoint(EPOCH + start, load(start) * tasks / running, tasks)

    def times_read(self, service: str, key: str = "Load") -> list[float]:
        return [t for t, names in self.reads if (service, key) in names]


class FakeStore:
    """The ports `StateStore`, `DirectiveStore` and `DocumentStore`, fenced as the DynamoDB table is.

    `errors` holds, by method, what the next calls raise. `before` is called at the beginning of a method: time may pass
    there, as it does for a loop that stalls.
    """

    def __init__(self, clock: FakeClock, journal: list[str]) -> None:
        self._clock, self._journal = clock, journal
        self.epoch = 0
        self.stored: dict[str, str] = {}
        self.directives: dict[tuple[str, ...], tuple[Directive, float, str]] = {}
        self.document: str | None = None
        self.exists = True
        self.crowded: set[str] = set()  # Services whose memory the table is too busy to take.
        self.date_ahead = 0.0  # Seconds by which AWS's clock leads the machine's.
        self.errors: dict[str, list[AwsError]] = defaultdict(list)
        self.before: dict[str, Callable[[], None]] = {}
        self.calls: list[tuple[float, str]] = []

    def take_over(self) -> int:
        self._call("take_over")
        self.epoch += 1
        return self.epoch

    def read_all(self) -> Takeover:
        self._call("read_all")
        return Takeover(self.epoch, self._directives(), {service: self.memory(service) for service in self.stored})

    def poll(self) -> Head:
        self._call("poll")
        # A Date header has whole seconds, which are half a second behind on average.
        return Head(self.epoch, self._directives(), self._clock.now() + self.date_ahead - 0.5)

    def save(self, epoch: int, memories: Mapping[str, Memory]) -> None:
        self._call("save")
        self._fence(epoch)
        if self.crowded & memories.keys():
            raise Throttled("TransactWriteItems", "ThrottlingError")
        for service, memory in memories.items():
            self.stored[service] = to_json(memory)
            if memory.intent is not None:
                self._journal.append(f"intent {service} {memory.intent.desired}")

    def put_directive(self, directive: Directive, at: float, request_id: str) -> bool:
        self._call("put_directive")
        kind = ("prewarm", directive.owner) if isinstance(directive, Floor) else ("pause", directive.direction)
        key = (directive.service, *kind)
        if key in self.directives and (self.directives[key][1] > at or self.directives[key][2] == request_id):
            return False
        self.directives[key] = (directive, at, request_id)
        return True

    def load_document(self) -> str | None:
        self._call("load_document")
        return self.document

    def save_document(self, epoch: int, text: str) -> bool:
        self._call("save_document")
        self._fence(epoch)
        kept, self.document = self.document, text
        return kept != text

    def memory(self, service: str) -> Memory:
        memory = from_json(self.stored[service])
        assert memory is not None
        return memory

    def times(self, method: str) -> list[float]:
        return [t for t, called in self.calls if called == method]

    def _directives(self) -> tuple[Directive, ...]:
        return tuple(directive for directive, _, _ in self.directives.values())

    def _fence(self, epoch: int) -> None:
        if epoch != self.epoch:
            raise Superseded(f"epoch {epoch} is over")

    def _call(self, method: str) -> None:
        if method in self.before:
            self.before[method]()
        self.calls.append((self._clock.t, method))
        if self.errors[method]:
            raise self.errors[method].pop(0)
        if not self.exists:
            raise NotFound("Query", "ResourceNotFoundException")


class FakeTargets:
    """The port `TargetHealth`: all tasks of the only service are healthy `health_seconds` after they run."""

    def __init__(self, clock: FakeClock, ecs: FakeEcs) -> None:
        self._clock, self._ecs = clock, ecs
        self.health_seconds = 10.0
        self.error: AwsError | None = None
        self.asked: list[float] = []

    def healthy(self, target_groups: Sequence[str]) -> int:
        self.asked.append(self._clock.t)
        if self.error is not None:
            raise self.error
        (fleet,) = self._ecs.fleets.values()
        return fleet.running(self._clock.t - self.health_seconds)


class FakeStoppedTasks:
    """The port `StoppedTasks`: the launches of the fleets that failed in the last hour."""

    def __init__(self, clock: FakeClock, ecs: FakeEcs) -> None:
        self._clock, self._ecs = clock, ecs
        self.error: AwsError | None = None
        self.asked: list[tuple[float, str]] = []

    def failed_launches(self, service: str) -> Sequence[FailedLaunch]:
        self.asked.append((self._clock.t, service))
        if self.error is not None:
            raise self.error
        now = self._clock.now()
        return [one for one in self._ecs.fleets[service].failed if now - 3600 < one.stopped_at <= now]

    def times(self, service: str) -> list[float]:
        return [t for t, asked in self.asked if asked == service]


class FakeScalableTargets:
    """The port `ScalableTargets`. `found`: what Application Auto Scaling may do, by service."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.found: dict[str, str] = {}
        self.error: AwsError | None = None
        self.asked: list[tuple[float, tuple[str, ...]]] = []

    def competitors(self, services: Sequence[str]) -> Mapping[str, str]:
        self.asked.append((self._clock.t, tuple(services)))
        if self.error is not None:
            raise self.error
        return {service: self.found.get(service, "") for service in services}

    def times(self, service: str) -> list[float]:
        return [t for t, services in self.asked if service in services]


class RecordingReport:
    """The port `Report`; keeps all that it is told. Times are seconds since the test began."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.epoch = 0
        self.looks: list[Look] = []
        self.failures: list[tuple[float, str, AwsError]] = []
        self.ending: Ending | None = None

    def started(self, epoch: int, services: int) -> None:
        self.epoch = epoch

    def looked(self, look: Look) -> None:
        self.looks.append(look)

    def failed(self, doing: str, error: AwsError) -> None:
        self.failures.append((self._clock.t, doing, error))

    def ended(self, epoch: int, why: Ending) -> None:
        self.ending = why

    @property
    def times(self) -> list[float]:
        """When it looked."""
        return [look.at - EPOCH for look in self.looks]

    def errors(self) -> list[tuple[str, AwsError]]:
        return [error for look in self.looks for error in look.errors]

    def noted(self, service: str) -> list[str]:
        """What was noted about the service, in a decision and apart from it."""
        noted = []
        for look in self.looks:
            decision = look.decisions.get(service)
            noted += [decision.noted] if decision is not None and decision.noted else []
            noted += [what for key, what in look.notes if key == service]
        return noted


class Simulation:
    """An account with services, metrics and a state table, in which loops run."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.journal: list[str] = []
        self.ecs = FakeEcs(self.clock, self.journal)
        self.metrics = FakeMetrics(self.clock, self.ecs)
        self.store = FakeStore(self.clock, self.journal)
        self.targets = FakeTargets(self.clock, self.ecs)
        self.stopped = FakeStoppedTasks(self.clock, self.ecs)
        self.scalable = FakeScalableTargets(self.clock)

    def add(self, service: Service, *, tasks: int, load: float | Callable[[float], float]) -> Service:
        """A service whose tasks run, under a load in requests/s that may be a function of t."""
        self.ecs.fleets[service.key] = FakeFleet(tasks)
        self.metrics.load[service.key] = load if callable(load) else lambda t: load
        return service

    def world(self, report: loop.Report, caller: str = "loop") -> World:
        ecs = self.ecs.called_by(caller)
        return World(self.store, self.metrics, ecs, self.stopped, self.scalable, self.targets, self.clock, report)

    def run(
        self,
        services: Sequence[Service],
        *,
        until: float,
        caller: str = "loop",
        observed: frozenset[str] = frozenset(),
        pace: Pace | None = None,
        looks: int | None = None,
        report: RecordingReport | None = None,
    ) -> RecordingReport:
        """One invocation, from now until about `until` seconds; its deadline is as much later as it keeps free."""
        report = report or RecordingReport(self.clock)
        world, deadline = self.world(report, caller), EPOCH + until + loop.MARGIN
        loop.run(services, world, pace or Pace(), deadline, observed=observed, looks=looks)
        return report

    def start(self, t: float, services: Sequence[Service], *, until: float, caller: str) -> RecordingReport:
        """The same in a thread of its own that starts at `t`; `clock.run_all` runs it."""
        report = RecordingReport(self.clock)
        self.clock.start(t, lambda: self.run(services, until=until, caller=caller, report=report))
        return report

    def fleet(self, service: Service) -> FakeFleet:
        return self.ecs.fleets[service.key]


def a_service(name: str = "shop", **keys: object) -> Service:
    """A service that should have a task per 100 requests/s; `keys` add to it or replace what stands here."""
    block: dict[str, object] = {
        "Cluster": CLUSTER,
        "Service": name,
        "MinCapacity": 1,
        "MaxCapacity": 100,
        "Metrics": {"Load": per_task_metric(name)},
        "Policies": [{"Name": "track", "PolicyType": "TargetTracking", "Metric": "Load", "TargetValue": 100}],
    }
    return Service.model_validate(block | keys)


def per_task_metric(name: str = "shop", **keys: object) -> dict[str, object]:
    return {"Namespace": "Shop", "MetricName": "Load", "PerTask": True, "Dimensions": {"Service": name}} | keys


def step(before: float, after: float, *, at: float) -> Callable[[float], float]:
    """A load that jumps at `at` seconds."""
    return lambda t: after if t >= at else before
