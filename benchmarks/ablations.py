"""FastScaler with each of its ideas switched alone: off, but for the one that is off as shipped. What does it do?"""

from dataclasses import replace

from benchmarks.decision import shipped_service
from benchmarks.parallel import parallel
from benchmarks.rows import Row
from benchmarks.tournament import run_of
from benchmarks.workloads import WORKLOADS
from simulator.controllers.ablations import ABLATIONS
from simulator.controllers.fastscaler import FastScaler

SEED = 1
NOTHING, ARRIVALS = "nothing", "counting arrivals"
SWITCHED = (NOTHING, *ABLATIONS, ARRIVALS)


def ablations(workloads: tuple[str, ...] = tuple(WORKLOADS)) -> list[Row]:
    """A row for every idea and traffic; that of `nothing` is the shipped default."""
    return parallel("ablations", _row, [(name, idea) for name in workloads for idea in SWITCHED])


def _row(job: tuple[str, str]) -> Row:
    name, idea = job
    service, settings = shipped_service(), WORKLOADS[name].settings
    if idea == ARRIVALS:
        settings = replace(settings, completions=True)
    controller = ABLATIONS[idea](service) if idea in ABLATIONS else FastScaler(service)
    return {"switched": idea, **run_of(name, controller, settings, SEED)}
