"""In-memory stand-ins for the publisher's ports."""

from collections.abc import Sequence

from fastscaler.publisher.metrics import BucketMetrics

EPOCH = 1_800_000_000  # A bucket boundary for every bucket length used in these tests.


class FakeClock:
    """A clock that stands still until it is told otherwise; `at` sets seconds after EPOCH."""

    def __init__(self) -> None:
        self.now = float(EPOCH)

    def __call__(self) -> float:
        return self.now

    def at(self, seconds: float) -> None:
        self.now = EPOCH + seconds


class FakeTime:
    """A wall clock and a stopwatch that go at the same pace until the wall clock is set."""

    def __init__(self) -> None:
        self.clock, self.stopwatch = FakeClock(), FakeClock()

    def pass_(self, seconds: float) -> None:
        self.clock.now += seconds
        self.stopwatch.now += seconds

    def set_clock(self, by: float) -> None:
        """Somebody sets the wall clock; no time passes."""
        self.clock.now += by


class FakeSink:
    """Keeps what it is sent, unless `errors` still holds an exception to raise."""

    destination = "fake"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sent: list[list[BucketMetrics]] = []

    def send(self, buckets: Sequence[BucketMetrics]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(list(buckets))

    @property
    def starts(self) -> list[int]:
        """Start of every bucket received, in seconds after EPOCH."""
        return [bucket.start - EPOCH for call in self.sent for bucket in call]

    def values(self, metric: str) -> list[float]:
        """The single sample of a per-task metric in each bucket received."""
        return [
            one.samples[0].value
            for call in self.sent
            for bucket in call
            for one in bucket.metrics
            if one.name == metric
        ]
