"""All controllers on all traffic: a row for each, with what it is worth against the oracle and against no scaling."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.decision import shipped_service
from benchmarks.parallel import parallel
from benchmarks.rows import Row
from benchmarks.workloads import DAY, WORKLOADS, Workload
from simulator.contenders import CONTENDERS
from simulator.controllers.fastscaler import FastScaler
from simulator.run import Run
from simulator.score.score import elastic_speedup, over_oracle, score
from simulator.settings import Settings
from simulator.simulate import Controller, simulate

SEEDS = (1, 2, 3)

CHARTED = 1  # The seed of the charts.

Job = tuple[str, int, Path | None]  # Traffic, seed, and where to put its chart.


def controllers() -> list[Controller]:
    """FastScaler with the shipped policies, and its peers."""
    return [FastScaler(shipped_service()), *(make() for make in CONTENDERS.values())]


def tournament(
    workloads: Sequence[str] = tuple(WORKLOADS), seeds: Sequence[int] = SEEDS, charts: Path | None = None
) -> list[Row]:
    """A row for every traffic, controller and seed, in this order; a chart of each traffic goes to `charts`."""
    jobs = [
        (name, seed, charts if seed == CHARTED else None)
        for name in sorted(workloads, key=_shortest_last)
        for seed in seeds
    ]
    rows = parallel("controllers", rows_of, jobs)
    found = {(name, seed): of_all for (name, seed, _), of_all in zip(jobs, rows, strict=True)}
    by_place = ((name, place, seed) for name in workloads for place in range(len(controllers())) for seed in seeds)
    return [found[name, seed][place] for name, place, seed in by_place]


def rows_of(job: Job) -> list[Row]:
    """The rows of all controllers on the same traffic."""
    name, seed, charts = job
    workload = WORKLOADS[name]
    runs = {run.controller: run for run in runs_of(workload, seed)}
    oracle, unscaled = score_of(workload, runs["oracle"]), runs["no-scaling"]
    rows = []
    for run in runs.values():
        row = score_of(workload, run)
        speedup = elastic_speedup(run, unscaled)
        rows.append({**row, "elastic_speedup": speedup, **over_oracle(row, oracle), "factor": workload.factor})
    if charts is not None:
        from simulator.chart import draw  # Only here: pyplot takes a second to import, in every process.

        draw(list(runs.values()), charts / f"{name}.png", f"{name}: {workload.about}")
    return rows


def runs_of(workload: Workload, seed: int) -> list[Run]:
    """The runs of all controllers."""
    trace = workload.trace(seed)
    return [simulate(trace, controller, workload.settings, seed) for controller in controllers()]


def score_of(workload: Workload, run: Run) -> Row:
    """The figures of a run on this traffic."""
    return dict(score(run, *workload.surge(run.seed))) if workload.surge else dict(score(run))


def run_of(name: str, controller: Controller, settings: Settings | None = None, seed: int = 1) -> Row:
    """The figures of one controller on one traffic, in another world if one is given."""
    workload = WORKLOADS[name]
    return score_of(workload, simulate(workload.trace(seed), controller, settings or workload.settings, seed))


def _shortest_last(name: str) -> bool:
    return len(WORKLOADS[name].load(1)) < DAY
