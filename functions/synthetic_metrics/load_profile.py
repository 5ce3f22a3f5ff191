"""Load over time, as pure functions: how many requests a whole service has received by a given second.

Rates are arrivals in requests per second, time is seconds since the profile began. A profile is defined by its
integral, so that the mean over a bucket is exact wherever in the bucket the load changes.
"""

from dataclasses import dataclass
from math import exp, pi, sin
from typing import ClassVar, Protocol


class LoadProfile(Protocol):
    """A load that is defined for every second from 0 on."""

    @property
    def jump(self) -> float | None:
        """The second at which the load jumps; None when it never does."""

    def requests(self, until: float) -> float:
        """Requests that have arrived from second 0 to second `until`."""


def mean_rate(profile: LoadProfile, start: float, end: float) -> float:
    """Mean arrivals between two seconds, in requests per second."""
    return max(0.0, (profile.requests(end) - profile.requests(start)) / (end - start))


@dataclass(frozen=True, slots=True)
class ThenRest:
    """`profile` until second `until`, then at once `rest` requests/s, for ever."""

    profile: LoadProfile
    until: float
    rest: float

    @property
    def jump(self) -> float | None:
        return self.profile.jump

    def requests(self, until: float) -> float:
        return self.profile.requests(min(until, self.until)) + self.rest * max(0.0, until - self.until)


@dataclass(frozen=True, slots=True)
class Constant:
    """`base`, for ever."""

    base: float
    jump: ClassVar[None] = None

    def requests(self, until: float) -> float:
        return self.base * until


@dataclass(frozen=True, slots=True)
class Step:
    """`base`, and from second `jump` on `peak`."""

    base: float
    peak: float
    jump: float

    def requests(self, until: float) -> float:
        return self.base * until + (self.peak - self.base) * max(0.0, until - self.jump)


@dataclass(frozen=True, slots=True)
class Ramp:
    """`base` until second `at`, a straight line to `peak` over `seconds`, then `peak`."""

    base: float
    peak: float
    at: float
    seconds: float
    jump: ClassVar[None] = None

    def requests(self, until: float) -> float:
        climbing = min(max(0.0, until - self.at), self.seconds)
        at_peak = max(0.0, until - self.at - self.seconds)
        return self.base * until + (self.peak - self.base) * (climbing**2 / (2 * self.seconds) + at_peak)


@dataclass(frozen=True, slots=True)
class Spike:
    """A flash crowd: `base`, at second `jump` suddenly `peak`, whose excess shrinks to 37% in every `decay` seconds."""

    base: float
    peak: float
    jump: float
    decay: float

    def requests(self, until: float) -> float:
        since = max(0.0, until - self.jump)
        return self.base * until + (self.peak - self.base) * self.decay * (1 - exp(-since / self.decay))


@dataclass(frozen=True, slots=True)
class Sine:
    """A wave between `base`, where it begins, and `peak`, half a `period` (seconds) later."""

    base: float
    peak: float
    period: float
    jump: ClassVar[None] = None

    def requests(self, until: float) -> float:
        middle, swing = (self.base + self.peak) / 2, (self.peak - self.base) / 2
        turn = 2 * pi / self.period
        return middle * until - swing / turn * sin(turn * until)


@dataclass(frozen=True, slots=True)
class Trace:
    """Each of `rates` for `interval` seconds; the last one for ever."""

    rates: tuple[float, ...]
    interval: float
    jump: ClassVar[None] = None

    def requests(self, until: float) -> float:
        past = min(int(until // self.interval), len(self.rates) - 1)
        return sum(self.rates[:past]) * self.interval + self.rates[past] * (until - past * self.interval)
