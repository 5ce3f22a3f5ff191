"""What came of a drill."""

from dataclasses import dataclass, field

from fastscaler.drill.ledger import Ledger, make_ledger
from fastscaler.drill.plan import Plan
from fastscaler.drill.scaler_log import ScaleOut

GET_METRIC_USD = 0.01 / 1000  # GetMetricData, a metric; us-east-1.


@dataclass
class Outcome:
    """What came of a drill. Times are epoch seconds by AWS's clock; `buckets` are (start, requests/s, tasks).

    `clock_ahead`: seconds by which this machine's clock leads AWS's. `at_rest`: whether the last published bucket was
    calm again; None where it could not be read. `why`: what the scaler said last, where it did not scale out. `lost`:
    whether the load's invocation went on without a connection to it, so that what it did is known from the metric only.
    """

    plan: Plan
    began: float
    clock_ahead: float = 0.0
    surge_at: float | None = None
    visible_at: float | None = None
    published_at: float | None = None
    scale_out: ScaleOut | None = None
    why: str = ""
    polls: int = 0
    buckets: list[tuple[float, float, float]] = field(default_factory=list)
    at_rest: bool | None = None
    rests_until: float | None = None
    lost: bool = False

    @property
    def ledger(self) -> Ledger | None:
        """The latency ledger; None where the load never rose."""
        if self.surge_at is None:
            return None
        last = "decided" if not self.plan.live else "healthy" if self.plan.behind_balancer else "running"
        times = self.scale_out.times if self.scale_out and not self.premature else {}
        return make_ledger(self.surge_at, self.published_at, self.visible_at, times, last)

    @property
    def premature(self) -> bool:
        """Whether more tasks were asked for before the load had risen, so that it was no answer to that."""
        decided = self.scale_out.times.get("decided") if self.scale_out else None
        return decided is not None and self.surge_at is not None and decided < self.surge_at

    @property
    def usd(self) -> float:
        """What the questions for the metric cost."""
        return self.polls * GET_METRIC_USD
