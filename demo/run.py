"""One run of the demo: the stand-in, the functions, the beats of EventBridge, and what is seen meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty

from demo.account import Account
from demo.fleet import DesiredChange, Fleet
from demo.lambdas import Lambdas
from demo.local_aws import LocalAws
from demo.scenario import SCALER, SYNTHETIC, Scenario, function_environment, read_event, request_metric
from demo.story import Story

FRAMES_PER_SECOND = 4
HISTORY = 180  # Seconds of requests that the load balancer has counted before the run.
# The functions start within some 5 s of CPU time; a machine that needs ten times that is not fit for the demo.
START_PATIENCE = 60.0


class RunFailed(Exception):
    """The run could not be played to its end; the message says why, with the function's own words."""


@dataclass(frozen=True)
class Sample:
    """What could be seen at one moment.

    `offered` is the load of the whole service, `load` what the scaler last read, in requests/s per task.
    """

    at: float
    offered: float
    load: float | None
    desired: int
    running: int
    healthy: int


@dataclass
class Run:
    """A run so far. `began` and `ends` are epoch seconds; `ends` is known when the moment of the surge is."""

    scenario: Scenario
    aws: LocalAws
    fleet: Fleet
    story: Story
    began: float
    samples: list[Sample] = field(default_factory=list)
    # Start of each 5 s bucket and the load per task that the tasks published for it, requests/s.
    buckets: list[tuple[float, float]] = field(default_factory=list)
    next_beat: float = 0.0
    beats: int = 0

    @property
    def ends(self) -> float | None:
        return None if self.story.surge_at is None else self.story.surge_at + self.scenario.surge_seconds

    @property
    def offered_load(self) -> float:
        """The load that the whole service is under now, requests/s."""
        surge_at = self.story.surge_at
        return self.scenario.surge_load if surge_at and time.time() >= surge_at else self.scenario.steady_load

    @property
    def first_scale_out(self) -> DesiredChange | None:
        """The first raise of the desired count after the surge, as the stand-in recorded it."""
        return next((change for change in self.raises if change.at >= (self.story.surge_at or 0)), None)

    @property
    def raises(self) -> list[DesiredChange]:
        return [change for change in self.fleet.changes if change.after > change.before]

    @property
    def reaction_seconds(self) -> float | None:
        """From the moment the load rises to the return of the UpdateService that scales out."""
        first = self.first_scale_out
        if first is None or self.story.surge_at is None:
            return None
        calls = self.aws.calls.of("UpdateService", SCALER.name)
        returned = next((call.finished for call in calls if call.started <= first.at <= call.finished), None)
        return None if returned is None else returned - self.story.surge_at


def play(scenario: Scenario, show: Callable[[Run], None]) -> Run:
    """Plays the scenario in real time; `show` is called some times a second. Raises RunFailed."""
    with _world(scenario) as (aws, lambdas):
        target = scenario.target
        run = Run(scenario, aws, aws.fleet(target.cluster, target.service), Story(target.key), time.time())
        # The service did not come into being with this run: its load balancer has counted for a while.
        for second in range(-HISTORY, 0):
            _count_requests(run, run.began + second, scenario.steady_load)
        load = lambdas.invoke(SYNTHETIC, scenario.load_event())
        while run.ends is None or time.time() < run.ends:
            frame = time.time()
            if frame >= run.next_beat:
                beat(run, lambdas, frame)
            read_lines(run, lambdas)
            _observe(run, frame)
            show(run)
            if not load.running or (run.ends is None and frame > run.began + START_PATIENCE):
                raise RunFailed(_why_it_stopped(run, lambdas))
            time.sleep(max(0.0, frame + 1 / FRAMES_PER_SECOND - time.time()))
        return run


@contextmanager
def _world(scenario: Scenario) -> Iterator[tuple[LocalAws, Lambdas]]:
    target = scenario.target
    _, metric = request_metric(target)
    with LocalAws(
        start_seconds=scenario.start_seconds,
        health_seconds=scenario.health_seconds,
        visibility_median=scenario.visibility_median,
        visibility_sigma=scenario.visibility_sigma,
        seed=scenario.seed,
    ) as aws:
        account = Account(aws)
        account.create_table()
        group = None
        if target.load_balancer:
            group = account.create_load_balancer(target.load_balancer.load_balancer, target.load_balancer.target_group)
        account.create_service(target.cluster, target.service, desired=scenario.tasks, target_group_arn=group)
        aws.calls.reset()
        with Lambdas(aws.environment | function_environment(metric)) as lambdas:
            yield aws, lambdas


def beat(run: Run, lambdas: Lambdas, now: float) -> None:
    """What EventBridge's rate(1 minute) does: an invocation, whatever the one before is doing."""
    lambdas.invoke(SCALER, read_event("scheduled_tick"))
    run.beats += 1
    run.next_beat = now + run.scenario.beat_seconds


def read_lines(run: Run, lambdas: Lambdas) -> None:
    """Tells the run's story what the functions have logged since the last time."""
    while True:
        try:
            run.story.read(lambdas.lines.get_nowait())
        except Empty:
            return


def _observe(run: Run, now: float) -> None:
    """Adds a sample, and counts the requests since the last one at the load balancer, as the ALB would."""
    since = now - run.samples[-1].at if run.samples else 0.0
    fleet, target = run.fleet, run.scenario.target
    _, metric = request_metric(target)
    run.buckets = run.aws.datapoints(metric.namespace, metric.metric_name, dict(metric.dimensions), "Average")
    run.samples.append(
        Sample(now, run.offered_load, run.story.load, fleet.desired, fleet.running(now), fleet.healthy(now))
    )
    if since:
        _count_requests(run, now, run.offered_load * since)


def _count_requests(run: Run, at: float, requests: float) -> None:
    """Adds to the load balancer's RequestCount, if the service has one."""
    balancer = run.scenario.target.load_balancer
    if balancer:
        dimensions = {"LoadBalancer": balancer.load_balancer, "TargetGroup": balancer.target_group}
        run.aws.put_aws_metric("AWS/ApplicationELB", "RequestCount", dimensions, at, requests)


def _why_it_stopped(run: Run, lambdas: Lambdas) -> str:
    said = [line for invocation in lambdas.invocations for line in invocation.errors[-15:]]
    reasons = run.story.problems or ["the synthetic load did not begin in time"]
    return "\n".join([*reasons, *said])
