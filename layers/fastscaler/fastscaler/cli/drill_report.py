"""What came of a drill: lines to read, data to keep."""

from dataclasses import asdict
from typing import Any

from fastscaler.cli.counts import to_the_second
from fastscaler.drill.ledger import GOAL
from fastscaler.drill.outcome import Outcome
from fastscaler.drill.plan import Plan


def plan_lines(plan: Plan) -> list[str]:
    """What is about to be done."""
    rates = f"{plan.base:g} requests/s, then {plan.peak:g} ({plan.profile}, {plan.peak / plan.base:.3g}x)"
    lines = [f"{plan.service}: {plan.tasks} tasks; {rates}; scale-out above {plan.threshold:g} per task"]
    if plan.live:
        lines.append(f"live: published as {plan.metric.metric_name}, which the loop scales {plan.service} by")
    else:
        lines.append(f"safe: published as {plan.metric.metric_name}, which moves no service; rehearsed by the scaler")
    return lines


def warning(plan: Plan) -> str:
    """What a live drill does, for whoever has to agree to it."""
    needed = max(plan.desired + 1, -(-int(plan.peak) // int(plan.threshold)))
    return (
        f"A live drill makes the loop scale {plan.service}: from {plan.desired} tasks to {needed} or more, which "
        "start, run and cost until they are scaled in again. It sends no request to the service."
    )


def report_lines(outcome: Outcome) -> list[str]:
    """The ledger and the verdict."""
    plan, ledger = outcome.plan, outcome.ledger
    lines = []
    if abs(outcome.clock_ahead) > 1:
        lines.append(f"this machine's clock differs from AWS's by {outcome.clock_ahead:+.1f} s: taken into account")
    if ledger is not None and len(ledger.times) > 1:
        if outcome.scale_out is not None:
            lines.append(f"latency ledger, {outcome.scale_out.previous} -> {outcome.scale_out.desired} tasks:")
        lines += [f"  {stage.seconds:7.2f} s  {stage.words}" for stage in ledger.stages]
        lines.append(f"  {ledger.total:7.2f} s  in all")
    if not plan.live:
        lines.append("The ledger of a safe drill ends at the decision: UpdateService is not called.")
    lines.append(f"verdict: {verdict(outcome)}")
    rest = {True: "at rest", False: "NOT at rest: see the log of the synthetic function", None: "not known"}
    lines.append(f"metric after the drill: {rest[outcome.at_rest]}")
    if outcome.rests_until is not None:
        until = to_the_second(outcome.rests_until)
        lines.append(f"calm load goes on until {until}, so that {plan.service} is scaled in; then its own data count")
    lines.append(f"asked CloudWatch {outcome.polls} times for the metric: {outcome.usd:.4f} USD")
    return lines


def verdict(outcome: Outcome) -> str:
    """Whether the answer came in time; and how the load ended where the connection to it was lost."""
    if not outcome.lost:
        return _verdict(outcome)
    rest = {True: "is at rest", False: "is NOT at rest", None: "is not known to be at rest"}[outcome.at_rest]
    return f"{_verdict(outcome)}; the connection to the load was lost, its metric was followed to the end and {rest}"


def _verdict(outcome: Outcome) -> str:
    ledger = outcome.ledger
    what = "UpdateService had returned" if outcome.plan.live else "the scaler had decided"
    if outcome.premature:
        return "none: more tasks were asked for before the surge, so the base is too high: give a lower --base"
    if ledger is None or ledger.reaction is None:
        why = f": {outcome.why}" if outcome.why else ""
        seen = "" if outcome.visible_at else "; the surge was not seen in CloudWatch either"
        return f"NOT within {GOAL:g} s: the surge was not answered{why}{seen}"
    if ledger.within_goal:
        return f"within {GOAL:g} s: {what} {ledger.reaction:.1f} s after the load rose"
    answer = [stage for stage in ledger.stages if stage.name not in ("running", "healthy")]
    longest = max(answer, key=lambda stage: stage.seconds)
    return (
        f"NOT within {GOAL:g} s: {what} {ledger.reaction:.1f} s after the load rose; "
        f"most of it until {longest.words} ({longest.seconds:.1f} s)"
    )


def passed(outcome: Outcome) -> bool:
    """Whether the drill shows what it is for."""
    ledger = outcome.ledger
    rests = outcome.at_rest is True if outcome.lost else outcome.at_rest is not False
    return ledger is not None and ledger.within_goal and rests


def as_data(outcome: Outcome) -> dict[str, Any]:
    """All of it. Times are epoch seconds by AWS's clock, rates requests/s."""
    plan, ledger = outcome.plan, outcome.ledger
    return {
        "service": plan.service,
        "live": plan.live,
        "profile": plan.profile,
        "metric": plan.metric.metric_name,
        "tasks": plan.tasks,
        "threshold_per_task": plan.threshold,
        "base_requests_per_second": plan.base,
        "peak_requests_per_second": plan.peak,
        "goal_seconds": GOAL,
        "reaction_seconds": None if ledger is None or ledger.reaction is None else round(ledger.reaction, 3),
        "within_goal": passed(outcome),
        "verdict": verdict(outcome),
        "ends_at": ledger.last if ledger else None,
        "complete": bool(ledger and ledger.complete),
        "times": {} if ledger is None else {name: round(at, 3) for name, at in ledger.times.items()},
        "stages": []
        if ledger is None
        else [{**asdict(one), "seconds": round(one.seconds, 3)} for one in ledger.stages],
        "total_seconds": None if ledger is None else round(ledger.total, 3),
        "scale_out": None if outcome.scale_out is None else asdict(outcome.scale_out),
        "not_answered_because": outcome.why or None,
        "at_rest": outcome.at_rest,
        "connection_lost": outcome.lost,
        "clock_ahead_seconds": round(outcome.clock_ahead, 2),
        "polls": outcome.polls,
        "poll_usd": round(outcome.usd, 5),
        "buckets": [{"start": at, "requests_per_second": load, "tasks": tasks} for at, load, tasks in outcome.buckets],
    }
