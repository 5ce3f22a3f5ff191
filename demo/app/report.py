"""What a run came to: the figures of .demo/app_report.json and the printed summary. All of them are measured."""

import json
import os
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from demo.app.access_log import Figures
from demo.app.haproxy import CHECK_SECONDS
from demo.app.run import AppRun
from demo.report import first_ledger
from demo.scenario import SCALER

STAGES = ("surge", "bucket_end", "read", "decided", "updated", "running", "healthy")
PHASES = {
    "before": "steady load",
    "during": "surge, tasks missing",
    "after": "surge, all tasks there",
    "load_gone": "steady load again",
}


def make_report(run: AppRun) -> dict[str, Any]:
    """Everything that was measured, as plain data. Moments are epoch seconds, times seconds."""
    first, surge_at, scenario = run.first_scale_out, run.story.surge_at, run.scenario
    moments = {"surge": surge_at, **first_ledger(run)}
    return {
        "reaction_seconds": _rounded(run.reaction_seconds),
        "recovery_seconds": _rounded(run.recovered_at and surge_at and run.recovered_at - surge_at),
        "desired_before": run.scenario.tasks,
        "desired_after": max((change.after for change in run.raises), default=scenario.tasks),
        "desired_at_end": run.fleet.desired,
        "scale_out_calls": len(run.raises),
        "scale_in_calls": len(run.fleet.changes) - len(run.raises),
        "calls_before_surge": sum(change.at < (surge_at or 0) for change in run.fleet.changes),
        "phases": {name: _phase(run, *bounds) for name, bounds in phases(run).items()},
        "requests": {
            "load_generator_has_answers_of": sum(sent.answers for sent in run.sent),
            "load_generator_errors": sum(sent.errors for sent in run.sent),
            "load_balancer_has_logged": len(run.requests),
            "load_balancer_has_counted": run.answered,
            "aborted_at_the_end_of_a_load": sum(request.aborted for request in run.requests),
            "tasks_have_published": round(run.published, 3),
        },
        "errors": sum(request.failed for request in run.requests),
        "surge_at": surge_at,
        "first_scale_out_at": first.at if first else None,
        "stages": {
            f"{begin}_to_{end}": _difference(moments.get(begin), moments.get(end)) for begin, end in pairwise(STAGES)
        },
        "changes": [{"at": c.at, "from": c.before, "to": c.after} for c in run.fleet.changes],
        "decisions": [{key: d.get(key) for key in ("now", "from", "to", "reason")} for d in run.story.decisions],
        "load_per_task": [{"bucket": at, "requests_per_second": round(load, 3)} for at, load in run.buckets],
        "api_calls_of_scaler": run.aws.calls.counts(SCALER.name),
        "hand_overs": run.story.hand_overs,
        "problems": run.story.problems,
        "machine": {"cpus": os.cpu_count()},
        "scenario": {
            "threshold": scenario.threshold,
            "task_capacity": scenario.task_capacity,
            "steady_requests_per_second": scenario.steady_load,
            "surge_requests_per_second": scenario.surge_load,
            "steady_customers": scenario.customers(scenario.steady_load),
            "surge_customers": scenario.customers(scenario.surge_load),
            "task_seconds": scenario.task_seconds,
            "seconds_between_health_checks": CHECK_SECONDS,
            "visibility_median": scenario.visibility_median,
            "visibility_sigma": scenario.visibility_sigma,
            "seed": scenario.seed,
        },
    }


def phases(run: AppRun) -> dict[str, tuple[float, float]]:
    """Begin and end of each phase, as far as the run has come. A surge that was not answered has no `after`."""
    surge_at, gone, ends = run.story.surge_at, run.load_gone_at, run.ends
    if surge_at is None or gone is None or ends is None:
        return {}
    recovered = min(run.recovered_at or gone, gone)
    found = {
        "before": (run.loaded_at, surge_at),
        "during": (surge_at, recovered),
        "after": (recovered, gone),
        "load_gone": (gone, ends),
    }
    return {name: (begin, end) for name, (begin, end) in found.items() if end > begin}


def _phase(run: AppRun, begin: float, end: float) -> dict[str, Any]:
    figures = Figures.of(request for request in run.requests if begin <= request.arrived < end)
    busy = [share for at, share in run.busy if begin <= at < end]
    return {
        "seconds": round(end - begin, 1),
        **asdict(figures),
        "requests_per_second": round(figures.requests / (end - begin), 1),
        "machine_busy": round(sum(busy) / len(busy), 2) if busy else None,
    }


def write(report: dict[str, Any], run: AppRun, folder: Path) -> Path:
    """app_report.json, and all that the functions logged, one JSON record a line, in app_log.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "app_report.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    (folder / "app_log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in run.story.log))
    return path


def summary(report: dict[str, Any]) -> list[str]:
    """The report as lines for a person, at most 80 characters wide."""
    lines = []
    if report["reaction_seconds"] is None:
        lines.append("The surge was NOT answered: no call that scales out was made.")
    else:
        lines.append(f"reaction       {report['reaction_seconds']:.1f} s from the surge to the return of UpdateService")
        lines.append(f"desired count  {_raises(report)}")
        lines.append(f"tasks          {_recovery(report)}")
    lines += ["", f"{'':25}seconds  requests/s      p50      p99  errors   CPU"]
    for name, phase in report["phases"].items():
        lines.append(
            f"{PHASES[name]:<25}{phase['seconds']:7.0f}  {phase['requests_per_second']:10.0f}  "
            f"{_milliseconds(phase['p50'])}  {_milliseconds(phase['p99'])}  {phase['errors']:6}  "
            f"{_percent(phase['machine_busy'])}"
        )
    requests = report["requests"]
    lines += [
        "",
        f"{requests['load_balancer_has_logged']} requests at the load balancer, "
        f"{requests['tasks_have_published']:.0f} published by the tasks",
    ]
    if report["problems"]:
        lines += ["", "Reported by the functions:", *(f"  {problem}" for problem in report["problems"])]
    return lines


def _raises(report: dict[str, Any]) -> str:
    raises = [
        f"{change['to']} after {change['at'] - report['surge_at']:.1f} s"
        for change in report["changes"]
        if change["to"] > change["from"]
    ]
    return f"{report['desired_before']}, then {', '.join(raises)}"


def _recovery(report: dict[str, Any]) -> str:
    seconds = report["recovery_seconds"]
    return "not all of them healthy in time" if seconds is None else f"all healthy after {seconds:.1f} s"


def _milliseconds(seconds: float | None) -> str:
    return "      -" if seconds is None else f"{seconds * 1000:4.0f} ms"


def _percent(share: float | None) -> str:
    return "   -" if share is None else f"{share:4.0%}"


def _difference(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else round(end - begin, 3)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
