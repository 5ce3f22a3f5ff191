"""The peers, each fed with what it could see. All of them aim at the same load per task: `Settings.target`."""

from collections.abc import Callable
from dataclasses import dataclass

from simulator.peers.fixed import NoScaling
from simulator.peers.hpa import Hpa
from simulator.peers.kpa import Kpa
from simulator.peers.oracle import Oracle
from simulator.peers.poller import SAMPLED_TASKS, Poller, scaled_table
from simulator.peers.step_alarm import PERIOD as ALARM_PERIOD
from simulator.peers.step_alarm import StepAlarm, Steps, step_policy
from simulator.peers.target_tracking import TargetTracking
from simulator.pipelines.application import RequestsPerSecond
from simulator.pipelines.aws import CpuUtilization
from simulator.pipelines.pods import PodCpu, PodRequests
from simulator.settings import Settings
from simulator.world import World

Step = Callable[[int], int | None]  # From the time to the count to set; None: leave it.

BUCKET = 5  # Seconds in the application's buckets.
ALARM_WINDOW = 400.0  # Seconds of datapoints for an alarm over 5 minutes, missing ones included.
KNATIVE_UTILISATION = 0.7  # container-concurrency-target-percentage.

# The step table of the shipped policy document, and a way back down: one task a minute below LOW_SHARE of the target.
STEPS: Steps = ((0.0, 50.0, 1), (50.0, 100.0, 2), (100.0, None, 4))
LOW_SHARE = 0.7
STEP_COOLDOWN = 60  # Seconds, as in AWS's own examples; Application Auto Scaling's default is 300 s.


@dataclass(frozen=True, slots=True)
class PeerController:
    """A peer that is asked every `interval` seconds; `start` makes one for a world and connects it."""

    name: str
    interval: int
    start: Callable[[World], Step]

    def drive(self, world: World) -> None:
        """Runs to the end of the trace."""
        step = self.start(world)
        for now in range(0, world.end, self.interval):
            world.advance(now)
            count = step(now)
            if count is not None and count != world.fleet.desired:
                world.update_service(count, now)
        world.advance(world.end)


def target_tracking(period: int) -> PeerController:
    """Application Auto Scaling's target tracking on the service's CPU, in periods of 60 s or 20 s."""

    def start(world: World) -> Step:
        settings, fleet, cpu = world.settings, world.fleet, CpuUtilization(world, period)
        peer = TargetTracking(_cpu_target(settings), period, settings.minimum, settings.maximum)
        return lambda now: peer.step(now, fleet.running, fleet.desired, cpu.datapoints(now))

    return PeerController(f"aws-target-tracking-{period}s", int(TargetTracking.interval), start)


def step_scaling() -> PeerController:
    """Application Auto Scaling's step scaling behind an alarm of 10 s on the application's own metric."""

    def start(world: World) -> Step:
        settings, fleet, requests = world.settings, world.fleet, RequestsPerSecond(world, BUCKET)
        up = step_policy(STEPS, settings.target, cooldown=STEP_COOLDOWN)
        down = step_policy([(None, 0.0, -1)], LOW_SHARE * settings.target, "LessThanThreshold", STEP_COOLDOWN)
        peer = StepAlarm(up, down, settings.minimum, settings.maximum)

        def step(now: int) -> int | None:
            datapoints = requests.averages(now, int(ALARM_PERIOD), ALARM_WINDOW)
            return peer.step(now, fleet.running, fleet.desired, datapoints)

        return step

    return PeerController(StepAlarm.name, int(StepAlarm.interval), start)


def hpa() -> PeerController:
    """Kubernetes' HPA on the pods' CPU."""

    def start(world: World) -> Step:
        settings, fleet, cpu = world.settings, world.fleet, PodCpu(world)
        peer = Hpa(_cpu_target(settings), settings.minimum, settings.maximum)

        def step(now: int) -> int | None:
            unready = len(fleet.pending) + len(fleet.starting)
            return peer.step(now, fleet.desired, len(fleet.serving), unready, cpu.values(now))

        return step

    return PeerController(Hpa.name, int(Hpa.interval), start)


def kpa() -> PeerController:
    """Knative's autoscaler on requests per second."""

    def start(world: World) -> Step:
        settings, fleet, requests = world.settings, world.fleet, PodRequests(world)
        total = settings.target / KNATIVE_UTILISATION
        peer = Kpa(total, settings.minimum, settings.maximum, KNATIVE_UTILISATION)
        return lambda now: peer.step(now, len(fleet.serving), requests.stable_mean(now), requests.panic_mean(now))

    return PeerController(Kpa.name, int(Kpa.interval), start)


def poller() -> PeerController:
    """The poller, with its table scaled so that the first row is reached where a task is as busy as it may be."""

    def start(world: World) -> Step:
        settings, fleet, service = world.settings, world.fleet, world.service
        in_flight = settings.busiest_load * settings.objective  # Little's law.
        peer = Poller(scaled_table(in_flight, settings.maximum))
        return lambda now: peer.step(now, fleet.desired, service.in_flight(SAMPLED_TASKS))

    return PeerController(Poller.name, int(Poller.interval), start)


def oracle() -> PeerController:
    """The limit: it knows the load and every start-up time."""

    def start(world: World) -> Step:
        settings, fleet, first = world.settings, world.fleet, world.fleet.desired
        # A call is answered within the second in which it is made; ECS launches at the next one.
        peer = Oracle(
            settings.need(world.coming),
            lambda launch: 1 + fleet.start_seconds(first + launch) + settings.health_seconds,
            settings.minimum,
            settings.maximum,
            settings.deregistration,
        )
        return lambda now: peer.step(now, fleet.desired)

    return PeerController(Oracle.name, int(Oracle.interval), start)


def no_scaling() -> PeerController:
    """The count that a run begins with, to its end."""

    def start(world: World) -> Step:
        peer = NoScaling(world.fleet.desired)
        return peer.step

    return PeerController(NoScaling.name, int(NoScaling.interval), start)


def _cpu_target(settings: Settings) -> float:
    """The CPU in percent at which a task has the target load."""
    return 100.0 * settings.target / settings.task_capacity
