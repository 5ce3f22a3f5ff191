"""What was to be reached, and what was: each goal with its figure and where it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, log

from benchmarks.rows import Row

FASTSCALER, AWS, HPA = "fastscaler", "aws-target-tracking-20s", "kubernetes-hpa"
FLOOR = 0.1  # Percentage points that are added to late requests before a geometric mean, which a 0 would make 0.


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal. `detail` says where the figure comes from, or is worst."""

    what: str
    wanted: str
    measured: str
    met: bool
    detail: str = ""


class Results:
    """The rows of all controllers, as means over the seeds, by traffic."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.traces = list(dict.fromkeys(row["trace"] for row in rows))
        self.controllers = list(dict.fromkeys(row["controller"] for row in rows))
        self._rows: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            self._rows.setdefault((row["trace"], row["controller"]), []).append(row)

    def mean(self, trace: str, controller: str, figure: str) -> float | None:
        """The mean over the seeds that have the figure; None where none has."""
        values = [row[figure] for row in self._rows[trace, controller] if row[figure] is not None]
        return fsum(values) / len(values) if values else None

    def of(self, controller: str, figure: str) -> dict[str, float]:
        """The mean over the seeds, for every traffic that has the figure."""
        found = {trace: self.mean(trace, controller, figure) for trace in self.traces}
        return {trace: value for trace, value in found.items() if value is not None}

    def average(self, controller: str, figure: str) -> float | None:
        """The mean over all traffic that has the figure."""
        values = list(self.of(controller, figure).values())
        return fsum(values) / len(values) if values else None

    def late(self, controller: str) -> float:
        """Geometric mean over all traffic of late or lost requests in percent, 0.1 point added."""
        return geometric_mean([late + FLOOR for late in self.of(controller, "late_percent").values()])

    def ratio(self, figure: str, controller: str, other: str) -> float:
        """Geometric mean over all traffic of a figure relative to another controller's."""
        mine, others = self.of(controller, figure), self.of(other, figure)
        return geometric_mean([mine[trace] / others[trace] for trace in self.traces])


def geometric_mean(values: Sequence[float]) -> float:
    """Of values above 0."""
    return exp(fsum(map(log, values)) / len(values))


def goals(results: Results, surges: Sequence[Row]) -> list[Goal]:
    """All goals, in the order of the page."""
    by_controller = {row["controller"]: row for row in surges}
    mine, aws = by_controller[FASTSCALER], by_controller[AWS]
    return [
        _seconds("reaction to a 5x surge, median", mine["reaction_p50"], 6.5, aws["reaction_p50"]),
        _seconds("the same, 99th percentile", mine["reaction_p99"], 10.0, aws["reaction_p99"]),
        _seconds("last late request after a 5x surge, median", mine["recovery_p50"], 60.0, aws["recovery_p50"]),
        _seconds("the same, 99th percentile", mine["recovery_p99"], 75.0, aws["recovery_p99"]),
        *_against_peers(results),
        *_restraint(results),
    ]


def _seconds(what: str, seconds: float | None, most: float, peer: float | None) -> Goal:
    return Goal(
        what,
        f"at most {most:g} s",
        "never" if seconds is None else f"{seconds:.1f} s",
        seconds is not None and seconds <= most,
        f"{AWS}: {'never' if peer is None else f'{peer:.0f} s'}",
    )


def _against_peers(results: Results) -> list[Goal]:
    late_aws = results.late(FASTSCALER) / results.late(AWS)
    late_hpa = results.late(FASTSCALER) / results.late(HPA)
    hours = results.ratio("task_hours", FASTSCALER, AWS)
    more = {
        trace: late - results.of(AWS, "late_percent")[trace]
        for trace, late in results.of(FASTSCALER, "late_percent").items()
    }
    worst = max(more, key=lambda trace: more[trace])
    dearest = _worst(
        {trace: each / results.of(AWS, "task_hours")[trace] for trace, each in _hours(results).items()}, "x"
    )
    geometric = f"{results.late(FASTSCALER):.2f} against {results.late(AWS):.2f}"
    return [
        Goal(
            f"late or lost requests, against {AWS}", "at most 0.33 x", f"{late_aws:.2f} x", late_aws <= 0.33, geometric
        ),
        Goal("the same, stretch goal", "at most 0.28 x", f"{late_aws:.2f} x", late_aws <= 0.28),
        Goal(f"task-hours, against {AWS}", "at most 0.95 x", f"{hours:.2f} x", hours <= 0.95, dearest),
        Goal(
            "traffic with more late requests than that peer",
            "by at most 0.1 points",
            f"{more[worst]:+.2f} points",
            more[worst] <= 0.1,
            f"worst: {worst}",
        ),
        Goal(
            f"late or lost requests, against {HPA}",
            "at most 0.45 x",
            f"{late_hpa:.2f} x",
            late_hpa <= 0.45,
            f"{results.late(FASTSCALER):.2f} against {results.late(HPA):.2f}",
        ),
    ]


def _restraint(results: Results) -> list[Goal]:
    peaks = results.of(FASTSCALER, "peak_over_need")
    flaps = results.of(FASTSCALER, "direction_changes_5_minutes")
    regrets = results.of(FASTSCALER, "retriggered_scale_ins")
    peak, flap, regret = max(peaks.values()), fsum(flaps.values()) / len(flaps), fsum(regrets.values())
    noise = {one: results.of(one, "task_hours")["noise"] for one in (FASTSCALER, AWS)}
    return [
        Goal("peak desired, relative to the need", "at most 1.6 x", f"{peak:.2f} x", peak <= 1.6, _worst(peaks, "x")),
        Goal(
            "direction changes within 5 minutes, mean over traffic",
            "at most 3",
            f"{flap:.1f}",
            flap <= 3,
            _worst(flaps),
        ),
        Goal(
            "task-hours on pure noise, against that peer",
            "no more",
            f"{noise[FASTSCALER] / noise[AWS]:.2f} x",
            noise[FASTSCALER] <= noise[AWS],
            f"{noise[FASTSCALER]:.1f} against {noise[AWS]:.1f}",
        ),
        Goal(
            "scale-ins that a scale-out followed within 2 minutes",
            "0",
            f"{regret:.1f}",
            regret == 0,
            f"sum over traffic; {_worst(regrets)}",
        ),
    ]


def _hours(results: Results) -> dict[str, float]:
    return results.of(FASTSCALER, "task_hours")


def _worst(figures: Mapping[str, float], unit: str = "") -> str:
    """The three highest, by name."""
    highest = sorted(figures, key=lambda name: -figures[name])[:3]
    return "highest: " + ", ".join(f"{name} {figures[name]:.1f}{unit and ' ' + unit}" for name in highest)
