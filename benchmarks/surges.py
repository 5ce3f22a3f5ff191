"""Many surges of 5 times the load, at any moment: how long until the call, until there is enough, until all is well."""

from collections.abc import Sequence

import numpy as np

from benchmarks.parallel import parallel
from benchmarks.rows import Row
from benchmarks.tournament import controllers
from benchmarks.workloads import GOLDEN_RATIO, MINUTE, surge
from simulator.run import Trace
from simulator.score.surge import capacity_seconds, reaction_seconds, recovery_seconds
from simulator.settings import Settings
from simulator.simulate import Controller, simulate

RUNS, PEERS_RUNS, BATCH = 1000, 250, 50  # The peers have no tail that would need as many.
# 60% of the shipped threshold of 100 requests/s per task, and 5 times that.
TASKS, BEFORE, AFTER = 8, 480.0, 2400.0
SECONDS = 15 * MINUTE
WORLD = Settings(start_tasks=TASKS)
DIGITS = 2  # Of seconds.
UNMEASURED = ("oracle", "no-scaling")  # One calls before the surge, one never.
FIGURES = {"reaction": reaction_seconds, "capacity": capacity_seconds, "recovery": recovery_seconds}

Job = tuple[int, tuple[int, ...]]  # Place of the controller, and seeds.


def surges(runs: int = RUNS, peers_runs: int = PEERS_RUNS) -> list[Row]:
    """Percentiles for every controller that scales after a surge; None where so many runs were never answered."""
    places = [place for place, controller in enumerate(controllers()) if controller.name not in UNMEASURED]
    jobs: list[Job] = []
    for place in places:
        count = peers_runs if place else runs
        jobs += [(place, tuple(range(first, min(first + BATCH, count)))) for first in range(0, count, BATCH)]
    found = list(zip(jobs, parallel("surges", _measure, jobs), strict=True))
    return [
        percentiles(controllers()[place].name, [one for job, batch in found if job[0] == place for one in batch])
        for place in places
    ]


def _measure(job: Job) -> list[list[float | None]]:
    place, seeds = job
    return measure(controllers()[place], seeds)


def moment(seed: int) -> float:
    """Consecutive seeds fall evenly into the third minute, and so into hand-overs, beats and buckets."""
    return 2 * MINUTE + MINUTE * (seed * GOLDEN_RATIO % 1)


def measure(controller: Controller, seeds: Sequence[int], world: Settings = WORLD) -> list[list[float | None]]:
    """The three figures of a surge for each seed, in seconds; None: never."""
    measured = []
    for seed in seeds:
        at = moment(seed)
        trace = Trace("surge", surge(BEFORE, AFTER, at, SECONDS).tolist())
        run = simulate(trace, controller, world, seed)
        measured.append([figure(run, at, SECONDS) for figure in FIGURES.values()])
    return measured


def percentiles(controller: str, measured: Sequence[Sequence[float | None]]) -> Row:
    """The row of a controller."""
    row: Row = {"controller": controller, "runs": len(measured)}
    for column, name in enumerate(FIGURES):
        seconds = [float("inf") if one[column] is None else float(one[column] or 0.0) for one in measured]
        for percent in (50, 99):
            value = float(np.percentile(seconds, percent, method="higher"))
            row[f"{name}_p{percent}"] = round(value, DIGITS) if np.isfinite(value) else None
    return row
