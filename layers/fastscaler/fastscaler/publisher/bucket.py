"""What was counted in one bucket: a stretch of the wall clock that begins at the same moment in every process."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastscaler.publisher.distribution import Bin, add_up, samples
from fastscaler.publisher.metrics import (
    ACTIVE_CONNECTIONS,
    AVERAGE_RESPONSE_TIME,
    REQUESTS_PER_SECOND,
    SERVER_ERRORS,
    BucketMetrics,
    Metric,
    Sample,
)


def bucket_start(at: float, seconds: int) -> int:
    """Start of the bucket that contains `at`, both in epoch seconds. Buckets of all tasks begin at the same moments."""
    return int(at // seconds) * seconds


@dataclass(frozen=True, slots=True)
class Bucket:
    """One ended bucket. `arrivals` in requests; `active` is the mean number of open requests and connections;
    `errors` is the number of responses with status 5xx.
    """

    start: int
    seconds: int
    arrivals: int
    active: float
    errors: int = 0
    response_times: tuple[Bin, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether nothing came and nothing was answered."""
        return not (self.arrivals or self.errors or self.response_times)

    def metrics(self) -> BucketMetrics:
        """The metrics to publish. All but response time are published while idle too: only a broken task is silent.

        Response time is left out of a bucket without responses: a zero would be a measurement that nobody made.
        """
        per_task = (
            Metric(REQUESTS_PER_SECOND, (Sample(self.arrivals / self.seconds),)),
            Metric(ACTIVE_CONNECTIONS, (Sample(round(self.active, 3)),)),
            Metric(SERVER_ERRORS, (Sample(self.errors),)),
        )
        if not self.response_times:
            return BucketMetrics(self.start, per_task)
        return BucketMetrics(self.start, (*per_task, Metric(AVERAGE_RESPONSE_TIME, samples(self.response_times))))


def together(parts: Sequence[Bucket]) -> Bucket:
    """One bucket out of what several processes, or one in several stretches, counted in it."""
    return Bucket(
        parts[0].start,
        parts[0].seconds,
        sum(part.arrivals for part in parts),
        sum(part.active for part in parts),
        sum(part.errors for part in parts),
        add_up(part.response_times for part in parts),
    )
