"""What a drill does to one service, decided before anything is published; or one line why it cannot be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any, Literal, NoReturn

from fastscaler.errors import AwsError, FastScalerError
from fastscaler.publisher.metrics import REQUESTS_PER_SECOND
from fastscaler.scaling.metric import Metric
from fastscaler.scaling.observation import Floor, Pause, ServiceState
from fastscaler.scaling.policy import Document, Service
from fastscaler.status import scale_out_threshold

Profile = Literal["spike", "step"]
PROFILES: tuple[Profile, ...] = ("spike", "step")  # The others have no moment from which to count.
BUCKET = 5  # Seconds of load in each datapoint.
PREFIX = "Drill"  # Before the names of a safe drill's metrics.

# Seconds. All are whole buckets, so that the load rises at the beginning of one: the scaler's worst case, but for the
# last half second of a bucket. The surge is as long as an answer that takes three times the goal.
SETTLE, SURGE, REST = 15, 30, 10
DECAY = 60  # Of a spike: 37% of the excess would be left after it.
CALM_SHARE = 0.6  # Of the scale-out threshold, before the surge: as the project's other figures of reaction.
START = 20  # Seconds that a cold function and the next bucket boundary take at most.


class DrillRefused(FastScalerError):
    """A drill that makes no sense, or would do harm, in one line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A drill. Rates are requests/s of the whole service, `threshold` requests/s per task, times seconds.

    `metric` is what is published and watched, under its own name in a safe drill. `behind_balancer`: whether new tasks
    become healthy targets at the end. `start_timeout`: the service's TaskStartTimeout.
    """

    service: str
    live: bool
    profile: Profile
    metric: Metric
    tasks: int
    desired: int
    threshold: float
    base: float
    peak: float
    behind_balancer: bool
    start_timeout: int

    @property
    def seconds(self) -> int:
        """How long the load lasts, rest included."""
        return SETTLE + SURGE + REST

    def load_event(self) -> dict[str, Any]:
        """What the synthetic function is asked for: calm, the surge, and rest at its end."""
        at = {"spike": {"SpikeAtSeconds": SETTLE, "DecaySeconds": DECAY}, "step": {"StepAtSeconds": SETTLE}}
        return {
            "Profile": self.profile,
            **self._named(),
            "BaseRequestsPerSecond": self.base,
            "PeakRequestsPerSecond": self.peak,
            **at[self.profile],
            "DurationSeconds": self.seconds,
            "RestSeconds": REST,
            # In a safe drill no task is added, whatever happens to the real service meanwhile.
            "Tasks": "running" if self.live else self.tasks,
            "MetricPrefix": "" if self.live else PREFIX,
        }

    def rest_event(self, seconds: int) -> dict[str, Any]:
        """A calm load for a while, by which the service finds its way back: without data nothing is scaled in."""
        return {
            "Profile": "constant",
            **self._named(),
            "BaseRequestsPerSecond": self.base,
            "DurationSeconds": seconds,
            "Tasks": "running",
        }

    def rehearsal_event(self) -> dict[str, Any]:
        """What the scaler is asked for in a safe drill."""
        seconds = START + SETTLE + SURGE
        return {"Directive": "rehearse", **self._named(), "MetricPrefix": PREFIX, "Seconds": seconds}

    def _named(self) -> dict[str, str]:
        cluster, _, service = self.service.partition("/")
        return {"Cluster": cluster, "Service": service}


def make_plan(
    document: Document,
    service: Service,
    state: ServiceState | AwsError,
    directives: Sequence[Floor | Pause],
    namespace: str,
    now: float,
    *,
    live: bool,
    profile: str,
    peak: str,
    base: float | None,
) -> Plan:
    """The drill of `service` as it is at `now` (epoch seconds). Raises DrillRefused, and AwsError of an unknown state.

    `namespace` is where the synthetic function publishes. `peak` is a multiple of the base, such as `5x`, or
    requests/s.
    """
    if isinstance(state, AwsError):
        raise state
    _check_state(document, service, state, directives, now, live=live)
    key, metric = _metric(service, namespace)
    threshold = scale_out_threshold(service, key)
    if threshold is None:
        _refuse(f"no policy of {service.key} scales out on {key}")
    calm = CALM_SHARE * threshold * state.running if base is None else base
    limit = threshold * state.running
    if not 0 < calm < limit:
        _refuse(f"--base {calm:g}: must be above 0 and below {limit:g}, where {service.key} scales out")
    top = _peak(peak, calm)
    if top <= limit:
        _refuse(
            f"--peak {peak}: {top:g} requests/s on {state.running} running tasks are {top / state.running:g} each, and "
            f"{service.key} scales out above {threshold:g}: give a higher one"
        )
    renamed = metric if live else metric.model_copy(update={"metric_name": PREFIX + metric.metric_name})
    return Plan(
        service=service.key,
        live=live,
        profile=_profile(profile),
        metric=renamed,
        tasks=state.running,
        desired=state.desired,
        threshold=threshold,
        base=calm,
        peak=top,
        behind_balancer=bool(state.target_groups),
        start_timeout=service.task_start_timeout,
    )


def rest_seconds(service: Service, before: int, after: int) -> int:
    """How long a calm load takes to bring a service from `after` back to `before` tasks, by its scale-in rules."""
    rules = service.behavior.scale_in
    if after <= before or rules.select_policy == "Disabled":
        return 0
    pace = max([rules.cooldown, *(policy.period_seconds for policy in rules.policies)])
    steps = ceil(log2(after / before)) + 1
    return min(rules.stabilization_window_seconds + steps * pace + 30, 870)


def _check_state(
    document: Document,
    service: Service,
    state: ServiceState,
    directives: Sequence[Floor | Pause],
    now: float,
    *,
    live: bool,
) -> None:
    key = service.key
    if state.running == 0:
        _refuse(f"no task of {key} runs: there is nothing to spread a load on")
    if state.desired >= service.max_capacity:
        _refuse(f"{key} has MaxCapacity ({service.max_capacity} tasks) already, so it cannot scale out")
    if any(_is_paused(one, key, now) for one in directives):
        _refuse(f"scale-out of {key} is paused: fastscaler resume ends that")
    if live and document.observes(service):
        _refuse(f"{key} is in Mode observe, so nothing would be called: drill without --live")


def _is_paused(directive: Floor | Pause, key: str, now: float) -> bool:
    mine = isinstance(directive, Pause) and directive.service == key and directive.expires_at > now
    return mine and isinstance(directive, Pause) and directive.direction == "ScaleOut"


def _metric(service: Service, namespace: str) -> tuple[str, Metric]:
    """The metric of the document that the synthetic function publishes."""
    dimensions: Mapping[str, str] = {"Cluster": service.cluster, "Service": service.service}
    for key, metric in service.used_metrics.items():
        if (
            isinstance(metric, Metric)
            and metric.per_task
            and (metric.namespace, metric.metric_name) == (namespace, REQUESTS_PER_SECOND)
            and metric.dimensions == dimensions
        ):
            return key, metric
    return _refuse(
        f"no policy of {service.key} uses what a drill publishes: {REQUESTS_PER_SECOND} of {namespace}, with PerTask "
        "and the dimensions Cluster and Service"
    )


def _profile(typed: str) -> Profile:
    for profile in PROFILES:
        if typed == profile:
            return profile
    return _refuse(f"--profile {typed}: must be {' or '.join(PROFILES)}; for an AWS profile there is --aws-profile")


def _peak(typed: str, base: float) -> float:
    """The peak in requests/s."""
    try:
        peak = float(typed[:-1]) * base if typed.endswith("x") else float(typed)
    except ValueError:
        peak = float("nan")
    if not base < peak <= 1e9:
        _refuse(f"--peak {typed}: must be a multiple of the base such as 5x, or requests/s above {base:g}")
    return peak


def _refuse(why: str) -> NoReturn:
    raise DrillRefused(why)
