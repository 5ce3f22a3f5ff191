"""What the demo plays: which load, when it jumps, and how AWS behaves meanwhile. All times are in seconds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.account import TABLE
from demo.lambdas import REPOSITORY
from fastscaler.document.parse import parse_document
from fastscaler.errors import DocumentInvalid
from fastscaler.publisher.metrics import REQUESTS_PER_SECOND
from fastscaler.scaling.metric import Metric
from fastscaler.scaling.policy import Service, TargetTrackingPolicy

POLICIES = REPOSITORY / "policies.yaml"
SCALER = REPOSITORY / "functions" / "scaler"
SYNTHETIC = REPOSITORY / "functions" / "synthetic_metrics"
EVENTS = REPOSITORY / "events"

# The demo's load, as the design defines reaction: a 5x surge from 60% of the scale-out threshold.
STEADY_SHARE = 0.6
SURGE_FACTOR = 5
BUCKET = 5
GOLDEN_RATIO = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Scenario:
    """One run against the service `target` of the policy document. Loads are requests/s of the whole service."""

    target: Service
    tasks: int = 4
    start_seconds: float = 30.0
    health_seconds: float = 5.0
    steady_seconds: float = 20.0
    surge_seconds: float = 55.0
    beat_seconds: float = 60.0
    visibility_median: float = 2.0
    visibility_sigma: float = 0.3
    seed: int = 1

    @property
    def threshold(self) -> float:
        """Requests/s per task above which the service is to be scaled out: the lowest that a policy names."""
        key, _ = request_metric(self.target)
        return min(
            policy.target_value if isinstance(policy, TargetTrackingPolicy) else policy.threshold
            for policy in self.target.policies
            if policy.metric == key
        )

    @property
    def steady_load(self) -> float:
        return STEADY_SHARE * self.threshold * self.tasks

    @property
    def surge_load(self) -> float:
        return SURGE_FACTOR * self.steady_load

    @property
    def surge_after(self) -> float:
        """Seconds of steady load: as asked, and up to a bucket more, since no surge waits for a bucket to begin.

        Multiples of the golden ratio spread consecutive seeds evenly over the bucket, so that many runs together are
        fair: the reaction depends on where in its bucket a surge falls.
        """
        return self.steady_seconds + BUCKET * (self.seed * GOLDEN_RATIO % 1)

    def load_event(self) -> dict[str, Any]:
        """The synthetic function's event: events/synthetic_step.json with this run's numbers."""
        return read_event("synthetic_step") | {
            "Cluster": self.target.cluster,
            "Service": self.target.service,
            "Tasks": "running",
            "BaseRequestsPerSecond": self.steady_load,
            "PeakRequestsPerSecond": self.surge_load,
            "StepAtSeconds": self.surge_after,
            # Longer than the run, which ends it.
            "DurationSeconds": int(self.surge_after + self.surge_seconds) + 30,
        }


def demo_service(policies: Path = POLICIES) -> Service:
    """The first service of a policy document. An invalid document ends the program with its problems."""
    try:
        return parse_document(policies.read_text(), policies.name).services[0]
    except DocumentInvalid as error:
        raise SystemExit(str(error)) from error


def request_metric(service: Service) -> tuple[str, Metric]:
    """The per-task metric that the synthetic function publishes, and the key that policies know it by."""
    for key, metric in service.metrics.items():
        if metric.metric_name == REQUESTS_PER_SECOND and metric.per_task:
            return key, metric
    raise SystemExit(
        f"{POLICIES.name}: {service.key} has no per-task metric {REQUESTS_PER_SECOND}; the demo needs one."
    )


def read_event(name: str) -> dict[str, Any]:
    """A sample event of events/."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def function_environment(metric: Metric, policies: Path = POLICIES) -> dict[str, str]:
    """The variables that template.yaml gives the functions, beside those of AWS."""
    return {
        "TABLE_NAME": TABLE,
        "POLICIES_FILE": str(policies),
        "METRIC_NAMESPACE": metric.namespace,
        "POWERTOOLS_SERVICE_NAME": "fastscaler",
        "POWERTOOLS_METRICS_NAMESPACE": "FastScaler",
        # Every look is a line at this level; the live view is made from them.
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
