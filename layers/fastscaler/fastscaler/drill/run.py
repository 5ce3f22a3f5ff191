"""Runs a drill: starts the load, watches it become visible and answered, and sees to it that it rests at the end.

The load is one invocation that goes to rest by itself: whatever happens to the machine that drills, the metric does not
stay up. So the end of a drill, a failed or an interrupted one too, is to wait for that, and to look.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from fastscaler.aws.cloudwatch import MetricRead
from fastscaler.drill.jobs import Background, Job
from fastscaler.drill.ledger import Ledger, make_ledger
from fastscaler.drill.plan import SETTLE, START, SURGE, DrillRefused, Plan
from fastscaler.drill.scaler_log import ScaleOut, first_scale_out
from fastscaler.errors import AwsError, Throttled, Unavailable
from fastscaler.ports import Clock, MetricSource, ServiceApi
from fastscaler.scaling.observation import Datapoint

if TYPE_CHECKING:
    from fastscaler.aws.dynamodb import Head
    from fastscaler.aws.function_log import Record

POLL = 1.0  # Seconds between two questions whether the surge is visible; each is billed as one metric.
LOG_EVERY = 2.0  # Seconds between two readings of the log; not billed.
LOG_DELAY = 90.0  # Seconds after which what was logged can be read, though it was logged as an invocation ended.
PATIENCE = 60.0  # Seconds after TaskStartTimeout in which the loop still follows a scale-out.
GET_METRIC_USD = 0.01 / 1000  # GetMetricData, a metric; us-east-1.
PUBLISHED_LATELY = 60.0  # Seconds.
VISIBLE_WITHIN = 30.0  # Seconds in which the last bucket is awaited.
AT_REST = 1.02  # Share of the base up to which the last bucket counts as rest.
PROBES, PROBE_EVERY = 4, 0.27  # Of AWS's clock, whose Date headers have whole seconds; at different parts of a second.


class Functions(Protocol):
    """The stack's functions."""

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """What the function answers. Raises FunctionFailed, AwsError."""

    def start(self, function: str, event: Mapping[str, Any]) -> None:
        """Has it run without waiting. Raises AwsError."""


class Log(Protocol):
    """The scaler's log."""

    def read(self, since: float) -> "list[Record]":
        """The records from `since` (epoch seconds) on. Raises AwsError."""


class Heads(Protocol):
    """The state table, for AWS's clock."""

    def poll(self) -> "Head":
        """Epoch, directives, and the Date of the answer. Raises AwsError."""


@dataclass(frozen=True, slots=True)
class World:
    """What a drill uses of the account; `say` tells the person who waits, `begin` starts an invocation beside it."""

    functions: Functions
    scaler: str
    synthetic: str
    metrics: MetricSource
    ecs: ServiceApi
    log: Log
    table: Heads
    clock: Clock
    say: Callable[[str], None]
    begin: Callable[[Callable[[], Any]], Job] = Background


@dataclass
class Outcome:
    """What came of a drill. Times are epoch seconds by AWS's clock; `buckets` are (start, requests/s, tasks).

    `clock_ahead`: seconds by which this machine's clock leads AWS's. `at_rest`: whether the last published bucket was
    calm again; None where it could not be read. `why`: what the scaler said last, where it did not scale out.
    """

    plan: Plan
    began: float
    clock_ahead: float = 0.0
    surge_at: float | None = None
    visible_at: float | None = None
    published_at: float | None = None
    scale_out: ScaleOut | None = None
    why: str = ""
    polls: int = 0
    buckets: list[tuple[float, float, float]] = field(default_factory=list)
    at_rest: bool | None = None
    rests_until: float | None = None

    @property
    def ledger(self) -> Ledger | None:
        """The latency ledger; None where the load never rose."""
        if self.surge_at is None:
            return None
        last = "decided" if not self.plan.live else "healthy" if self.plan.behind_balancer else "running"
        times = self.scale_out.times if self.scale_out and not self.premature else {}
        return make_ledger(self.surge_at, self.published_at, self.visible_at, times, last)

    @property
    def premature(self) -> bool:
        """Whether more tasks were asked for before the load had risen, so that it was no answer to that."""
        decided = self.scale_out.times.get("decided") if self.scale_out else None
        return decided is not None and self.surge_at is not None and decided < self.surge_at

    @property
    def usd(self) -> float:
        """What the questions for the metric cost."""
        return self.polls * GET_METRIC_USD


UNKNOWN_GROWTH = 10  # Times the tasks at the beginning, where ECS does not tell how many there are now.


class Drill:
    """One drill, which runs once."""

    def __init__(self, plan: Plan, world: World, rest_seconds: Callable[[int, int], int]) -> None:
        self._plan, self._world, self._rest_seconds = plan, world, rest_seconds
        self._clock, self._say = world.clock, world.say
        self.outcome = Outcome(plan, world.clock.now())
        self._load: Job | None = None
        self._next_log = 0.0
        self._told: set[str] = set()

    def run(self) -> Outcome:
        """Drills. Raises AwsError and FunctionFailed; then too, and on Ctrl-C, the metric is at rest first."""
        outcome, world = self.outcome, self._world
        outcome.clock_ahead = clock_ahead(world.table, self._clock)
        outcome.began = self._now()
        self._load = world.begin(lambda: world.functions.invoke(world.synthetic, self._plan.load_event()))
        try:
            answer = self._rehearse() if not self._plan.live else self._follow()
        except BaseException as error:
            self._come_to_rest("Stopped." if isinstance(error, KeyboardInterrupt) else "Failed.")
            raise
        self._settle(answer)
        return outcome

    def _rehearse(self) -> Any:
        """A safe drill: the load, and beside it the scaler's rehearsal. What the load function answers."""
        world = self._world
        rehearsal = world.begin(lambda: world.functions.invoke(world.scaler, self._plan.rehearsal_event()))
        while not (self._is_done(self._load) and self._is_done(rehearsal)):
            self._look_at_the_metric()
            if rehearsal.done() and "rehearsal" not in self._told:
                self._told.add("rehearsal")
                self._take_rehearsal(rehearsal.result())
            self._clock.sleep(POLL)
        if "rehearsal" not in self._told:
            self._take_rehearsal(rehearsal.result())
        return self._result()

    def _take_rehearsal(self, answer: Mapping[str, Any]) -> None:
        found = answer["scale_out"]
        if found is None:
            self.outcome.why = str(answer["last"].get("error") or answer["last"].get("reason", ""))
            return
        self.outcome.scale_out = ScaleOut(
            found["from"], found["to"], found["reason"], {"read": found["read"], "decided": found["decided"]}
        )
        self._say(f"decided: {found['from']} -> {found['to']} tasks: {found['reason']}")

    def _follow(self) -> Any:
        """A live drill: the load, and the log until the last task is healthy. What the load function answers."""
        rested, answered_by = False, self._clock.now() + START + SETTLE + SURGE + LOG_DELAY
        while True:
            self._look_at_the_metric()
            self._look_at_the_log()
            if self._is_done(self._load) and not rested:
                rested = True
                self._let_it_scale_in()
                self._say("the surge is over")
            ledger, late = self.outcome.ledger, self._clock.now() - answered_by
            patience = self._plan.start_timeout + PATIENCE if self.outcome.scale_out else 0
            if rested and ((ledger is not None and ledger.complete) or late > patience):
                return self._result()
            self._clock.sleep(POLL)

    def _look_at_the_metric(self) -> None:
        """Asks whether the surge is visible, as long as it is not."""
        outcome = self.outcome
        if outcome.visible_at is not None:
            return
        points = self._buckets()
        if points is None or not points:
            return
        if outcome.surge_at is None:
            outcome.surge_at = points[0].timestamp + SETTLE
            self._say(f"the load has begun: {self._plan.base:g} requests/s; it rises in {self._until_surge():.0f} s")
        half = (self._plan.base + self._plan.peak) / 2
        if any(point.timestamp >= outcome.surge_at and point.value > half for point in points):
            outcome.visible_at = self._now()
            self._say(f"the surge to {self._plan.peak:g} requests/s is visible in CloudWatch")

    def _until_surge(self) -> float:
        return max(0.0, (self.outcome.surge_at or 0.0) - self._now())

    def _buckets(self) -> Sequence[Datapoint] | None:
        """The buckets that this drill has published and that are visible; None where CloudWatch does not tell."""
        self.outcome.polls += 1
        window = int(self._now() - self.outcome.began) + 60
        read = MetricRead(self._plan.service, "drill", self._plan.metric, window)
        answer = self._world.metrics.read([read], self._clock.now())[read.name]
        if isinstance(answer, Throttled | Unavailable):
            return None
        if isinstance(answer, AwsError):
            raise answer
        mine = (point for point in answer if point.timestamp > self.outcome.began - 5)
        return sorted(mine, key=lambda point: point.timestamp)

    def _look_at_the_log(self) -> None:
        """Takes in what the scaler has logged of its answer."""
        outcome, now = self.outcome, self._clock.now()
        if outcome.surge_at is None or now < self._next_log:
            return
        self._next_log = now + LOG_EVERY
        try:
            records = self._world.log.read(outcome.surge_at - 1)
        except (Throttled, Unavailable):
            return
        found = first_scale_out(records, self._plan.service, outcome.surge_at)
        if found is None:
            return
        outcome.scale_out = found
        if "decided" not in self._told:
            self._say(f"scaled out: {found.previous} -> {found.desired} tasks: {found.reason}")
        for moment, words in (("running", "all new tasks run"), ("healthy", "all new tasks are healthy")):
            if found.times.get(moment) is not None and moment not in self._told:
                self._say(words)
                self._told.add(moment)
        self._told.add("decided")

    def _let_it_scale_in(self) -> None:
        """A calm load for as long as the service needs to come back: silent, it would keep what it has."""
        state = self._world.ecs.describe([self._plan.service])[self._plan.service]
        # Where ECS does not tell, rather too long: the time grows with the halvings, not with the tasks.
        desired = UNKNOWN_GROWTH * self._plan.desired if isinstance(state, AwsError) else state.desired
        seconds = self._rest_seconds(self._plan.desired, desired)
        if seconds:
            self._world.functions.start(self._world.synthetic, self._plan.rest_event(seconds))
            self.outcome.rests_until = self._now() + seconds

    def _settle(self, answer: Mapping[str, Any]) -> None:
        """What is known only at the end: when the surge was published, and that the metric is at rest."""
        outcome = self.outcome
        outcome.surge_at = answer.get("surge_at") or outcome.surge_at
        outcome.published_at = answer.get("surge_published_at")
        points: Sequence[Datapoint] = ()
        until = self._clock.now() + VISIBLE_WITHIN
        while True:
            points = self._buckets() or points
            if (points and points[-1].timestamp >= (answer["last_bucket"] or 0)) or self._clock.now() > until:
                break
            self._clock.sleep(POLL)
        outcome.buckets = [(point.timestamp, point.value, point.samples or 0.0) for point in points]
        if points:
            outcome.at_rest = points[-1].value <= self._plan.base * AT_REST

    def _come_to_rest(self, why: str) -> None:
        """Waits until the load has gone to rest by itself."""
        load, until = self._load, self.outcome.began + self._plan.seconds + START
        if load is None:
            return
        if not load.done():
            self._say(f"{why} The load goes to rest by itself, within {until - self._now():.0f} s: waiting for that.")
            while not load.done() and self._now() < until:
                self._clock.sleep(POLL)
            self._say("The metric is at rest." if load.done() else "It has not told that it has: see its log.")
        if self._plan.live and self.outcome.rests_until is None:
            self._let_it_scale_in()
            if self.outcome.rests_until is not None:
                calm = self.outcome.rests_until - self._now()
                self._say(f"A calm load is published for {calm:.0f} s more, so that the service scales in again.")

    def _is_done(self, job: Job | None) -> bool:
        """Whether it has ended well; raises what it raised."""
        if job is None or not job.done():
            return False
        job.result()
        return True

    def _result(self) -> Any:
        assert self._load is not None
        return self._load.result()

    def _now(self) -> float:
        """The time by AWS's clock, which the functions' own times are in."""
        return self._clock.now() - self.outcome.clock_ahead


def refuse_if_published(metrics: MetricSource, plan: Plan, now: float) -> None:
    """Raises DrillRefused where tasks publish the metric of a live drill themselves, and AwsError."""
    read = MetricRead(plan.service, "drill", plan.metric)
    answer = metrics.read([read], now)[read.name]
    if isinstance(answer, AwsError):
        raise answer
    if any(point.timestamp > now - PUBLISHED_LATELY for point in answer):
        name = plan.metric.metric_name
        raise DrillRefused(
            f"{plan.service} has {name} of the last minute: its own tasks publish it, and a live drill would add to "
            "that, or another drill does. Drill without --live, or send real requests"
        )


def clock_ahead(table: Heads, clock: Clock) -> float:
    """Seconds by which this machine's clock leads AWS's; 0 where that cannot be told apart. Raises AwsError.

    A Date header has whole seconds. Each answer bounds the difference; a few at different parts of a second bound it
    to a fraction of one.
    """
    lowest, highest = float("-inf"), float("inf")
    for number in range(PROBES):
        if number:
            clock.sleep(PROBE_EVERY)
        sent = clock.now()
        date = table.poll().date
        if date is None:
            return 0.0
        lowest, highest = max(lowest, sent - date - 1), min(highest, clock.now() - date)
    return 0.0 if lowest <= 0 <= highest else (lowest + highest) / 2
