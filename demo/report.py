"""What a run came to: the figures of .demo/report.json and the summary that is printed. All of them are measured."""

import json
import time
from pathlib import Path
from typing import Any

from demo.run import Run
from demo.scenario import SCALER, SYNTHETIC

# The stages of a scale-out in order, and what happens between each two of them. All moments are the scaler's own, from
# its ledger, but two: the load function announces the surge, and the stand-in knows when CloudWatch showed the bucket.
STAGES = (
    ("surge", "bucket_end", "until the 5 s bucket with the surge in it ends"),
    ("bucket_end", "visible", "until CloudWatch shows that bucket"),
    ("visible", "read", "until the scaler reads it"),
    ("read", "decided", "to decide"),
    ("decided", "updated", "to write the intent and call UpdateService"),
    ("updated", "running", "until all new tasks run"),
    ("running", "healthy", "until all new tasks are healthy"),
)


def make_report(run: Run) -> dict[str, Any]:
    """Everything that was measured, as plain data. Moments are epoch seconds."""
    surge_at, first, calls = run.story.surge_at, run.first_scale_out, run.aws.calls
    before = [change for change in run.fleet.changes if surge_at is None or change.at < surge_at]
    ended = time.time()
    return {
        "reaction_seconds": _rounded(run.reaction_seconds),
        "scale_out_calls": sum(change.at >= (surge_at or 0) for change in run.raises),
        "scale_in_calls": len(run.fleet.changes) - len(run.raises),
        "calls_before_surge": len(before),
        "desired_before": before[-1].after if before else run.scenario.tasks,
        "desired_after": run.fleet.desired,
        "api_calls": calls.counts(),
        "api_calls_of_scaler": calls.counts(SCALER.name),
        "api_calls_of_synthetic_metrics": calls.counts(SYNTHETIC.name),
        "billed_metrics": calls.billed_metrics,
        "billed_metrics_before_surge": calls.billed_between(0, surge_at or ended),
        "looks": run.story.looks,
        "hand_overs": run.story.hand_overs,
        "surge_at": surge_at,
        "first_scale_out_at": first.at if first else None,
        "began_at": run.began,
        "ended_at": ended,
        "ledger": first_ledger(run),
        "stages": stages(run),
        "changes": [{"at": c.at, "from": c.before, "to": c.after} for c in run.fleet.changes],
        "decisions": [{key: d.get(key) for key in ("now", "from", "to", "reason")} for d in run.story.decisions],
        "load_per_task": [{"bucket": at, "requests_per_second": round(load, 3)} for at, load in run.buckets],
        "visibility_delays": [round(put.visible - put.answered, 3) for put in run.aws.puts],
        "problems": run.story.problems,
        "scenario": {
            "tasks": run.scenario.tasks,
            "threshold": run.scenario.threshold,
            "steady_requests_per_second": run.scenario.steady_load,
            "surge_requests_per_second": run.scenario.surge_load,
            "start_seconds": run.scenario.start_seconds,
            "health_seconds": run.scenario.health_seconds,
            "visibility_median": run.scenario.visibility_median,
            "visibility_sigma": run.scenario.visibility_sigma,
            "seed": run.scenario.seed,
        },
    }


def first_ledger(run: Run) -> dict[str, Any]:
    """The scaler's own ledger of the scale-out that answered the surge; empty if there is none."""
    first = run.first_scale_out
    if first is None:
        return {}
    return next((one for one in run.story.ledgers if (one["from"], one["to"]) == (first.before, first.after)), {})


def stages(run: Run) -> dict[str, float | None]:
    """Seconds of each stage of the first scale-out; None for a stage that it did not reach."""
    moments = {"surge": run.story.surge_at, **first_ledger(run)}
    if moments.get("bucket_end"):
        moments["visible"] = next((put.visible for put in run.aws.puts if put.answered >= moments["bucket_end"]), None)
    seconds = {}
    for begin, end, _ in STAGES:
        start, stop = moments.get(begin), moments.get(end)
        seconds[f"{begin}_to_{end}"] = None if start is None or stop is None else round(stop - start, 3)
    return seconds


def write(report: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    return path


def write_log(run: Run, folder: Path) -> None:
    """All that the functions logged, one JSON record a line."""
    (folder / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in run.story.log))


def summary(report: dict[str, Any]) -> list[str]:
    """The report as lines for a person."""
    if report["reaction_seconds"] is None:
        return ["The surge was NOT answered: no call that scales out was made.", *report["problems"]]
    lines = [
        f"surge at            {_clock(report['surge_at'])}",
        f"first scale-out at  {_clock(report['first_scale_out_at'])}",
        f"reaction            {report['reaction_seconds']:.2f} s from the surge to the return of UpdateService",
        f"desired count       {report['desired_before']} to {report['desired_after']} "
        f"in {report['scale_out_calls']} call(s); before the surge {report['calls_before_surge']}",
        f"hand-overs          {report['hand_overs']}",
        "",
        "Latency ledger of the first scale-out:",
    ]
    for begin, end, words in STAGES:
        seconds = report["stages"][f"{begin}_to_{end}"]
        lines.append(f"  {'      -' if seconds is None else f'{seconds:6.2f}s'}  {words}")
    lines += ["", "API calls of the scaler:"]
    lines += [f"  {count:6}  {operation}" for operation, count in report["api_calls_of_scaler"].items()]
    lines.append(f"  {report['billed_metrics']:6}  metrics billed by GetMetricData")
    if report["problems"]:
        lines += ["", "Reported by the functions:", *(f"  {problem}" for problem in report["problems"])]
    return lines


def _clock(moment: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(moment))}.{int(moment % 1 * 100):02d}"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
