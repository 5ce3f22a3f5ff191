"""Runs a drill: starts the load, watches it become visible and answered, and sees to it that it rests at the end.

The load is one invocation that goes to rest by itself: whatever happens to the machine that drills, the metric does not
stay up. So the end of a drill, a failed or an interrupted one too, is to wait for that, and to look.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from fastscaler.aws.cloudwatch import MetricRead
from fastscaler.drill.aws_clock import clock_ahead
from fastscaler.drill.jobs import Job
from fastscaler.drill.load import Load
from fastscaler.drill.outcome import Outcome
from fastscaler.drill.plan import BUCKET, SETTLE, START, SURGE, DrillRefused, Plan
from fastscaler.drill.scaler_log import ScaleOut, first_scale_out, rehearsed
from fastscaler.drill.world import World
from fastscaler.errors import AnswerLost, AwsError, Throttled, Unavailable
from fastscaler.ports import MetricSource
from fastscaler.scaling.observation import Datapoint

if TYPE_CHECKING:
    from fastscaler.aws.function_log import Record

POLL = 1.0  # Seconds between two questions whether the surge is visible; each is billed as one metric.
LOG_EVERY = 2.0  # Seconds between two readings of the log; not billed.
LOG_DELAY = 90.0  # Seconds after which what was logged can be read, though it was logged as an invocation ended.
PATIENCE = 60.0  # Seconds after TaskStartTimeout in which the loop still follows a scale-out.
PUBLISHED_LATELY = 60.0  # Seconds.
VISIBLE_WITHIN = 30.0  # Seconds in which the last bucket is awaited.
AT_REST = 1.02  # Share of the base up to which the last bucket counts as rest.
UNKNOWN_GROWTH = 10  # Times the tasks at the beginning, where ECS does not tell how many there are now.

Found = TypeVar("Found")


class Drill:
    """One drill, which runs once."""

    def __init__(self, plan: Plan, world: World, rest_seconds: Callable[[int, int], int]) -> None:
        self._plan, self._world, self._rest_seconds = plan, world, rest_seconds
        self._clock, self._say = world.clock, world.say
        self.outcome = Outcome(plan, world.clock.now())
        self._load: Load | None = None
        self._next_log = 0.0
        self._told: set[str] = set()

    def run(self) -> Outcome:
        """Drills. Raises AwsError and FunctionFailed; then too, and on Ctrl-C, the metric is at rest first."""
        outcome, world = self.outcome, self._world
        outcome.clock_ahead = clock_ahead(world.table, self._clock)
        outcome.began = self._now()
        job = world.begin(lambda: world.functions.invoke(world.synthetic, self._plan.load_event()))
        self._load = load = Load(job, outcome.began, self._plan.seconds)
        try:
            if self._plan.live:
                self._follow(load)
            else:
                self._rehearse(load)
        except BaseException as error:
            self._come_to_rest(load, "Stopped." if isinstance(error, KeyboardInterrupt) else "Failed.")
            raise
        self._settle(load.answer())
        return outcome

    def _rehearse(self, load: Load) -> None:
        """A safe drill: the load, and beside it the scaler's rehearsal."""
        world = self._world
        rehearsal = world.begin(lambda: world.functions.invoke(world.scaler, self._plan.rehearsal_event()))
        told = False
        while not (self._is_over(load) and told):
            self._look_at_the_metric()
            if rehearsal.done() and not told:
                answer = self._rehearsal(rehearsal)
                told = answer is not None
                if answer is not None:
                    self._take_rehearsal(answer)
            self._clock.sleep(POLL)

    def _rehearsal(self, job: Job) -> Mapping[str, Any] | None:
        """What the rehearsal answers, which its log tells too; None where it does not yet. Raises what it raised."""
        try:
            answer: Mapping[str, Any] | None = job.result()
        except AnswerLost:
            answer = self._read_log(self.outcome.began, lambda records: rehearsed(records, self._plan.service))
            until = self.outcome.began + self._plan.rehearsal_event()["Seconds"] + LOG_DELAY
            if answer is None and self._now() > until:
                raise
        return answer

    def _take_rehearsal(self, answer: Mapping[str, Any]) -> None:
        found = answer["scale_out"]
        if found is None:
            self.outcome.why = str(answer["last"].get("error") or answer["last"].get("reason", ""))
            return
        self.outcome.scale_out = ScaleOut(
            found["from"], found["to"], found["reason"], {"read": found["read"], "decided": found["decided"]}
        )
        self._say(f"decided: {found['from']} -> {found['to']} tasks: {found['reason']}")

    def _follow(self, load: Load) -> None:
        """A live drill: the load, and the log until the last task is healthy."""
        rested, answered_by = False, self._clock.now() + START + SETTLE + SURGE + LOG_DELAY
        while True:
            self._look_at_the_metric()
            self._look_at_the_log()
            if not rested and self._is_over(load):
                rested = True
                self._let_it_scale_in()
                self._say("the surge is over")
            ledger, late = self.outcome.ledger, self._clock.now() - answered_by
            patience = self._plan.start_timeout + PATIENCE if self.outcome.scale_out else 0
            if rested and ((ledger is not None and ledger.complete) or late > patience):
                return
            self._clock.sleep(POLL)

    def _is_over(self, load: Load) -> bool:
        """Whether the load has ended well; raises what it raised."""
        if load.lost and not self.outcome.lost:
            self.outcome.lost = True
            seconds = max(0.0, load.ends_by - self._now())
            self._say(
                f"the connection to the function that publishes the load was lost ({load.lost.code}); the load goes "
                f"on, and is followed to its end, within {seconds:.0f} s"
            )
        return load.over(self._now())

    def _look_at_the_metric(self) -> None:
        """Asks whether the surge is visible, as long as it is not."""
        outcome = self.outcome
        if outcome.visible_at is not None:
            return
        points = self._buckets()
        if points is None or not points:
            return
        if outcome.surge_at is None:
            assert self._load is not None
            self._load.origin = points[0].timestamp
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
        mine = (point for point in answer if point.timestamp > self.outcome.began - BUCKET)
        return sorted(mine, key=lambda point: point.timestamp)

    def _look_at_the_log(self) -> None:
        """Takes in what the scaler has logged of its answer."""
        outcome, surge_at = self.outcome, self.outcome.surge_at
        if surge_at is None:
            return
        found = self._read_log(surge_at - 1, lambda records: first_scale_out(records, self._plan.service, surge_at))
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

    def _read_log(self, since: float, find: "Callable[[list[Record]], Found | None]") -> "Found | None":
        """What `find` makes of the scaler's log from `since` (epoch seconds) on; None where it was read just now."""
        if self._clock.now() < self._next_log:
            return None
        self._next_log = self._clock.now() + LOG_EVERY
        try:
            return find(self._world.log.read(since))
        except (Throttled, Unavailable):
            return None

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
            outcome.at_rest = self._is_calm(points[-1])

    def _come_to_rest(self, load: Load, why: str) -> None:
        """Waits until the load has gone to rest by itself."""
        now, until = self._now(), self.outcome.began + self._plan.seconds + START
        if load.goes_on(now):
            self._say(f"{why} The load goes to rest by itself, within {until - now:.0f} s: waiting for that.")
            while load.goes_on(self._now()) and self._now() < until:
                self._clock.sleep(POLL)
            self._say(self._rest_in_words(load))
        if self._plan.live and self.outcome.rests_until is None:
            self._come_back()

    def _rest_in_words(self, load: Load) -> str:
        if load.goes_on(self._now()):
            return "It has not told that it has: see its log."
        if load.lost is None:
            return "The metric is at rest."
        points: Sequence[Datapoint] | None = None
        with suppress(AwsError):
            points = self._buckets()
        if points and self._is_calm(points[-1]):
            return "The metric is at rest, as CloudWatch shows it."
        return f"Its time is up, but CloudWatch does not show {self._plan.metric.metric_name} at rest: see its log."

    def _come_back(self) -> None:
        """Has a service of a live drill that failed scale in again, or tells that it does not."""
        try:
            self._let_it_scale_in()
        except AwsError as error:
            self._say(
                f"No calm load could be published ({error}): without data nothing is scaled in, so look at the desired "
                f"count of {self._plan.service}, and set it yourself"
            )
        if self.outcome.rests_until is not None:
            calm = self.outcome.rests_until - self._now()
            self._say(f"A calm load is published for {calm:.0f} s more, so that the service scales in again.")

    def _is_calm(self, point: Datapoint) -> bool:
        return point.value <= self._plan.base * AT_REST

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
