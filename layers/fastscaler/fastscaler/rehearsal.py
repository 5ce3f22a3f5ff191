"""A rehearsal: a service's own policies, decided on metrics under other names. Nothing is called, written or emitted.

Synthetic load under names of its own moves no service; that the policies answer it, and how soon, can be seen all the
same. So a drill is safe unless it is asked not to be.
"""

from typing import Any

from fastscaler.errors import AwsError
from fastscaler.look import Look
from fastscaler.loop import Ending
from fastscaler.scaling.policy import Service


def with_prefixed_metrics(service: Service, prefix: str) -> Service:
    """The service with `prefix` before the name of every metric, and without its load balancer, whose load is real."""
    block: dict[str, Any] = service.model_dump(by_alias=True, exclude_unset=True)
    for metric in block["Metrics"].values():
        if "MetricName" in metric:  # An expression names its metrics by their keys.
            metric["MetricName"] = prefix + metric["MetricName"]
    block.pop("LoadBalancer", None)
    return Service.model_validate(block)


class Rehearsal:
    """The port `Report`: keeps the first decision to scale out that a load has caused, and the last one of all."""

    def __init__(self) -> None:
        self.scale_out: dict[str, Any] | None = None
        self.last: dict[str, Any] = {}

    def looked(self, look: Look) -> None:
        """Kept."""
        for _, error in look.errors:
            self.last = {"error": str(error)}
        for name, decision in look.decisions.items():
            self.last = {
                "current": decision.current,
                "desired": decision.desired,
                "running": look.states[name].running,
                "reason": decision.reason,
                "load": {key: round(load.shown, 3) for key, load in decision.loads.items()},
            }
            activity = decision.activity
            if self.scale_out is None and activity is not None and activity.change > 0 and activity.cause == "policy":
                self.scale_out = {
                    "from": decision.current,
                    "to": decision.desired,
                    "bucket_end": decision.bucket_end,
                    "read": look.read,
                    "decided": look.decided,
                    "reason": decision.reason,
                }

    def answered(self) -> bool:
        """Whether the policies have asked for more tasks."""
        return self.scale_out is not None

    def failed(self, doing: str, error: AwsError) -> None:
        """Kept until the next look."""
        self.last = {"error": f"{doing}: {error}"}

    def started(self, epoch: int, services: int) -> None:
        """Not told."""

    def ended(self, epoch: int, why: Ending) -> None:
        """Not told."""
