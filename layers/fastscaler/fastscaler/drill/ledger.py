"""The drill's latency ledger: from the moment the load rises to healthy tasks, and the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

GOAL = 10.0  # Seconds from the rise of the load to the return of UpdateService (p99, the project's goal).

# The moments in order, and what happened until each of them.
STAGES: Mapping[str, str] = {
    "surge": "the load rises",
    "published": "the bucket ends, and PutMetricData returns",
    "visible": "CloudWatch shows it",
    "read": "the loop reads it",
    "decided": "the loop decides",
    "updated": "UpdateService returns",
    "running": "all new tasks are RUNNING",
    "healthy": "all new tasks are healthy targets",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage that was reached: what happened, and in how many seconds since the stage before."""

    name: str
    seconds: float
    words: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """When each moment was, in epoch seconds, in the order of `STAGES`; those that were not reached are missing."""

    times: Mapping[str, float]
    last: str  # The moment at which this drill's ledger ends.

    @property
    def stages(self) -> list[Stage]:
        """The stages that were reached; their seconds add up to `total`."""
        found = list(self.times.items())
        return [Stage(name, at - before, STAGES[name]) for (_, before), (name, at) in pairwise(found)]

    @property
    def total(self) -> float:
        """Seconds from the rise of the load to the last moment that was reached."""
        moments = list(self.times.values())
        return moments[-1] - moments[0]

    @property
    def complete(self) -> bool:
        """Whether it goes to its end."""
        return self.last in self.times

    @property
    def reaction(self) -> float | None:
        """Seconds from the rise of the load to the return of UpdateService; to the decision where it ends there."""
        end = "decided" if self.last == "decided" else "updated"
        return self.times[end] - self.times["surge"] if end in self.times else None

    @property
    def within_goal(self) -> bool:
        """The verdict."""
        return self.reaction is not None and self.reaction <= GOAL


def make_ledger(
    surge: float, published: float | None, visible: float | None, scaler: Mapping[str, float | None], last: str
) -> Ledger:
    """Puts together what the drill saw, and what the scaler says of itself (`read` to `healthy`). Epoch seconds.

    The drill asks once a second, the loop when it likes: what the loop has read was visible, and published, by then,
    even if the drill saw it later.
    """
    found = {"surge": surge, "published": published, "visible": visible, **scaler}
    times: dict[str, float] = {}
    names = list(STAGES)
    for name in names[: names.index(last) + 1]:
        at = found.get(name)
        if at is None:
            if name in ("published", "visible"):
                continue
            break
        # Whatever comes later was not before this.
        later = [known for other in names[names.index(name) + 1 :] if (known := found.get(other)) is not None]
        bound = min(later) if name in ("published", "visible") and later else at
        times[name] = max(min(at, bound), max(times.values(), default=at))
    return Ledger(times, last)
