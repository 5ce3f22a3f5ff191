"""CPU time of decisions, for the shipped policy document and for a fuller one."""

import timeit
from pathlib import Path
from statistics import median
from time import process_time

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


def full_service() -> Service:
    """The shipped service with four policies on three metrics, and limits in both directions."""
    shipped = shipped_service().model_dump(by_alias=True, exclude_none=True)
    tracking, stepping = shipped["Policies"]
    own = shipped["Metrics"]["RequestsPerSecond"]["Dimensions"]
    cpu = {"Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Period": 20, "Dimensions": own}
    latency = {"Namespace": "FastScaling/Application", "MetricName": "AverageResponseTime", "Statistic": "p90"}
    rates = [
        {"Type": "Percent", "Value": 100, "PeriodSeconds": 15},
        {"Type": "Tasks", "Value": 4, "PeriodSeconds": 15},
    ]
    steps = {"AdjustmentType": "PercentChangeInCapacity", "Cooldown": 60}
    slow = {"Name": "slow", "PolicyType": "StepScaling", "Metric": "Latency", "Threshold": 0.5}
    rows = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 20}]
    return Service.model_validate(
        {
            **shipped,
            "Metrics": {**shipped["Metrics"], "Cpu": cpu, "Latency": {**latency, "Period": 10, "Dimensions": own}},
            "Policies": [
                {**tracking, "TaskCapacity": 140},
                stepping,
                {"Name": "cpu", "PolicyType": "TargetTracking", "Metric": "Cpu", "TargetValue": 60},
                {**slow, "StepScalingPolicyConfiguration": {**steps, "StepAdjustments": rows}},
            ],
            "Behavior": {
                "ScaleOut": {"StabilizationWindowSeconds": 30, "Policies": rates},
                "ScaleIn": {"StabilizationWindowSeconds": 300, "Policies": rates[:1]},
            },
        }
    )


def decision_microseconds() -> dict[str, float]:
    """Median microseconds of `decide` for one service: calm, in a surge, and with four policies and all limits."""
    shipped, full = shipped_service(), full_service()
    cases = (("calm", shipped, 240.0), ("surge", shipped, 1200.0), ("four_policies", full, 1200.0))
    return {name: _median(service, total) for name, service, total in cases}


def decide_thousand_services_seconds() -> float:
    """Median seconds of `decide` for 1,000 services in a row, each with four policies, all limits and another load."""
    service = full_service()
    cases = [_situation(service, 200.0 + number) for number in range(1000)]

    def all_of_them() -> None:
        for observation, memory in cases:
            decide(service, observation, memory, NOW)

    return round(median(timeit.repeat(all_of_them, timer=process_time, number=1, repeat=REPEATS)), 3)


def _median(service: Service, total: float) -> float:
    observation, memory = _situation(service, total)
    times = timeit.repeat(
        lambda: decide(service, observation, memory, NOW), timer=process_time, number=LOOPS, repeat=REPEATS
    )
    return round(median(times) / LOOPS * 1e6, 1)


def _situation(service: Service, total: float) -> tuple[Observation, Memory]:
    """Four tasks that have had `total` requests/s for a minute, and the memory after one look at them."""
    key = service.policies[0].metric
    buckets = [Datapoint(1_000_000.0 - 5 * age, total, 4) for age in range(12)]
    others = {
        other: read_metric(metric, [Datapoint(999_990.0, 0.1)], 4, 60, NOW) for other, metric in service.metrics.items()
    }
    metrics = others | {key: read_metric(service.metrics[key], buckets, 4, service.patience[key], NOW)}
    observation = Observation(ServiceState(desired=4, running=4), metrics)
    return observation, decide(service, observation, Memory(), NOW).memory
