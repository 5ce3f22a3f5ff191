"""What tasks that carry a given load would publish: a queueing model simple enough to check by hand.

A task is a processor-sharing server. With utilisation u = arrivals / capacity it answers in base / (1 - u) seconds up
to u = 0.95. Above, where a real queue would grow for as long as the overload lasts, the response time grows in
proportion to u instead, so that it stays finite and a heavier overload still looks worse. Active connections follow
from Little's law: arrivals times response time.
"""

from dataclasses import dataclass
from random import Random

from fastscaler.publisher.metrics import (
    ACTIVE_CONNECTIONS,
    AVERAGE_RESPONSE_TIME,
    REQUESTS_PER_SECOND,
    BucketMetrics,
    Metric,
    Sample,
)

_KNEE = 0.95
_DIGITS = 6  # Decimals published: far below what matters, and equal loads stay equal values.


@dataclass(frozen=True, slots=True)
class VirtualTasks:
    """Identical tasks behind a load balancer.

    `capacity` is what one task can serve (requests/s), `base_response_time` its answer when idle (seconds). `spread`
    is how far the busiest task may be from the mean (0.1: about 10%); it is random, but the same for the same `seed`.
    """

    capacity: float
    base_response_time: float
    spread: float = 0.0
    seed: int = 0

    def response_time(self, rate: float) -> float:
        """Seconds a task takes to answer at `rate` arrivals per second."""
        utilisation = rate / self.capacity
        if utilisation <= _KNEE:
            return self.base_response_time / (1 - utilisation)
        return self.base_response_time / (1 - _KNEE) * utilisation / _KNEE

    def publish(self, load: float, tasks: int, start: int, seconds: int, beat: int) -> BucketMetrics:
        """The bucket that `tasks` tasks under `load` (requests/s, all together) publish.

        Load and connections have one sample per task. Response times have one per request answered, as with the real
        publisher; within one task they are all alike. A bucket without answers has none.
        """
        rates = [load / tasks * share for share in self._shares(tasks, beat)]
        times = [self.response_time(rate) for rate in rates]
        answered = [round(min(rate, self.capacity) * seconds) for rate in rates]
        metrics = [
            Metric(REQUESTS_PER_SECOND, tuple(Sample(round(rate, _DIGITS)) for rate in rates)),
            Metric(
                ACTIVE_CONNECTIONS,
                tuple(Sample(round(rate * time, _DIGITS)) for rate, time in zip(rates, times, strict=True)),
            ),
        ]
        if any(answered):
            samples = zip(times, answered, strict=True)
            metrics.append(
                Metric(
                    AVERAGE_RESPONSE_TIME,
                    tuple(Sample(round(time, _DIGITS), count) for time, count in samples if count),
                )
            )
        return BucketMetrics(start, tuple(metrics))

    def _shares(self, tasks: int, beat: int) -> list[float]:
        """One factor per task; their mean is 1, so that the load is spread and neither grows nor shrinks."""
        if not self.spread:
            return [1.0] * tasks
        rng = Random(self.seed * 1_000_003 + beat)
        raw = [1 + rng.uniform(-self.spread, self.spread) for _ in range(tasks)]
        mean = sum(raw) / tasks
        return [share / mean for share in raw]
