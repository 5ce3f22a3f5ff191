"""One run with real requests: the storefront's processes, their load balancer, the load, and the loop over them."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from demo.account import Account
from demo.app.access_log import Request
from demo.app.children import Children
from demo.app.haproxy import HAProxy, LoadBalancerFailed
from demo.app.machine import Machine
from demo.app.metadata import Metadata
from demo.app.packages import Programs
from demo.app.scenario import LONGEST_PAUSE, POLICIES, AppScenario
from demo.app.tasks import TaskFailed, Tasks
from demo.app.wrk import Load, LoadFailed, Sent
from demo.lambdas import Lambdas
from demo.local_aws import LocalAws
from demo.run import FRAMES_PER_SECOND, Run, RunFailed, Sample, beat, read_lines
from demo.scenario import function_environment, request_metric
from demo.story import Story

SETTLE_SECONDS = 5.0  # From the first customer until all have come: each begins with a pause. Not in the figures.
_LOOKS = 3  # Of the loop, before the load begins: it has started, taken over, and knows the service.
_PATIENCE = 60.0  # Seconds for the first tasks and the loop to start, on a machine that is busy with other things.


@dataclass
class AppRun(Run):
    """A run so far. `loaded_at` is when all customers of the steady load are there; epoch seconds, as all moments.

    `requests` are those that the load balancer has logged, `sent` what wrk says of them, and `published` how many the
    tasks have told CloudWatch of.
    """

    scenario: AppScenario
    loaded_at: float = 0.0
    requests: list[Request] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    answered: int = 0
    published: float = 0.0
    busy: list[tuple[float, float]] = field(default_factory=list)  # Share of the machine, at the end of each frame.

    @property
    def load_gone_at(self) -> float | None:
        """When the customers of the surge leave."""
        return None if self.story.surge_at is None else self.story.surge_at + self.scenario.surge_seconds

    @property
    def ends(self) -> float | None:
        return None if self.load_gone_at is None else self.load_gone_at + self.scenario.calm_seconds

    @property
    def offered_load(self) -> float:
        gone = self.load_gone_at
        return self.scenario.steady_load if gone and time.time() >= gone else super().offered_load

    @property
    def recovered_at(self) -> float | None:
        """When all tasks that were asked for took requests, for the first time after the surge."""
        first = self.first_scale_out
        if first is None:
            return None
        there = (one.at for one in self.samples if one.at > first.at and one.healthy >= one.desired > first.before)
        return next(there, None)


@dataclass
class _World:
    aws: LocalAws
    children: Children
    balancer: HAProxy
    tasks: Tasks
    folder: Path


def play(scenario: AppScenario, programs: Programs, show: Callable[[AppRun], None]) -> AppRun:
    """Plays the scenario in real time; `show` is called some times a second. Raises RunFailed."""
    target = scenario.target
    try:
        with _world(scenario, programs) as world:
            fleet = world.aws.fleet(target.cluster, target.service)
            run = AppRun(scenario, world.aws, fleet, Story(target.key), time.time())
            loads = _under_load(run, world, programs, show)
            run.sent = [load.sent() for load in loads]
            run.answered = world.balancer.answered
            world.tasks.stop()
            world.balancer.stop()
            run.requests = world.balancer.requests
            run.published = _published(run)
            return run
    except (LoadBalancerFailed, LoadFailed, TaskFailed) as failure:
        raise RunFailed(str(failure)) from failure


@contextmanager
def _world(scenario: AppScenario, programs: Programs) -> Iterator[_World]:
    target = scenario.target
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-app-")))
        aws = stack.enter_context(
            LocalAws(
                start_seconds=scenario.start_seconds,
                health_seconds=scenario.health_seconds,
                visibility_median=scenario.visibility_median,
                visibility_sigma=scenario.visibility_sigma,
                seed=scenario.seed,
            )
        )
        account = Account(aws)
        account.create(desired=scenario.tasks, cluster=target.cluster, service=target.service)
        metadata = stack.enter_context(Metadata(target.cluster, target.service))
        children = stack.enter_context(Children(folder))
        # As many slots again for tasks that leave while others come.
        slots = 2 * target.max_capacity
        balancer = HAProxy(programs.haproxy, children, folder, slots)

        def environment(address: str) -> dict[str, str]:
            return {**aws.environment, "ECS_CONTAINER_METADATA_URI_V4": metadata.uri(address)}

        tasks = Tasks(
            aws.fleet(target.cluster, target.service),
            balancer,
            children,
            environment,
            seconds=scenario.task_seconds,
            per_second=scenario.task_capacity,
            slots=slots,
        )
        yield _World(aws, children, balancer, tasks, folder)


def _under_load(run: AppRun, world: _World, programs: Programs, show: Callable[[AppRun], None]) -> list[Load]:
    """From the first task to the last request; returns the loads, which have ended or are about to."""
    scenario, loads = run.scenario, list[Load]()
    _, metric = request_metric(scenario.target)
    machine = Machine()

    def start_load(name: str, load: float, seconds: float) -> None:
        loads.append(
            Load(
                programs.wrk,
                world.children,
                world.folder,
                name,
                world.balancer.url,
                customers=scenario.customers(load),
                longest_pause=LONGEST_PAUSE,
                seconds=seconds,
                seed=scenario.seed + len(loads),
            )
        )

    with Lambdas(world.aws.environment | function_environment(metric, POLICIES)) as lambdas:
        while run.ends is None or time.time() < run.ends:
            frame = time.time()
            world.tasks.follow(frame)
            if frame >= run.next_beat:
                beat(run, lambdas, frame)
            read_lines(run, lambdas)
            if not loads and run.story.looks >= _LOOKS and world.tasks.healthy >= scenario.tasks:
                seconds = SETTLE_SECONDS + scenario.surge_after + scenario.surge_seconds + scenario.calm_seconds
                start_load("steady", scenario.steady_load, seconds)
                run.loaded_at = frame + SETTLE_SECONDS
            if run.story.surge_at is None and loads and time.time() >= run.loaded_at + scenario.surge_after:
                run.story.surge_at = time.time()
                start_load("surge", scenario.surge_load - scenario.steady_load, scenario.surge_seconds)
            _observe(run, world, machine, frame)
            show(run)
            if not loads and frame > run.began + _PATIENCE:
                raise RunFailed("\n".join(run.story.problems or [_late(run, world)]))
            for load in loads:
                load.check()
            time.sleep(max(0.0, frame + 1 / FRAMES_PER_SECOND - time.time()))
    return loads


def _late(run: AppRun, world: _World) -> str:
    return (
        f"after {_PATIENCE:.0f} s {world.tasks.healthy} of {run.scenario.tasks} tasks are healthy, and the loop has "
        f"looked {run.story.looks} times; is this machine busy with something else?"
    )


def _observe(run: AppRun, world: _World, machine: Machine, now: float) -> None:
    _, metric = request_metric(run.scenario.target)
    run.buckets = run.aws.datapoints(metric.namespace, metric.metric_name, dict(metric.dimensions), "Average")
    load, fleet = run.story.load, run.fleet
    run.samples.append(Sample(now, run.offered_load, load, fleet.desired, fleet.running(now), world.tasks.healthy))
    if (busy := machine.busy()) is not None:
        run.busy.append((now, busy))


def _published(run: AppRun) -> float:
    """How many requests the tasks have told CloudWatch of, once all of it is visible."""
    last = max((put.visible for put in run.aws.puts), default=0.0)
    time.sleep(max(0.0, last - time.time()))
    _, metric = request_metric(run.scenario.target)
    sums = run.aws.datapoints(metric.namespace, metric.metric_name, dict(metric.dimensions), "Sum")
    return sum(value * metric.period for _, value in sums)
