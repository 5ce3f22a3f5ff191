"""One service of an example, looked at and scaled by hand: a load in, a decision out.

Tasks that are asked for run at the next look, unless `hold_starts` says that they do not yet.
"""

from pathlib import Path

from fastscaler.document.parse import parse_document
from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import Datapoint, Floor, Observation, ServiceState, read_metric
from fastscaler.scaling.policy import Document, Service

EXAMPLES = Path(__file__).parents[3] / "examples"
START = 1_800_000_000.0  # A boundary of every period, epoch seconds.
LOOK_EVERY = 5.0


def document(path: str) -> Document:
    """The policy document of an example, `path` from the folder examples/."""
    return parse_document((EXAMPLES / path).read_text(), path)


class Fleet:
    """A service of an example with `tasks` that run. `now` is epoch seconds."""

    def __init__(self, path: str, service: str, tasks: int) -> None:
        self.service = _service(path, service)
        self.desired = self.running = tasks
        self.hold_starts = False
        self.floors: tuple[Floor, ...] = ()
        self.now = START
        self._memory = Memory(desired=tasks)

    def look(self, **load: float) -> Decision:
        """One look and what follows from it; the clock goes on by 5 s.

        `load` is by metric: of the whole service where the tasks share it, else the metric's own value.
        """
        decision = decide(self.service, self._observation(load), self._memory, self.now)
        self._memory = decision.memory
        if decision.activity is not None:
            self._memory = decision.memory.intend(decision.activity, None).acknowledge()
        self.desired = decision.desired
        if not self.hold_starts:
            self.running = self.desired
        self.now += LOOK_EVERY
        return decision

    def watch(self, seconds: float, **load: float) -> list[int]:
        """The desired count after each look of this many seconds."""
        return [self.look(**load).desired for _ in range(int(seconds / LOOK_EVERY))]

    def _observation(self, load: dict[str, float]) -> Observation:
        metrics = {}
        for key, metric in self.service.used_metrics.items():
            points = []
            if key in load:
                # As old as it has to be to count as complete, whatever the metric.
                start, samples = self.now - LOOK_EVERY - metric.period, float(self.running)
                points = [Datapoint(start, load[key], samples if metric.per_task else None)]
            metrics[key] = read_metric(metric, points, self.running, self.service.patience[key], self.now)
        return Observation(ServiceState(self.desired, self.running), metrics, floors=self.floors)


def _service(path: str, name: str) -> Service:
    found = document(path).service(name)
    assert found is not None, f"{path} has no service {name}"
    return found
