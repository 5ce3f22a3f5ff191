"""What the demo plays with real requests: how many customers, when more of them come, and when these leave."""

from dataclasses import dataclass
from math import inf
from pathlib import Path

from demo.scenario import Scenario, demo_service
from fastscaler.scaling.policy import TargetTrackingPolicy

POLICIES = Path(__file__).with_name("policies.yaml")
LONGEST_PAUSE = 4.0  # Seconds that a customer thinks between two requests; half of it on average.


@dataclass(frozen=True)
class AppScenario(Scenario):
    """A scenario whose tasks are processes. Beside the loads, which are those of the demo:

    `task_seconds` is from UpdateService to RUNNING, when the process begins to serve. The surge lasts `surge_seconds`,
    and the run goes on for `calm_seconds`, in which tasks are taken away again.
    """

    tasks: int = 2
    # The processes say when they run and when they are healthy.
    start_seconds: float = inf
    health_seconds: float = 0.0
    surge_seconds: float = 55.0
    task_seconds: float = 15.0
    calm_seconds: float = 50.0

    @property
    def task_capacity(self) -> float:
        """Requests/s that a task can serve: as the policy document says it."""
        policies = (policy for policy in self.target.policies if isinstance(policy, TargetTrackingPolicy))
        [capacity] = [policy.task_capacity for policy in policies if policy.task_capacity is not None]
        return capacity

    def customers(self, load: float) -> int:
        """How many customers send `load` requests/s together while answers come at once."""
        return round(load * LONGEST_PAUSE / 2)


def app_scenario(**settings: float) -> AppScenario:
    """The scenario for the service of policies.yaml, beside this file."""
    return AppScenario(demo_service(POLICIES), **settings)  # type: ignore[arg-type]  # seed is the one whole number.
