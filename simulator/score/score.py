"""One run as a row of figures, and the same figures relative to the oracle's."""

from collections.abc import Mapping
from dataclasses import asdict

from simulator.run import Run
from simulator.score.cost import SIZE, TaskSize, control_plane_usd, cost_usd, task_hours
from simulator.score.elasticity import elasticity, speedup
from simulator.score.stability import FLAP_SECONDS, direction_changes, peak_over_need, retriggers
from simulator.score.surge import capacity_seconds, reaction_seconds, recovery_seconds

Row = dict[str, str | int | float | None]

# What is divided by the oracle's. It has no late requests, so those have no ratio: its 0 is the goal itself.
AGAINST_ORACLE = ("task_hours", "cost_usd", "peak_over_need", "over_accuracy", "over_share", "instability")
DIGITS = 6  # Significant ones: more would differ between machines.


def score(run: Run, surge_at: float | None = None, until: float | None = None, size: TaskSize = SIZE) -> Row:
    """The figures of `run`. Those of a surge are None without one; it lasts `until` that second, or to the end."""
    requests = float(run.load.sum()) or 1.0
    late, lost = float(run.late.sum()), float(run.lost.sum())
    end = len(run.load) if until is None else until
    surge: tuple[float | None, ...] = (None, None, None)
    if surge_at is not None:
        surge = (
            reaction_seconds(run, surge_at, end),
            capacity_seconds(run, surge_at, end),
            recovery_seconds(run, surge_at, end),
        )
    row: Row = {
        "trace": run.trace,
        "controller": run.controller,
        "seed": run.seed,
        "late_percent": 100 * (late + lost) / requests,
        "lost_percent": 100 * lost / requests,
        "late_requests": late + lost,
        "task_hours": task_hours(run),
        "cost_usd": cost_usd(run, size),
        "control_plane_usd": control_plane_usd(run),
        "reaction_seconds": surge[0],
        "capacity_seconds": surge[1],
        "recovery_seconds": surge[2],
        "direction_changes": direction_changes(run),
        "direction_changes_5_minutes": direction_changes(run, FLAP_SECONDS),
        "retriggered_scale_ins": retriggers(run),
        "calls": len(run.calls),
        "peak_desired": int(run.desired.max()),
        "peak_over_need": peak_over_need(run),
        **asdict(elasticity(run)),
    }
    return {key: rounded(value) for key, value in row.items()}


def elastic_speedup(run: Run, unscaled: Run) -> float | None:
    """SPEC's elastic speed-up over a run that never scaled."""
    value = speedup(elasticity(run), elasticity(unscaled))
    return None if value is None else float(f"{value:.{DIGITS}g}")


def over_oracle(row: Mapping[str, object], oracle: Mapping[str, object]) -> Row:
    """The figures of `row` with the oracle's as 1.0; None where the oracle's is 0."""
    ratios: Row = {}
    for name in AGAINST_ORACLE:
        mine, its = row[name], oracle[name]
        assert isinstance(mine, (int, float))
        assert isinstance(its, (int, float))
        ratios[f"{name}_over_oracle"] = rounded(mine / its) if its else None
    return ratios


def rounded(value: str | int | float | None) -> str | int | float | None:
    """A figure as results keep it."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
