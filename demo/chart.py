"""The chart of a run: load per task and its threshold above, desired and running tasks below, on one time axis."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # No display is needed; must come before pyplot.

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from demo.run import Run
from demo.scenario import BUCKET

RED, GREEN, BLUE, GREY = "#c62828", "#2e7d32", "#1565c0", "#757575"


def draw(run: Run, path: Path) -> None:
    """Writes the PNG. Seconds are counted from the surge."""
    zero = run.story.surge_at or run.began
    figure, (load, tasks) = plt.subplots(2, 1, sharex=True, figsize=(10, 6.5), height_ratios=(3, 2), dpi=120)
    try:
        _draw_load(load, run, zero)
        _draw_tasks(tasks, run, zero)
        _mark_moments((load, tasks), run)
        tasks.set_xlim(run.samples[0].at - zero, run.samples[-1].at - zero)
        figure.suptitle(_title(run), fontsize=13, fontweight="bold", x=0.02, ha="left")
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    finally:
        plt.close(figure)


def _draw_load(axes: Axes, run: Run, zero: float) -> None:
    threshold = run.scenario.threshold
    seen = [sample.at - zero for sample in run.samples]
    loads = [sample.offered / sample.running for sample in run.samples]
    over = [max(load, threshold) for load in loads]
    axes.fill_between(seen, over, threshold, step="post", color=RED, alpha=0.2, linewidth=0)
    axes.step(seen, loads, where="post", color=RED, linewidth=2, label="load per running task")
    # A bucket is published when it ends, and its value is the mean of its 5 s.
    ends = [at + BUCKET - zero for at, _ in run.buckets]
    means = [load for _, load in run.buckets]
    axes.plot(ends, means, "o", color=RED, markersize=4, label="as published, 5 s means")
    axes.axhline(threshold, color=GREY, linestyle="--", linewidth=1.5, label="scale-out threshold")
    axes.set_ylabel("requests/s per task")
    axes.set_ylim(0, max([*loads, threshold]) * 1.3)
    finish(axes)


def _draw_tasks(axes: Axes, run: Run, zero: float) -> None:
    # The stand-in's own records give the exact moment of every change.
    moments = [run.samples[0].at - zero, *(change.at - zero for change in run.fleet.changes), run.samples[-1].at - zero]
    counts = [run.scenario.tasks, *(change.after for change in run.fleet.changes), run.fleet.desired]
    seen = [sample.at - zero for sample in run.samples]
    running = [sample.running for sample in run.samples]
    axes.fill_between(seen, running, step="post", color=GREEN, alpha=0.3, linewidth=0, label="running tasks")
    axes.step(seen, running, where="post", color=GREEN, linewidth=1.5)
    axes.step(moments, counts, where="post", color=BLUE, linewidth=2, label="desired count")
    axes.set_ylabel("tasks")
    axes.set_xlabel("seconds from the surge")
    axes.set_ylim(0, max(counts) * 1.2)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    finish(axes)


def _mark_moments(panels: tuple[Axes, ...], run: Run) -> None:
    for axes in panels:
        axes.axvline(0, color="black", linewidth=1)
        if run.reaction_seconds is not None:
            axes.axvline(run.reaction_seconds, color=BLUE, linewidth=1, linestyle=":")
    top = panels[0]
    label(top, "surge ", 0.0, "black", "right")
    if run.reaction_seconds is not None:
        label(top, f" first call\n +{run.reaction_seconds:.1f} s", run.reaction_seconds, BLUE, "left")


def label(axes: Axes, text: str, at: float, color: str, side: str) -> None:
    """Text at the top of a panel, beside the line at that second."""
    axes.text(at, 0.98, text, color=color, ha=side, va="top", transform=axes.get_xaxis_transform())


def _title(run: Run) -> str:
    factor = run.scenario.surge_load / run.scenario.steady_load
    if run.reaction_seconds is None:
        return f"{factor:.0f}x surge: not answered"
    return f"{factor:.0f}x surge: scale-out called after {run.reaction_seconds:.1f} s"


def finish(axes: Axes) -> None:
    """What all panels have in common: the legend above, no frame, a light grid."""
    # Above the panel, where it covers no line.
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, borderaxespad=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
