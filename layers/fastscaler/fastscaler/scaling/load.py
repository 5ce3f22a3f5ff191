"""The load of a service, projected onto the tasks that were asked for (in-flight credit).

The average per task keeps reading high until new tasks serve, 30 to 60 s after they were asked for. Without credit for
them a step table would answer the same surge again at every tick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastscaler.scaling.history import mean_running
from fastscaler.scaling.memory import Activity
from fastscaler.scaling.metric import Metric, MetricExpression
from fastscaler.scaling.observation import LoadBalancerReading, NoData, Observation, Reading
from fastscaler.scaling.policy import Service

TASK_START = 30.0  # Seconds that a task takes to serve (Fargate: 30 to 60 s until a load balancer sends it requests).


@dataclass(frozen=True, slots=True)
class Capacity:
    """Tasks of a service: `desired`, `running`, those `raised` recently (asked for within TaskStartTimeout).

    `activities`: the recent changes of the desired count, `history` those of the running count, both oldest first.
    """

    desired: int
    running: int
    raised: int = 0
    deployment_in_progress: bool = False
    activities: tuple[Activity, ...] = ()
    history: tuple[tuple[int, int], ...] = ()

    def credited(self, serving: int) -> int:
        """Tasks that count as capacity when `serving` of them serve.

        Tasks in flight count until TaskStartTimeout has passed. More reporters than that are leaving tasks, which still
        share the load; in a deployment they are a second generation, which does not last.
        """
        credited = min(self.desired, serving + self.raised)
        return max(1, credited if self.deployment_in_progress else max(serving, credited))

    def served_in(self, start: float, end: float) -> tuple[float, float]:
        """The fewest and the most tasks that a datapoint may speak of whose bucket lasted from `start` to `end`.

        In the mean, times in epoch seconds. They differ only where someone else has changed the count: that may have
        been long before it was seen, so the datapoint may be of the tasks of now as well.
        """
        served = self._served_in(start, end)
        if any(one.cause == "external" and one.at > start - TASK_START for one in self.activities):
            now = max(1, self.running)
            return min(served, now), max(served, now)
        return served, served

    def _served_in(self, start: float, end: float) -> float:
        """Tasks that a datapoint speaks of if every change was seen when it was made.

        A slow metric is of a time before the last change. Where the running count of then is not known, it follows from
        the changes since: tasks that came were not in it, nor those that were just starting; tasks that left were.
        """
        known = mean_running(self.history, start, end)
        if known is not None:
            return max(1.0, known)
        changed = sum(activity.change for activity in self.activities if activity.at > start - TASK_START)
        then = self.desired - changed
        # More tasks than that are the second generation of a deployment, which nobody knows to have been in it.
        running = min(self.running, self.desired) if self.deployment_in_progress else self.running
        return max(1, min(running, then) if changed > 0 else max(running, then) if changed else running)

    def in_flight(self, serving: int) -> bool:
        """Whether tasks that were asked for do not serve yet, or did not where `serving` is of an earlier time."""
        return (self.raised > 0 and serving < self.desired) or serving < min(self.running, self.desired)


@dataclass(frozen=True, slots=True)
class Load:
    """One reading as policies see it.

    `shown`: what the metric says, of one task where tasks share the load. `metric`: what a step table meets.
    `per_task`: the load per credited task. `total`: the load of the whole service. `scale_in_total`: the most that it
    may be, with silent tasks taken to carry the average load. `serving`: tasks that carry it now, `per_serving` what
    each of them shows. `bucket_end`: epoch seconds.
    `complete`: False for a bucket that is still arriving and for one that stands in for a missing metric; such a load
    never scales in.
    """

    shown: float
    metric: float
    per_task: float
    total: float
    scale_in_total: float
    serving: int
    per_serving: float
    bucket_end: float
    complete: bool


def project(metric: Metric | MetricExpression, reading: Reading, capacity: Capacity) -> Load:
    """The load behind `reading`, projected onto `capacity`."""
    shown, bucket_end = reading.value, reading.timestamp + metric.period
    if reading.total is not None:
        total = reading.total
        # Reporters that are late serve too: counted out, they would make each of the others look busier than it is.
        serving = max(reading.reporters or 0, reading.expected or 0) or max(1, capacity.running)
        # A task that runs but is silent may carry its share: never shrink because a publisher broke.
        scale_in_total = max(total, shown * min(capacity.running, capacity.desired))
        per_task = total / capacity.credited(serving)
        return Load(shown, per_task, per_task, total, scale_in_total, serving, shown, bucket_end, reading.complete)
    if metric.is_shared_load:
        serving = max(1, capacity.running)
        total, shown = shown, shown / serving
        per_task = total / capacity.credited(serving)
        return Load(shown, per_task, per_task, total, total, serving, shown, bucket_end, reading.complete)
    # What is not shared (latency, utilisation) is taken to be in proportion to the tasks, as Kubernetes' HPA does.
    fewest, most = capacity.served_in(reading.timestamp, bucket_end)
    # A task that ran for a part of the bucket does not count as serving in it.
    total, serving = shown * fewest, int(fewest)
    # Tasks that have come to run since are capacity, however long ago they were asked for.
    per_task = total / max(capacity.credited(serving), min(capacity.running, capacity.desired))
    return Load(shown, shown, per_task, total, shown * most, serving, shown, bucket_end, reading.complete)


def project_all(service: Service, observation: Observation, capacity: Capacity) -> dict[str, list[Load]]:
    """The loads of every metric: its newest complete bucket first, then one that is still arriving.

    Where both are missing for longer than StaleAfter, the load balancer's count of requests stands in.
    """
    loads: dict[str, list[Load]] = {}
    for key, metric in service.metrics.items():
        seen = observation.metrics.get(key)
        if seen is None:
            loads[key] = []
            continue
        found = [project(metric, seen.complete, capacity)] if isinstance(seen.complete, Reading) else []
        if seen.partial is not None:
            found.append(project(metric, seen.partial, capacity))
        elif isinstance(seen.complete, NoData) and seen.complete.age > service.patience[key]:
            stand_in = _stand_in(service, key, observation.load_balancer, capacity)
            found.extend(project(metric, reading, capacity) for reading in stand_in)
        loads[key] = found
    return loads


def _stand_in(
    service: Service, key: str, balancer: LoadBalancerReading | NoData | None, capacity: Capacity
) -> Sequence[Reading]:
    if not isinstance(balancer, LoadBalancerReading) or balancer.requests_per_second is None:
        return ()
    if key != service.request_metric:
        return ()
    rate = balancer.requests_per_second
    return (Reading(rate / max(1, capacity.running), balancer.timestamp, 0.0, complete=False, total=rate),)


def missing_data(service: Service, observation: Observation, loads: Mapping[str, Sequence[Load]]) -> dict[str, NoData]:
    """Which data a scale-in would need and does not have, by metric; empty where nothing is missing.

    Request-sampled metrics are silent while there are no requests. That is believed only of the application's own
    metrics that could be read, and only while a per-task metric proves that the publishers are alive.
    """
    complete = {key for key, found in loads.items() if found and found[0].complete}
    missing: dict[str, NoData] = {}
    if service.used_metrics.keys() <= complete:
        return missing
    alive = any(service.metrics[key].per_task for key in complete)
    for key in dict.fromkeys(policy.metric for policy in service.policies):
        if key in complete:
            continue
        metric, seen = service.metrics[key], observation.metrics.get(key)
        absent = (
            seen.complete if seen is not None and isinstance(seen.complete, NoData) else NoData("not read", failed=True)
        )
        own = isinstance(metric, Metric) and not (metric.is_of_aws or metric.is_shared_load)
        believed = alive and own and not absent.failed
        if not believed:
            missing[key] = absent
    return missing


def is_stale(service: Service, missing: Mapping[str, NoData]) -> bool:
    """Whether any of what is `missing` has been so for longer than StaleAfter."""
    return any(absent.age > service.patience[key] for key, absent in missing.items())


def is_blind(service: Service, observation: Observation, loads: Mapping[str, Sequence[Load]]) -> bool:
    """Whether nothing has told the load for longer than StaleAfter."""
    if any(loads.values()):
        return False
    absent = {key: seen.complete for key, seen in observation.metrics.items() if isinstance(seen.complete, NoData)}
    return all(no_data.age > service.patience[key] for key, no_data in absent.items())
