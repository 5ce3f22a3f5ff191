"""Response times as a bounded distribution, so that percentiles survive and memory does not grow with traffic."""

from math import floor, log

from fastscaler.publisher.metrics import Sample

# Each bin is 10% wider than the one before, so a percentile is off by less than 10% (the CloudWatch agent does so too).
# From 0.1 ms to 120 s that makes 147 bins: under CloudWatch's limit of 150 distinct values per datum by construction.
_GROWTH = log(1.1)
_SHORTEST = 0.0001
_LONGEST = 120.0


class Distribution:
    """Counts of seconds in logarithmic bins. Each bin remembers its sum: the mean stays exact, to a microsecond."""

    __slots__ = ("_bins",)

    def __init__(self) -> None:
        self._bins: dict[int, tuple[float, int]] = {}

    def add(self, seconds: float) -> None:
        """Count one duration. Outside of 0.1 ms to 120 s it counts in the outermost bin, with its own value."""
        index = floor(log(min(max(seconds, _SHORTEST), _LONGEST) / _SHORTEST) / _GROWTH)
        total, count = self._bins.get(index, (0.0, 0))
        self._bins[index] = (total + max(seconds, 0.0), count + 1)

    def samples(self) -> tuple[Sample, ...]:
        """The mean of each bin that is not empty, shortest first, with its count."""
        return tuple(Sample(round(total / count, 6), count) for _, (total, count) in sorted(self._bins.items()))
