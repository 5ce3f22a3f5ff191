"""The load balancer's access log: every request with its response time and its status."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Self

# HAProxy's names: now in milliseconds, Ta (from the first byte of the request to the last one of the answer, in
# milliseconds), status, termination state.
FORMAT = "request %[date(0,ms)] %Ta %ST %tsc"


@dataclass(frozen=True)
class Request:
    """One request: epoch second of its arrival, seconds until it was answered in full, HTTP status.

    `aborted`: the client left before the answer. The load generator does so when its time is over.
    """

    arrived: float
    seconds: float
    status: int
    aborted: bool = False

    @classmethod
    def read(cls, line: str) -> Self | None:
        """The request of a log line; None if the line is something else."""
        match line.split():
            case ["request", ended, active, status, state]:
                seconds = max(0, int(active)) / 1000
                return cls(int(ended) / 1000 - seconds, seconds, int(status), state.startswith("C"))
        return None

    @property
    def failed(self) -> bool:
        """Answered with an error, or not at all. A request that the client gave up is no failure of the service."""
        return not self.aborted and not 200 <= self.status < 400


@dataclass(frozen=True)
class Figures:
    """Requests that arrived within some time. Response times in seconds are of those that were answered well."""

    requests: int
    aborted: int
    errors: int
    p50: float | None
    p99: float | None

    @classmethod
    def of(cls, requests: Iterable[Request]) -> Self:
        found = list(requests)
        times = sorted(request.seconds for request in found if not request.aborted and not request.failed)
        return cls(
            len(found),
            sum(request.aborted for request in found),
            sum(request.failed for request in found),
            percentile(times, 50),
            percentile(times, 99),
        )


def percentile(ordered: list[float], percent: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed (nearest rank); None of no values."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def by_second(requests: Iterable[Request], start: float, end: float) -> list[tuple[float, Figures]]:
    """The figures of each whole second from `start` (epoch seconds), by arrival."""
    seconds: list[list[Request]] = [[] for _ in range(max(0, int(end - start)))]
    for request in requests:
        if 0 <= (second := int(request.arrived - start)) < len(seconds) and request.arrived >= start:
            seconds[second].append(request)
    return [(start + number, Figures.of(found)) for number, found in enumerate(seconds)]
