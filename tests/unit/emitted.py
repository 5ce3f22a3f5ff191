"""The metrics that the deployed scaler really sends: the real invocation and report, on fakes, minute by minute."""

import contextlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aws_lambda_powertools import Logger

from fastscaler import loop
from fastscaler.errors import ProblemsFound
from fastscaler.invocation import Adapters, handle
from fastscaler.pace import Pace
from fastscaler.scaling.policy import Service
from tests.unit.loop.fakes import Simulation
from tests.unit.template import properties

BEAT = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
VARIABLES: dict[str, str] = properties("ScalerFunction")["Environment"]["Variables"]


@dataclass(frozen=True)
class Sent:
    """One value of one metric; `dimensions` are names and values."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    value: float


@dataclass
class DeployedScaler:
    """A scaler with the template's environment; `minutes` are what it has sent in each of its minutes."""

    folder: Path
    sim: Simulation = field(default_factory=Simulation)
    minutes: list[list[Sent]] = field(default_factory=list)

    def deploy(self, services: Iterable[Service]) -> None:
        """A policy document of these services; what the next invocations run."""
        blocks = [service.model_dump(by_alias=True, mode="json", exclude_none=True) for service in services]
        self.document.write_text(yaml.safe_dump({"Services": blocks}))

    @property
    def document(self) -> Path:
        return self.folder / "policies.yaml"

    def run(self, minutes: int) -> None:
        """Lets EventBridge fire once a minute."""
        for _ in range(minutes):
            self.minutes.append(self.invoke(BEAT))

    def sleep(self, minutes: int) -> None:
        """Nothing is invoked."""
        for _ in range(minutes):
            self.sim.clock.sleep(60)
            self.minutes.append([])

    def invoke(self, event: dict[str, Any]) -> list[Sent]:
        """What one invocation sends; one that fails sends, too."""
        table: Any = self.sim.store
        adapters = Adapters(
            table=table,
            metrics=self.sim.metrics,
            ecs=self.sim.ecs.called_by("scaler"),
            stopped=self.sim.stopped,
            scalable=self.sim.scalable,
            targets=self.sim.targets,
            clock=self.sim.clock,
            pace=Pace(),
            logger=Logger(service="deployed", stream=io.StringIO()),
            policies_file=str(self.document),
            metrics_namespace=VARIABLES["POWERTOOLS_METRICS_NAMESPACE"],
        )
        printed, until = io.StringIO(), self.sim.clock.t + 60
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
            patch.setenv("POWERTOOLS_SERVICE_NAME", VARIABLES["POWERTOOLS_SERVICE_NAME"])
            with contextlib.suppress(ProblemsFound):
                handle(event, adapters, seconds_left=60 + loop.MARGIN, request_id=f"request at {until}")
        if event is BEAT:
            self.sim.clock.sleep(until - self.sim.clock.t)
        return [sent for line in printed.getvalue().splitlines() for sent in read(json.loads(line))]


def read(record: dict[str, Any]) -> Iterator[Sent]:
    """The values of a record in CloudWatch's embedded metric format."""
    for directive in record.get("_aws", {}).get("CloudWatchMetrics", ()):
        for names in directive["Dimensions"]:
            dimensions = tuple((name, record[name]) for name in names)
            for metric in directive["Metrics"]:
                for value in record[metric["Name"]]:
                    yield Sent(directive["Namespace"], metric["Name"], dimensions, metric["Unit"], value)
