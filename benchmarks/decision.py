"""CPU time of one decision, for the shipped policy document."""

import timeit
from pathlib import Path
from statistics import median

from fastscaler.document.parse import parse_document
from fastscaler.scaling.decision import decide
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import Datapoint, Observation, ServiceState, read_metric
from fastscaler.scaling.policy import Service

POLICIES = Path(__file__).parents[1] / "policies.yaml"
NOW, LOOPS, REPEATS = 1_000_007.0, 2000, 15


def shipped_service() -> Service:
    """The service of the shipped document."""
    return parse_document(POLICIES.read_text(), POLICIES.name).services[0]


def decision_microseconds() -> dict[str, float]:
    """Median microseconds of `decide` for one service: a calm one, and one in a surge."""
    service = shipped_service()
    return {name: _median(service, total) for name, total in (("calm", 240.0), ("surge", 1200.0))}


def _median(service: Service, total: float) -> float:
    key = service.policies[0].metric
    buckets = [Datapoint(1_000_000.0 - 5 * age, total, 4) for age in range(12)]
    others = {
        other: read_metric(metric, [Datapoint(999_990.0, 0.1)], 4, 60, NOW) for other, metric in service.metrics.items()
    }
    metrics = others | {key: read_metric(service.metrics[key], buckets, 4, service.patience[key], NOW)}
    observation = Observation(ServiceState(desired=4, running=4), metrics)
    memory = decide(service, observation, Memory(), NOW).memory
    times = timeit.repeat(lambda: decide(service, observation, memory, NOW), number=LOOPS, repeat=REPEATS)
    return round(median(times) / LOOPS * 1e6, 1)
