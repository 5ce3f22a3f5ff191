"""Shows the work: structured logs and CloudWatch metrics (EMF) of what the loop does.

One record per change of desired count or of reason, one summary a minute, every look at DEBUG. Metrics are flushed by
the loop once a minute, not when the handler ends fourteen minutes later; at most nine per service. What they mean, and
what they cost: docs/operations.md, docs/cost.md.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from fastscaler.errors import AwsError, Defect
from fastscaler.ledger import stages
from fastscaler.look import Look
from fastscaler.loop import Ending
from fastscaler.ports import Clock
from fastscaler.scaling.decision import Decision
from fastscaler.scaling.memory import Ledger

SUMMARY_EVERY = 60.0  # Seconds between two summaries, which are also the datapoints of the metrics.
CLOCK_TOLERANCE = 1.0  # Seconds by which this machine's clock may differ from AWS's before it is reported.

Values = dict[str, tuple[MetricUnit, float]]  # By metric.


@dataclass
class _Service:
    """What one service did since the last summary."""

    said: tuple[str, int] | None = None
    decision: Decision | None = None
    running: int = 0
    load_share: float | None = None  # The highest since the last summary: a surge may be over by the next.
    decided_at: float = 0.0
    bucket_end: float | None = None
    holds: int = 0
    errors: int = 0


@dataclass
class _Minute:
    """What the loop did since the last summary."""

    since: float
    looks: int = 0
    looks_again: int = 0
    slowest: float = 0.0
    metrics_read: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    logged: set[tuple[str, str]] = field(default_factory=set)


class LogReport:
    """The port `Report`, on Powertools Logger and Metrics. `observed` services are decided for, and left alone.

    Without a `namespace` no metrics are sent: an invocation that is not the loop must not pass for it.
    """

    def __init__(
        self, logger: Logger, namespace: str | None, clock: Clock, observed: frozenset[str] = frozenset()
    ) -> None:
        self._logger, self._namespace, self._clock, self._observed = logger, namespace, clock, observed
        self._services: dict[str, _Service] = {}
        self._minute = _Minute(since=clock.now())

    def started(self, epoch: int, services: int) -> None:
        """This invocation decides now."""
        self._logger.info("started", extra={"epoch": epoch, "services": services})

    def ended(self, epoch: int, why: Ending) -> None:
        """This invocation decides no more."""
        self._summarize()
        self._logger.info("ended", extra={"epoch": epoch, "why": why})

    def failed(self, doing: str, error: AwsError) -> None:
        """A call failed on which all services depend; nothing was changed."""
        until = "" if isinstance(error, Defect) else ": nothing is done until it succeeds"
        self._count(error, "", f"{doing} failed{until}")
        self._summarize_in_time()

    def looked(self, look: Look) -> None:
        """A look is over."""
        minute = self._minute
        minute.looks += 1
        minute.looks_again += look.again
        minute.slowest = max(minute.slowest, look.finished - look.at)
        minute.metrics_read += look.metrics_read
        for name, error in look.errors:
            self._count(error, name, "a call failed: the count is held" if name else "a call failed")
        applied = {scaled.service for scaled in look.scaled if scaled.error is None}
        for name, decision in look.decisions.items():
            service = self._service(name)
            service.decision, service.decided_at = decision, look.at
            service.bucket_end = decision.bucket_end or service.bucket_end
            service.running = look.states[name].running
            shares = (share for share in (service.load_share, decision.load_share) if share is not None)
            service.load_share = max(shares, default=None)
            service.holds += decision.held
            self._decided(name, service, applied=name in applied)
        for name, what in look.notes:
            self._logger.info("noted", extra={"service": name, "what": what})
        for name, ledger in look.ledgers:
            self._logger.info("ledger", extra=_ledger_record(name, ledger))
            if ledger.running is None and ledger.bucket_end is not None:  # Else it was a floor, no answer to a load.
                self._emit({"ScaleOutSeconds": (MetricUnit.Seconds, stages(ledger)["total"])}, name)
        if look.clock_ahead is not None and abs(look.clock_ahead) > CLOCK_TOLERANCE and minute.looks == 1:
            self._logger.warning("clock differs from AWS's", extra={"seconds_ahead": round(look.clock_ahead, 1)})
        self._logger.debug("tick", extra={"now": look.at, "look": look.number, "services": _brief(look)})
        self._summarize_in_time()

    def _decided(self, name: str, service: _Service, *, applied: bool) -> None:
        decision = service.decision
        assert decision is not None
        if decision.noted:
            self._logger.info("noted", extra={"service": name, "what": decision.noted})
        said, before = (decision.cause, decision.desired), service.said
        service.said = said
        unchanged = decision.desired == decision.current
        # At the first sight of a count that stands, a predecessor has told why: a hand-over is no change of reason.
        if (before is None and unchanged) or (said == before and (unchanged or name in self._observed)):
            return
        self._logger.info(
            "decision",
            extra={
                "service": name,
                "from": decision.current,
                "to": decision.desired,
                "applied": applied,
                "observe_only": name in self._observed,
                "cause": decision.cause,
                "reason": decision.reason,
                "trail": [asdict(step) for step in decision.trail],
                "running": service.running,
                "load": _shown(decision),
                "now": service.decided_at,
            },
        )

    def _count(self, error: AwsError, name: str, message: str) -> None:
        """Counts every error, and logs the first of its kind a minute, of each service."""
        kind = f"{error.operation}: {error.code}"
        first = (name, kind) not in self._minute.logged
        self._minute.logged.add((name, kind))
        self._minute.errors[kind] = self._minute.errors.get(kind, 0) + 1
        if name:
            self._service(name).errors += 1
        if first:
            self._logger.error(message, extra={"service": name or None, "error": str(error)})

    def _summarize_in_time(self) -> None:
        if self._clock.now() >= self._minute.since + SUMMARY_EVERY:
            self._summarize()

    def _summarize(self) -> None:
        now = self._clock.now()
        minute, self._minute = self._minute, _Minute(since=now)
        if not minute.looks and not minute.errors:
            return
        brief = {
            name: {
                "desired": decision.desired,
                "running": service.running,
                "cause": decision.cause,
                "reason": decision.reason,
            }
            for name, service in self._services.items()
            if (decision := service.decision) is not None and decision.cause != "steady"
        }
        figures = {"looks": minute.looks, "looks_again": minute.looks_again, "slowest_look": round(minute.slowest, 3)}
        self._logger.info("summary", extra={**figures, "errors": minute.errors, "services": brief})
        of_loop: Values = {
            "Looks": (MetricUnit.Count, minute.looks),
            "LooksAgain": (MetricUnit.Count, minute.looks_again),
            "LookSeconds": (MetricUnit.Seconds, minute.slowest),
            "Errors": (MetricUnit.Count, sum(minute.errors.values())),
            "MetricsRead": (MetricUnit.Count, minute.metrics_read),
        }
        # Not after seconds: two of them around the turn of a minute would pass for two minutes of trouble.
        if minute.looks and now - minute.since >= SUMMARY_EVERY / 2:
            of_loop |= _fleet_metrics(self._services, self._observed)
        self._emit(of_loop)
        for name, service in self._services.items():
            values = _service_metrics(service, now, observed=name in self._observed)
            self._emit(values, name, Load=_shown(service.decision))
            service.holds, service.errors, service.load_share = 0, 0, None
            service.decision = None  # A service that nothing is decided for any more must not look as it did.

    def _emit(self, values: Values, service: str | None = None, **notes: Any) -> None:
        if self._namespace is None:
            return
        # One dimension, Powertools' own: the ECS service, or this function for what concerns the loop.
        metrics = EphemeralMetrics(namespace=self._namespace, service=service)
        for metric, (unit, value) in values.items():
            metrics.add_metric(metric, unit, value)
        for key, note in notes.items():  # In the log's record only, and so free of charge.
            metrics.add_metadata(key, note)
        metrics.flush_metrics()

    def _service(self, name: str) -> _Service:
        return self._services.setdefault(name, _Service())


def emit_count(namespace: str, metric: str) -> None:
    """Counts one event of the function as a whole, such as PolicyInvalid, in a metric that an alarm can watch."""
    metrics = EphemeralMetrics(namespace=namespace)
    metrics.add_metric(metric, MetricUnit.Count, 1)
    metrics.flush_metrics()


def _fleet_metrics(services: Mapping[str, _Service], observed: frozenset[str]) -> Values:
    """How many services were decided for, and are in trouble: for alarms, which cannot know the policy document.

    Of those that are only observed none counts: nothing depends on them, and another scaler may act on them as yet.
    """
    decisions = {name: service.decision for name, service in services.items() if service.decision is not None}
    scaled = [decision for name, decision in decisions.items() if name not in observed]
    launches = [decision.memory.launch for decision in scaled]
    counts = {
        "ServicesDecided": len(decisions),
        "ServicesAtMaximum": sum(decision.at_maximum for decision in scaled),
        "ServicesWithStaleData": sum(decision.stale for decision in scaled),
        "ServicesInConflict": sum(bool(decision.memory.conflict) for decision in scaled),
        "ServicesWithLaunchFailures": sum(launch is not None and launch.failed > 0 for launch in launches),
    }
    return {metric: (MetricUnit.Count, count) for metric, count in counts.items()}


def _service_metrics(service: _Service, now: float, *, observed: bool) -> Values:
    decision = service.decision
    values: Values = {
        "Holds": (MetricUnit.Count, service.holds),
        "ServiceErrors": (MetricUnit.Count, service.errors),
    }
    if service.bucket_end is not None:
        values["DataAge"] = (MetricUnit.Seconds, now - service.bucket_end)
    if decision is None:
        return values
    values["DesiredCount"] = (MetricUnit.Count, decision.desired)
    values["RunningCount"] = (MetricUnit.Count, service.running)
    asked_for = decision.current if observed else decision.desired
    values["TasksInFlight"] = (MetricUnit.Count, max(0, asked_for - service.running))
    if service.load_share is not None:
        values["LoadPercent"] = (MetricUnit.Percent, round(100 * service.load_share, 1))
    # Only while there is something to tell: a custom metric is billed for the hours in which it is sent.
    if decision.memory.launch is not None and decision.memory.launch.failed:
        values["LaunchFailures"] = (MetricUnit.Count, decision.memory.launch.failed)
    return values


def _brief(look: Look) -> dict[str, Any]:
    return {
        name: {
            "desired": decision.desired,
            "running": look.states[name].running,
            "load": next(iter(_shown(decision).values()), None),
            "reason": decision.reason,
        }
        for name, decision in look.decisions.items()
    }


def _shown(decision: Decision | None) -> dict[str, float]:
    """The loads by metric, as the policies saw them."""
    return {} if decision is None else {key: round(load.shown, 2) for key, load in decision.loads.items()}


def _ledger_record(name: str, ledger: Ledger) -> dict[str, Any]:
    record = asdict(ledger)
    return {
        "service": name,
        "from": record.pop("previous"),
        "to": record.pop("desired"),
        **record,
        "seconds": stages(ledger),
    }
