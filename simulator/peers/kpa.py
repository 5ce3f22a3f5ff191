"""Knative's pod autoscaler (KPA): a stable window of 60 s and a panic window of 6 s.

Source: Knative Serving, pkg/autoscaler/scaling/autoscaler.go, and the defaults of its ConfigMap config-autoscaler. Not
modelled, as the defaults have them off or an ECS service has no such thing: scale to zero, activation scale, scale-down
delay, burst capacity of the activator, a revision without traffic.
"""

from math import ceil, floor

from simulator.peers.bounds import Bounds

STABLE_WINDOW = 60.0  # stable-window; seconds.
PANIC_WINDOW = 6.0  # panic-window-percentage: 10% of the stable window; seconds.
PANIC_THRESHOLD = 2.0  # panic-threshold-percentage: 200%.
MAX_SCALE_UP_RATE = 1000.0  # max-scale-up-rate: times the ready tasks.
MAX_SCALE_DOWN_RATE = 2.0  # max-scale-down-rate: the ready tasks divided by it.


class Kpa:
    """As many tasks as carry the mean load of the stable window, or in panic that of the last 6 s."""

    name = "knative-kpa"
    interval = 2.0  # tick-interval

    def __init__(
        self,
        total_per_task: float,
        minimum: int,
        maximum: int,
        utilisation: float = 0.7,
        max_scale_up_rate: float = MAX_SCALE_UP_RATE,
        max_scale_down_rate: float = MAX_SCALE_DOWN_RATE,
    ) -> None:
        """`total_per_task`: what one task takes, in the unit of the load (requests/s); the target is a share of it.

        Raises ValueError where the bounds are not 0 <= minimum <= maximum.
        """
        self._target = total_per_task * utilisation
        self._bounds = Bounds(minimum, maximum)
        self._max_scale_up_rate = max_scale_up_rate
        self._max_scale_down_rate = max_scale_down_rate
        self._started = False
        self._panic_at: float | None = None
        self._panic_count = 0

    def step(self, now: float, ready: int, stable_mean: float | None, panic_mean: float | None) -> int | None:
        """The means of the service's whole load per second over 60 s and over 6 s; None: no data, which holds."""
        self._start(now, ready)
        if stable_mean is None or panic_mean is None:
            return None
        tasks = max(1, ready)
        for_stable = self._limited(ceil(stable_mean / self._target), tasks)
        unlimited = ceil(panic_mean / self._target)
        for_panic = self._limited(unlimited, tasks)
        self._watch_panic(now, unlimited / tasks >= PANIC_THRESHOLD)
        desired = for_stable
        if self._panic_at is not None:
            # In panic the count only rises; the stable window may be the higher one, when a surge is over.
            self._panic_count = desired = max(self._panic_count, for_stable, for_panic)
        return self._bounds.clamp(desired)

    def _start(self, now: float, ready: int) -> None:
        """A restart loses the history: it begins in panic, so that it does not shrink what is there."""
        if self._started:
            return
        self._started = True
        self._panic_count = ready
        if ready > 1:
            self._panic_at = now

    def _limited(self, count: int, tasks: int) -> int:
        highest = ceil(self._max_scale_up_rate * tasks)
        return min(max(count, floor(tasks / self._max_scale_down_rate)), highest)

    def _watch_panic(self, now: float, over: bool) -> None:
        if over:
            self._panic_at = now
        elif self._panic_at is not None and self._panic_at + STABLE_WINDOW < now:
            self._panic_at = None
            self._panic_count = 0
