"""The traffic that every controller gets: recorded days and hours, and shapes. The same for the same seed.

Recorded traffic is multiplied until a fleet of 2 to 100 tasks carries it. Where it was a few requests/s, multiplying
would multiply the counting noise too: at 1.6 requests/s a second's count is off by 80%, which is true of no service
with 1,600. So two of them are smoothed over 30 s, multiplied, and counted again at the new rate (Poisson). One stays as
it was counted, the hardest of all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.run import Trace
from simulator.settings import Settings
from simulator.traffic import read_traffic

Load = NDArray[np.float64]

TRACES = Path(__file__).parent / "traces"
MINUTE, HOUR, DAY = 60, 3600, 86_400
SMOOTHED_OVER = 30  # Seconds.
GOLDEN_RATIO = (5**0.5 - 1) / 2
HELD = 15 * MINUTE  # Seconds that a surge lasts; as much time follows it.


@dataclass(frozen=True, slots=True)
class Workload:
    """Traffic by seed. `factor`: what recorded traffic was multiplied by.

    A surge is a rise within one second; `surge` says when it comes and until when it lasts.
    """

    name: str
    about: str
    load: Callable[[int], Load]
    factor: float | None = None
    surge: Callable[[int], tuple[float, float]] | None = None
    start_tasks: int | None = None

    def trace(self, seed: int) -> Trace:
        """The traffic of one seed."""
        return Trace(self.name, self.load(seed).tolist())

    @property
    def settings(self) -> Settings:
        """The world, with the tasks that this traffic begins with."""
        return Settings(start_tasks=self.start_tasks)


def surge_at(seed: int) -> float:
    """A moment of the third minute: consecutive seeds fall evenly into the minute and into the buckets of 5 s."""
    return 120 + 5 * (seed * 7 % 12) + 5 * (seed * GOLDEN_RATIO % 1)


def surge(before: float, after: float, at: float, seconds: int, until: float | None = None) -> Load:
    """A load that jumps at `at`, which may be within a second, and falls back at `until`."""
    second = np.arange(seconds)
    share = np.clip(second + 1 - at, 0, 1)
    if until is not None:
        share -= np.clip(second + 1 - until, 0, 1)
    return np.asarray(before + (after - before) * share)


def _surge(name: str, tasks: int, per_task: float, times: float) -> Workload:
    before, seconds = tasks * per_task, 3 * MINUTE + 2 * HELD
    return Workload(
        name,
        f"{before:,.0f} requests/s, {times:g} times that within a second for 15 minutes, then back",
        lambda seed: surge(before, times * before, surge_at(seed), seconds, surge_at(seed) + HELD),
        surge=lambda seed: (surge_at(seed), surge_at(seed) + HELD),
        start_tasks=tasks,
    )


@cache
def _recorded(file: str) -> Load:
    return np.array(read_traffic(TRACES / f"{file}_per_second.csv").load)


def _multiplied(name: str, file: str, factor: float, about: str) -> Workload:
    return Workload(name, f"{about}, x {factor:g}", lambda seed: _recorded(file) * factor, factor)


def _smoothed(name: str, file: str, factor: float, about: str) -> Workload:
    def load(seed: int) -> Load:
        window = np.ones(SMOOTHED_OVER)
        counts = _recorded(file)
        known = np.convolve(np.ones(len(counts)), window, "same")  # Fewer seconds at both ends.
        return _counted(np.convolve(counts, window, "same") / known * factor, seed)

    return Workload(name, f"{about}, mean of {SMOOTHED_OVER} s x {factor:g}", load, factor)


def _counted(rate: Load, seed: int) -> Load:
    """Requests that come one by one at a rate."""
    return np.random.default_rng(seed).poisson(rate).astype(float)


def _ramp(seed: int) -> Load:
    corners = np.array([0, 5, 15, 25, 35, 45]) * MINUTE
    return np.interp(np.arange(45 * MINUTE), corners, [400, 400, 4000, 4000, 400, 400])


def _flash_crowd(seed: int) -> Load:
    """Grows tenfold within a minute, and halves every 10 minutes: the shape of news that spread at once."""
    second = np.arange(HOUR) - surge_at(seed)
    rise = np.clip(second / MINUTE, 0, 1)
    fall = np.where(second > MINUTE, 0.5 ** ((second - MINUTE) / (10 * MINUTE)), 1.0)
    return 500 + 4500 * rise * fall


def _sine_day(seed: int) -> Load:
    return _counted(2000 - 1500 * np.cos(2 * np.pi * np.arange(DAY) / DAY), seed)


def _bursts(seed: int) -> Load:
    at = surge_at(seed)
    cycles = (surge(0, 2000, at + 10 * MINUTE * cycle, HOUR, at + (10 * cycle + 3) * MINUTE) for cycle in range(6))
    return np.asarray(400 + np.sum(list(cycles), axis=0))


def _noise(seed: int) -> Load:
    """A rate that wanders by 15%, forgotten within 20 s, and requests that come one by one."""
    memory = np.exp(-1 / 20)
    draws = np.random.default_rng([seed, 1]).standard_normal(HOUR) * np.sqrt(1 - memory**2)
    wander, level = np.empty(HOUR), 0.0
    for second, draw in enumerate(draws):
        level = memory * level + draw
        wander[second] = level
    return _counted(1000 * np.maximum(0.0, 1 + 0.15 * wander), seed)


WORKLOADS = {
    workload.name: workload
    for workload in (
        _surge("surge-2x", 8, 75, 2),
        _surge("surge-5x", 8, 60, 5),
        _surge("surge-20x", 4, 60, 20),
        Workload("ramp", "400 to 4,000 requests/s in 10 minutes, and back 10 minutes later", _ramp),
        Workload("flash-crowd", "500 to 5,000 requests/s in a minute, halved every 10 minutes", _flash_crowd),
        Workload("sine-day", "500 to 3,500 requests/s and back in 24 hours", _sine_day),
        Workload(
            "bursts",
            "400 requests/s, every 10 minutes 2,400 for 3 minutes",
            _bursts,
            surge=lambda seed: (surge_at(seed), surge_at(seed) + 3 * MINUTE),
        ),
        Workload("noise", "1,000 requests/s that wander by 15%", _noise),
        _smoothed("nasa", "nasa_1995-07-13", 1000, "web server of NASA, day of a launch"),
        _smoothed("azure-code", "azure_llm_2023_code", 400, "LLM inference of Azure"),
        _multiplied("azure-code-raw", "azure_llm_2023_code", 100, "the same as counted, noise and all"),
        _multiplied("autothrottle-bursty", "autothrottle_bursty", 10, "input of Autothrottle's benchmark"),
        _multiplied("autothrottle-noisy", "autothrottle_noisy", 10, "the same set, noisy"),
    )
}
