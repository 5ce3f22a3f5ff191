"""Every constant of the simulated world, with its source.

Seconds, tasks and requests/s throughout. "AWS publishes none" marks an assumption: the results have to say what another
value would change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

ROUNDING = 1e-9  # 360.00000000000006 / 120 needs 3 tasks, not 4; and 0.5000000000000001 s meets 0.5 s.

_POSITIVE = (
    "task_capacity",
    "service_time",
    "objective",
    "time_out",
    "target",
    "launch_rate",
    "start_median",
    "visibility_median",
)
_NOT_NEGATIVE = (
    "start_sigma",
    "health_interval",
    "health_checks",
    "update_seconds",
    "publish_jitter",
    "visibility_sigma",
    "cpu_delay",
    "balancer_delay",
    "pod_delay",
    "knative_delay",
    "read_seconds",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One world. Raises ValueError for a value that the world cannot have."""

    # --- The application. Response time of a request that does not wait: service_time / (1 - utilisation), the mean of
    # an M/G/1 queue with processor sharing, whatever the distribution of the service time (Kleinrock, Queueing Systems,
    # volume 2, section 4.4). What is above the capacity waits in the task's own queue, first come first served.
    task_capacity: float = 150.0  # Requests/s that one task can finish.
    service_time: float = 0.1  # Seconds that a request takes in an idle task.
    objective: float = 0.5  # Seconds; what takes longer is late. With the two above: above 120 requests/s.
    time_out: float = 5.0  # Seconds of waiting after which the client gives up: the request is lost.
    busiest: float = 0.9  # Utilisation above which the formula is cut off: a second is too short for its steady state.
    completions: bool = False  # The application counts requests when they finish, not when they come.

    # --- The service. `target` is what every controller aims at, and the load per task that a run begins with.
    target: float = 100.0  # Requests/s per task.
    minimum: int = 2  # Tasks; MinCapacity of every controller.
    maximum: int = 100  # Tasks; MaxCapacity of every controller.
    start_tasks: int | None = None  # Tasks that run from the beginning; None: as many as put each at `target`.

    # --- ECS and Fargate.
    launch_burst: float = 100.0  # Tasks. AWS Fargate throttling quotas: a token bucket of 100 ...
    launch_rate: float = 20.0  # ... that refills with 20 a second, for On-Demand tasks of an account and Region.
    start_median: float = 25.0  # Seconds from launch to RUNNING, log-normal. AWS publishes none.
    start_sigma: float = 0.3  # Of its logarithm: 90% of tasks start within 15 to 41 s. AWS publishes none.
    health_interval: float = 5.0  # Seconds between two health checks: the shortest that an ALB has.
    # Checks until a target takes requests. ELB's documentation says that one is enough for a target that is new; two is
    # HealthyThresholdCount's minimum, and the careful assumption.
    health_checks: int = 2
    # Seconds for which a stopping task finishes its requests (deregistration_delay.timeout_seconds). AWS has 300 where
    # nothing is set; a service that scales sets less.
    deregistration: float = 10.0
    update_seconds: float = 0.2  # Until UpdateService returns. AWS publishes none.

    # --- Custom metrics of the application.
    publish_jitter: float = 1.0  # Seconds: every task calls up to so much after its bucket (fastscaler.publisher).
    visibility_median: float = 2.0  # Seconds from PutMetricData to a datapoint that can be read. AWS publishes none.
    visibility_sigma: float = 0.3  # Of its logarithm, per call; as in the design's figures. AWS publishes none.
    silent_share: float = 0.0  # Share of the tasks whose publisher is broken.

    # --- Metrics of AWS's own, and of Kubernetes.
    # Seconds from the end of a period until ECS CPUUtilization can be seen. AWS publishes none; the alarms of
    # simulator.peers.target_tracking are calibrated to AWS's figures with it.
    cpu_delay: float = 15.0
    balancer_delay: float = 30.0  # Seconds by which the ALB's counters are behind. AWS publishes none.
    pod_scrape: float = 15.0  # Seconds between two scrapes of metrics-server (--metric-resolution of its manifest).
    # Seconds from a sync of the HPA to a scrape: each has a rhythm of its own. None: by chance, another for each seed.
    pod_phase: float | None = None
    pod_delay: float = 1.0  # Seconds from a scrape to the answer of the metrics API. Assumed.
    knative_delay: float = 1.0  # Seconds: the autoscaler scrapes queue-proxies once a second (stat scraper, 1 s).

    # --- The scaler's own calls and invocations.
    read_seconds: float = 0.1  # For the reads of one look. AWS publishes none.
    # Seconds of the minute in which a rule may fire: "within that minute, but not on the precise 0th second"
    # (EventBridge User Guide, scheduled rules), so gaps of up to two minutes. Taken as even; AWS publishes none.
    beat_spread: float = 60.0

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < inf:
                raise ValueError(f"{name} = {getattr(self, name)}: must be above 0")
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < inf:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 0")
        if self.launch_burst < 1:
            raise ValueError(f"launch_burst = {self.launch_burst}: must be at least 1, or no task is ever launched")
        if self.pod_scrape < 1 or self.pod_scrape % 1:
            raise ValueError(f"pod_scrape = {self.pod_scrape}: must be whole seconds, at least 1")
        if self.pod_phase is not None and not 0 <= self.pod_phase < self.pod_scrape:
            raise ValueError(f"pod_phase = {self.pod_phase}: must be from 0 to below pod_scrape = {self.pod_scrape}")
        if not self.service_time < self.objective:
            raise ValueError(f"objective = {self.objective}: must be above service_time = {self.service_time}")
        if not 0 < self.busiest < 1:
            raise ValueError(f"busiest = {self.busiest}: must be between 0 and 1")
        if self.busiest_load > self.task_capacity * self.busiest:
            raise ValueError(
                f"objective = {self.objective}: must be at most {self.service_time / (1 - self.busiest):g}, the longest"
                " response of a task without a queue"
            )
        if self.deregistration < self.time_out:
            # A stopping task would take requests with it that have already been counted as answered.
            raise ValueError(f"deregistration = {self.deregistration}: must be at least time_out = {self.time_out}")
        if not 1 <= self.minimum <= self.maximum:
            raise ValueError(f"minimum = {self.minimum}: must be from 1 to maximum = {self.maximum}")
        if not 0 <= self.silent_share <= 1:
            raise ValueError(f"silent_share = {self.silent_share}: must be from 0 to 1")
        if not 0 <= self.beat_spread <= 60:
            raise ValueError(f"beat_spread = {self.beat_spread}: must be from 0 to 60")

    @property
    def busiest_load(self) -> float:
        """The most requests/s with which one task meets the objective."""
        return self.task_capacity * (1 - self.service_time / self.objective)

    @property
    def health_seconds(self) -> float:
        """Seconds from RUNNING to the first request."""
        return self.health_interval * self.health_checks

    def need(self, load: Sequence[float]) -> list[int]:
        """The fewest tasks that meet the objective at each load (requests/s); at least one."""
        busiest = self.busiest_load
        return [max(1, ceil(one / busiest - ROUNDING)) for one in load]

    def first_tasks(self, load: float) -> int:
        """The tasks that a run begins with at `load` (requests/s)."""
        if self.start_tasks is not None:
            return self.start_tasks
        return min(max(ceil(load / self.target - ROUNDING), self.minimum), self.maximum)
