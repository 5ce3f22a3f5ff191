"""What would be different if AWS were: each constant that AWS does not publish, lower and higher than assumed."""

from dataclasses import replace
from typing import Any

from benchmarks.decision import shipped_service
from benchmarks.parallel import parallel
from benchmarks.rows import Row
from benchmarks.surges import WORLD, measure, percentiles
from benchmarks.tournament import run_of
from benchmarks.workloads import WORKLOADS
from simulator.contenders import CONTENDERS
from simulator.controllers.fastscaler import FastScaler
from simulator.simulate import Controller

SEED = 1
SURGES, RUNS = "surges", 60
TRAFFIC = ("surge-5x", "surge-20x", "flash-crowd", "bursts", "azure-code")
ASSUMED = "as assumed"
# What is changed, and to what. The others stay as `simulator.settings` has them.
VARIANTS: dict[str, dict[str, Any]] = {
    ASSUMED: {},
    "custom metrics visible after 1 s": {"visibility_median": 1.0},
    "custom metrics visible after 4 s": {"visibility_median": 4.0},
    "visibility twice as uneven (sigma 0.6)": {"visibility_sigma": 0.6},
    "tasks start in 15 s": {"start_median": 15.0},
    "tasks start in 45 s": {"start_median": 45.0},
    "start-up twice as uneven (sigma 0.6)": {"start_sigma": 0.6},
    "CPU visible after 5 s": {"cpu_delay": 5.0},
    "CPU visible after 45 s": {"cpu_delay": 45.0},
    "one publisher in five is silent": {"silent_share": 0.2},
    "UpdateService takes 1 s": {"update_seconds": 1.0},
    "reads take 0.5 s": {"read_seconds": 0.5},
}


def sensitivity() -> list[Row]:
    """A row for every variant, traffic and controller: FastScaler, and the best AWS peer.

    And one for every variant with FastScaler's answers to many surges, whose `trace` is SURGES.
    """
    jobs = [(variant, name, which) for variant in VARIANTS for name in TRAFFIC for which in (0, 1)]
    jobs += [(variant, SURGES, 0) for variant in VARIANTS]
    return parallel("sensitivity", _row, jobs)


def _row(job: tuple[str, str, int]) -> Row:
    variant, name, which = job
    changed = VARIANTS[variant]
    if name == SURGES:
        fastscaler = FastScaler(shipped_service())
        answers = percentiles(fastscaler.name, measure(fastscaler, range(RUNS), replace(WORLD, **changed)))
        return {"variant": variant, "trace": SURGES, **answers}
    controller: Controller = CONTENDERS["aws-20s"]() if which else FastScaler(shipped_service())
    settings = replace(WORKLOADS[name].settings, **changed)
    return {"variant": variant, **run_of(name, controller, settings, SEED)}
