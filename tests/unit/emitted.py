"""The metrics that the deployed scaler really sends: the real invocation and report, on fakes, and when."""

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
from tests.unit.loop.fakes import FakeClock, Simulation
from tests.unit.template import properties

BEAT = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
VARIABLES: dict[str, str] = properties("ScalerFunction")["Environment"]["Variables"]


@dataclass(frozen=True)
class Sent:
    """One value of one metric; `dimensions` are names and values.

    `at`: seconds since the beginning, on the minute; `late`: by so many seconds it reaches CloudWatch later.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    value: float
    at: float
    late: float = 0.0


class _Stamped(io.StringIO):
    """Keeps what is printed, and when."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock, self.lines = clock, list[tuple[float, str]]()

    def write(self, text: str) -> int:
        if text.strip():
            self.lines.append((self._clock.t, text))
        return len(text)


@dataclass
class DeployedScaler:
    """A scaler with the template's environment; `begins`: seconds past the minute; `sent`: what it has sent."""

    folder: Path
    begins: float = 20.0
    sim: Simulation = field(default_factory=Simulation)
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sim.clock.sleep(self.begins)

    def deploy(self, services: Iterable[Service]) -> None:
        """A policy document of these services; what the next invocations run."""
        blocks = [service.model_dump(by_alias=True, mode="json", exclude_none=True) for service in services]
        self.document.write_text(yaml.safe_dump({"Services": blocks}))

    @property
    def document(self) -> Path:
        return self.folder / "policies.yaml"

    @property
    def minutes(self) -> int:
        """Whole minutes of the clock that are over."""
        return int(self.sim.clock.t // 60)

    def run(self, minutes: int) -> None:
        """Lets EventBridge fire once a minute."""
        self.beat([60.0] * minutes)

    def beat(self, gaps: Iterable[float]) -> None:
        """Lets EventBridge fire, and wait for these seconds each time."""
        for gap in gaps:
            until = self.sim.clock.t + gap
            self.invoke(BEAT, gap)
            self.sim.clock.sleep(until - self.sim.clock.t)

    def sleep(self, minutes: int) -> None:
        """Nothing is invoked."""
        self.sim.clock.sleep(60 * minutes)

    def invoke(self, event: dict[str, Any], seconds: float = 60.0) -> None:
        """One invocation, of up to so many seconds; one that fails sends, too."""
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
        printed = _Stamped(self.sim.clock)
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
            patch.setenv("POWERTOOLS_SERVICE_NAME", VARIABLES["POWERTOOLS_SERVICE_NAME"])
            with contextlib.suppress(ProblemsFound):
                handle(event, adapters, seconds_left=seconds + loop.MARGIN, request_id=f"request at {self.sim.clock.t}")
        self.sent += (sent for at, line in printed.lines for sent in read(json.loads(line), at))


def read(record: dict[str, Any], at: float) -> Iterator[Sent]:
    """The values of a record in CloudWatch's embedded metric format."""
    for directive in record.get("_aws", {}).get("CloudWatchMetrics", ()):
        for names in directive["Dimensions"]:
            dimensions = tuple((name, record[name]) for name in names)
            for metric in directive["Metrics"]:
                for value in record[metric["Name"]]:
                    yield Sent(directive["Namespace"], metric["Name"], dimensions, metric["Unit"], value, at)
