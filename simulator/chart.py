"""The chart of several controllers on the same traffic: the load above, then the tasks and late requests of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # No display is needed; must come before pyplot.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from simulator.run import Run
from simulator.score.cost import task_hours

# Of Okabe and Ito's palette, which is told apart with any kind of colour vision. The lines differ in width too.
BLUE, GREEN, RED, GREY = "#0072B2", "#009E73", "#D55E00", "#555555"
POINTS = 900  # More than that, and a pixel has several seconds.
COLOURS = 128  # Of the PNG: enough for a few hues and smooth edges, at half the size.
ROOM_ABOVE_NEED = 2.2  # Peaks above so many times the need are cut off, and their number is written there.

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Time:
    """The time axis: so many seconds to a point, and their unit."""

    seconds: int
    length: int

    @property
    def unit(self) -> tuple[float, str]:
        return (3600.0, "hours") if self.length > 3 * 3600 else (60.0, "minutes")

    @property
    def points(self) -> Values:
        return np.arange(len(self.starts)) * self.seconds / self.unit[0]

    @property
    def starts(self) -> NDArray[np.int64]:
        return np.arange(0, self.length, self.seconds)

    def mean(self, values: NDArray[np.float64] | NDArray[np.int64]) -> Values:
        counts = np.diff(np.append(self.starts, self.length))
        return np.asarray(np.add.reduceat(values.astype(float), self.starts) / counts)

    def highest(self, values: NDArray[np.float64] | NDArray[np.int64]) -> Values:
        return np.asarray(np.maximum.reduceat(values.astype(float), self.starts))


def draw(runs: Sequence[Run], path: Path, title: str) -> None:
    """Writes the PNG of `runs`, which must be of the same traffic."""
    length = len(runs[0].load)
    time = _Time(max(1, length // POINTS), length)
    heights = [1.5, 0.3, *(1.0, 0.42) * len(runs)]  # The second row has the names of the lines.
    figure = plt.figure(figsize=(10, 1.4 + 0.62 * sum(heights)), dpi=100)
    try:
        grid = figure.add_gridspec(len(heights), 1, height_ratios=heights, hspace=0.16)
        axes = [figure.add_subplot(grid[0])]
        axes += [figure.add_subplot(grid[row], sharex=axes[0]) for row in range(2, len(heights))]
        _draw_load(axes[0], runs[0], time)
        top = _top(runs)
        for number, run in enumerate(runs):
            _draw_tasks(axes[1 + 2 * number], run, time, top)
            _draw_late(axes[2 + 2 * number], run, time)
        for one in axes[:-1]:
            one.tick_params(labelbottom=False, bottom=False)
        axes[-1].set_xlabel(time.unit[1])
        axes[0].set_xlim(0, length / time.unit[0])
        figure.text(0.012, 1 - 0.12 / figure.get_figheight(), title, fontsize=12, weight="bold", va="top")
        _name_lines(axes[1])
        high = figure.get_figheight()  # Margins in inches: charts have one controller or ten.
        figure.subplots_adjust(left=0.075, right=0.80, bottom=0.55 / high, top=1 - 0.55 / high)
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(figure, path)
    finally:
        plt.close(figure)


def _draw_load(axes: Axes, run: Run, time: _Time) -> None:
    mean = time.mean(run.load)
    axes.fill_between(time.points, mean, color=GREY, alpha=0.25, linewidth=0)
    axes.plot(time.points, mean, color=GREY, linewidth=1)
    axes.set_ylim(0, max(mean) * 1.12 or 1)
    axes.text(1.01, 0.6, "load", color=GREY, weight="bold", transform=axes.transAxes)
    axes.text(1.01, 0.38, "requests/s", color=GREY, transform=axes.transAxes)
    _plain(axes)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _draw_tasks(axes: Axes, run: Run, time: _Time, top: float) -> None:
    need = time.mean(np.array(run.settings.need(run.load.tolist())))
    desired = time.highest(run.desired)
    axes.fill_between(time.points, time.mean(run.healthy), step="post", color=GREEN, alpha=0.45, linewidth=0)
    axes.step(time.points, need, where="post", color="black", linewidth=1.0, linestyle=(0, (2, 1)))
    axes.step(time.points, np.minimum(desired, top), where="post", color=BLUE, linewidth=1.6)
    if run.desired.max() > top:
        at = time.points[int(np.argmax(desired))]
        side = "left" if at < time.points[-1] * 0.8 else "right"
        axes.text(at, top * 0.97, f" {run.desired.max()} ", color=BLUE, va="top", ha=side, fontsize=9)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True, prune="lower"))
    late = 100 * float((run.late + run.lost).sum()) / (float(run.load.sum()) or 1.0)
    axes.text(1.01, 0.62, run.controller, weight="bold", transform=axes.transAxes)
    axes.text(1.01, 0.22, f"{task_hours(run):,.1f} task-hours", transform=axes.transAxes)
    axes.text(1.01, -0.2, f"{late:.2f}% late", color=RED, weight="bold", transform=axes.transAxes)
    _plain(axes)


def _draw_late(axes: Axes, run: Run, time: _Time) -> None:
    requests = time.mean(run.load)
    share = np.divide(time.mean(run.late + run.lost), requests, out=np.zeros_like(requests), where=requests > 0)
    axes.fill_between(time.points, np.minimum(100 * share, 100), step="post", color=RED, linewidth=0.3)
    axes.set_ylim(0, 100)
    axes.set_yticks([100], ["100%"], color=RED, fontsize=7)
    _plain(axes)


def _name_lines(first: Axes) -> None:
    words = (
        ("tasks:", GREY),
        ("desired", BLUE),
        ("healthy", GREEN),
        ("needed", "black"),
        ("requests late or lost", RED),
    )
    at = 0.0
    for word, colour in words:
        first.text(at, 1.08, word, color=colour, weight="bold", fontsize=9, transform=first.transAxes)
        at += 0.02 + 0.0108 * len(word)


def _top(runs: Sequence[Run]) -> float:
    need = max(runs[0].settings.minimum, max(runs[0].settings.need(runs[0].load.tolist())))
    highest = max(int(run.desired.max()) for run in runs)
    return 1.1 * min(highest, ROOM_ABOVE_NEED * need) + 1


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.2)
    axes.tick_params(axis="y", labelsize=8)


def _save(figure: Figure, path: Path) -> None:
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]  # Of the Agg canvas.
    image = Image.fromarray(pixels).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
