"""The chart of a drill: the load as published, and under it how long each stage of the answer took."""

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from fastscaler.drill.ledger import GOAL, Ledger
from fastscaler.drill.outcome import Outcome
from fastscaler.drill.plan import BUCKET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE_WIDTH = 72  # Characters that fit beside each other.
RED, BLUE, GREY, GREEN = "#c62828", "#1565c0", "#757575", "#2e7d32"
WORDS = {
    "published": "bucket ends, published",
    "visible": "visible in CloudWatch",
    "read": "read by the loop",
    "decided": "decided",
    "updated": "UpdateService returned",
    "running": "tasks RUNNING",
    "healthy": "targets healthy",
}


def draw(outcome: Outcome, path: Path) -> None:
    """Writes the PNG. Seconds are counted from the moment the load rises. Nothing is drawn where it never did."""
    import matplotlib

    matplotlib.use("Agg")  # No display is needed; must come before pyplot.

    import matplotlib.pyplot as plt

    ledger = outcome.ledger
    if ledger is None:
        return
    figure, (load, stages) = plt.subplots(2, 1, figsize=(10, 6.5), height_ratios=(3, 2.4), dpi=120, sharex=True)
    try:
        _draw_load(load, outcome, ledger)
        _draw_stages(stages, ledger)
        figure.suptitle(title(outcome, ledger), fontsize=13, fontweight="bold", x=0.02, ha="left")
        figure.tight_layout()
        figure.savefig(path)
    finally:
        plt.close(figure)


def _draw_load(axes: "Axes", outcome: Outcome, ledger: Ledger) -> None:
    zero = ledger.times["surge"]
    edges = [at - zero for at, _, _ in outcome.buckets]
    loads = [total / max(1.0, tasks) for _, total, tasks in outcome.buckets]
    if edges:
        axes.stairs(loads, [*edges, edges[-1] + BUCKET], color=RED, linewidth=2, label="load per task, 5 s means")
    axes.axhline(outcome.plan.threshold, color=GREY, linestyle="--", linewidth=1.5, label="scale-out threshold")
    axes.axvline(0, color="black", linewidth=1)
    if ledger.reaction is not None:
        axes.axvline(ledger.reaction, color=BLUE, linewidth=1.5, linestyle=":", label=WORDS[_answered(outcome)])
    axes.set_ylabel("requests/s per task")
    axes.set_ylim(0, max([*loads, outcome.plan.threshold]) * 1.25)
    _finish(axes)


def _draw_stages(axes: "Axes", ledger: Ledger) -> None:
    begin = 0.0
    for row, stage in enumerate(ledger.stages):
        color = BLUE if stage.name in ("running", "healthy") else RED
        axes.barh(row, stage.seconds, left=begin, height=0.6, color=color)
        begin += stage.seconds
        seconds = axes.annotate(
            f"{stage.seconds:.2f} s", (begin, row), (6, 0), textcoords="offset points", va="center", fontsize=9
        )
        # On white, so that no line runs through it.
        seconds.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    axes.axvline(0, color="black", linewidth=1)
    axes.axvline(GOAL, color=GREEN, linewidth=1.5, linestyle="--", label=f"goal, {GOAL:g} s")
    axes.set_yticks(range(len(ledger.stages)), [WORDS[stage.name] for stage in ledger.stages])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel("seconds from the moment the load rises")
    left, right = axes.get_xlim()
    axes.set_xlim(left, max(right, (begin - left) * 1.1 + left))  # Room for the last figure.
    _finish(axes)


def title(outcome: Outcome, ledger: Ledger) -> str:
    """The service and the result, in lines that fit above the chart."""
    result = "not answered"
    if ledger.reaction is not None:
        result = f"{WORDS[_answered(outcome)]} after {ledger.reaction:.1f} s"
    return f"{fill(outcome.plan.service, TITLE_WIDTH)}\n{'live' if outcome.plan.live else 'safe'} drill: {result}"


def _answered(outcome: Outcome) -> str:
    return "updated" if outcome.plan.live else "decided"


def _finish(axes: "Axes") -> None:
    # Above the panel, where it covers no line.
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, borderaxespad=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
