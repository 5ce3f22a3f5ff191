"""What a later decision needs of what is seen now: how many tasks ran when, and since when metrics have told nothing.

An invocation lasts a minute, a datapoint counts for up to some minutes, and an outage lasts as long as it will.
"""

from collections.abc import Mapping
from dataclasses import replace

from fastscaler.scaling.memory import MAX_RUNNING, Memory
from fastscaler.scaling.observation import MetricReading, NoData, Observation
from fastscaler.scaling.policy import Service

# Seconds without data after which that is remembered. A look or two without an answer ends by itself, and each entry is
# two writes.
OUTAGE = 15.0


def remember_running(service: Service, memory: Memory, running: int, now: float, horizon: float) -> Memory:
    """Memory with the running count as it is at `now` (epoch seconds), and as it was in the `horizon` seconds before.

    Only for services with a metric that tells the mean of the tasks: it is multiplied by the tasks that it is of.
    """
    if all(metric.is_shared_load for metric in service.used_metrics.values()):
        return memory if not memory.running else replace(memory, running=())
    # A machine whose clock was ahead may have left entries of what has not been yet.
    known = tuple(entry for entry in memory.running if entry[0] <= now)
    if not known or known[-1][1] != running:
        known = (*known, (int(now), running))[-MAX_RUNNING:]
    # The last entry before the horizon tells what it began with.
    begun = sum(since <= now - horizon for since, _ in known[1:])
    kept = known[begun:]
    return memory if kept == memory.running else replace(memory, running=kept)


def mean_running(history: tuple[tuple[int, int], ...], start: float, end: float) -> float | None:
    """The mean running count from `start` to `end` (epoch seconds); None where the history begins later."""
    if not history or history[0][0] > start:
        return None
    ends = [*(since for since, _ in history[1:]), end]
    tasks = sum(
        count * max(0.0, min(until, end) - max(since, start))
        for (since, count), until in zip(history, ends, strict=True)
    )
    return tasks / (end - start)


def remember_silence(service: Service, memory: Memory, observation: Observation, now: float) -> Memory:
    """Memory with since when each metric has told nothing, of those by which a service is found to be blind.

    That are all metrics while none tells anything, and the one for which the load balancer can stand in.
    """
    absent = {
        key: seen.complete
        for key, seen in observation.metrics.items()
        if isinstance(seen.complete, NoData) and seen.partial is None
    }
    nothing_seen = absent.keys() >= service.used_metrics.keys()
    silent = {}
    for key, no_data in absent.items():
        # Of one that has never told anything nobody knows for how long.
        since = int(now) if no_data.age == float("inf") else int(now - no_data.age)
        since = min(since, memory.silent.get(key, since))
        if (nothing_seen or key == service.request_metric) and (key in memory.silent or now - since >= OUTAGE):
            silent[key] = since
    return memory if silent == memory.silent else replace(memory, silent=silent)


def with_age(observation: Observation, silent: Mapping[str, int], now: float) -> Observation:
    """The same observation, with what is known to be silent for longer than its reading says."""
    metrics = dict(observation.metrics)
    for key, since in silent.items():
        seen = metrics[key]
        if isinstance(seen.complete, NoData) and now - since > seen.complete.age:
            metrics[key] = MetricReading(replace(seen.complete, age=now - since), seen.partial)
    return replace(observation, metrics=metrics) if silent else observation
