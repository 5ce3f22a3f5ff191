"""The chart of a run: requests and errors, response times, and tasks, on one time axis."""

from collections.abc import Sequence
from math import nan
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # No display is needed; must come before pyplot.

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from demo.app.access_log import Figures, by_second
from demo.app.report import PHASES, phases
from demo.app.run import AppRun
from demo.chart import BLUE, GREEN, GREY, RED, finish, label

ORANGE = "#ef6c00"


def draw(run: AppRun, path: Path) -> None:
    """Writes the PNG. Seconds are counted from the surge."""
    zero = run.story.surge_at or run.began
    figure, panels = plt.subplots(3, 1, sharex=True, figsize=(10, 8), height_ratios=(3, 3, 2), dpi=120)
    try:
        begin, end = run.loaded_at or run.began, run.samples[-1].at
        seconds = by_second(run.requests, begin, end)
        _draw_requests(panels[0], run, zero, seconds)
        _draw_times(panels[1], zero, seconds)
        _draw_tasks(panels[2], run, zero)
        _mark_phases(panels, run, zero)
        panels[2].set_xlim(begin - zero, end - zero)
        panels[2].set_xlabel("seconds from the surge")
        figure.suptitle(_title(run), fontsize=13, fontweight="bold", x=0.02, ha="left")
        figure.tight_layout()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    finally:
        plt.close(figure)


def _draw_requests(axes: Axes, run: AppRun, zero: float, seconds: list[tuple[float, Figures]]) -> None:
    seen = [sample.at - zero for sample in run.samples]
    capacity = [sample.healthy * run.scenario.task_capacity for sample in run.samples]
    at = [moment - zero for moment, _ in seconds]
    axes.step(seen, capacity, where="post", color=GREEN, linewidth=1.5, label="what the healthy tasks can serve")
    axes.step(at, [one.requests for _, one in seconds], where="post", color=BLUE, linewidth=1.5, label="requests")
    axes.step(at, [one.errors for _, one in seconds], where="post", color=RED, linewidth=1.5, label="errors")
    axes.set_ylabel("per second")
    axes.set_ylim(0, max([*capacity, *(one.requests for _, one in seconds)]) * 1.4)
    finish(axes)


def _draw_times(axes: Axes, zero: float, seconds: list[tuple[float, Figures]]) -> None:
    at = [moment + 0.5 - zero for moment, _ in seconds]
    for name, color, words in (("p99", ORANGE, "99th percentile"), ("p50", GREY, "median")):
        # A second in which nothing was answered has no response time, and is a gap.
        times = [getattr(one, name) for _, one in seconds]
        axes.plot(at, [nan if time is None else time for time in times], color=color, linewidth=1.5, label=words)
    axes.set_ylabel("response time")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(_time))
    axes.yaxis.set_minor_formatter(NullFormatter())
    finish(axes)


def _draw_tasks(axes: Axes, run: AppRun, zero: float) -> None:
    seen = [sample.at - zero for sample in run.samples]
    healthy = [sample.healthy for sample in run.samples]
    desired = [sample.desired for sample in run.samples]
    axes.fill_between(seen, healthy, step="post", color=GREEN, alpha=0.3, linewidth=0, label="healthy tasks")
    axes.step(seen, healthy, where="post", color=GREEN, linewidth=1.5)
    axes.step(seen, desired, where="post", color=BLUE, linewidth=2, label="desired count")
    axes.set_ylabel("tasks")
    axes.set_ylim(0, max([*healthy, *desired]) * 1.2)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    finish(axes)


def _mark_phases(panels: Sequence[Axes], run: AppRun, zero: float) -> None:
    for name, (begin, end) in phases(run).items():
        for axes in panels:
            if name == "during":
                axes.axvspan(begin - zero, end - zero, color=RED, alpha=0.07, linewidth=0)
            else:
                axes.axvline(begin - zero, color=GREY, linewidth=0.8)
        words = PHASES[name].replace(", ", ",\n")
        panels[0].text(
            (begin + end) / 2 - zero, 0.97, words, ha="center", va="top", transform=panels[0].get_xaxis_transform()
        )
    if run.reaction_seconds is not None:
        for axes in panels:
            axes.axvline(run.reaction_seconds, color=BLUE, linewidth=1, linestyle=":")
        label(panels[2], f"first call \n+{run.reaction_seconds:.1f} s ", run.reaction_seconds, BLUE, "right")


def _title(run: AppRun) -> str:
    factor = run.scenario.surge_load / run.scenario.steady_load
    if run.reaction_seconds is None:
        return f"{factor:.0f} times the customers: not answered"
    return f"{factor:.0f} times the customers: scale-out called after {run.reaction_seconds:.1f} s"


def _time(seconds: float, _: int) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
