"""`python -m benchmarks.page`: RESULTS.md from the files of results. Nobody edits either by hand; a test compares."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.ablations import NOTHING
from benchmarks.goals import AWS, FASTSCALER, Results, geometric_mean, goals
from benchmarks.missed import explanations
from benchmarks.rows import FOLDER, Row, read
from benchmarks.sensitivity import ASSUMED, SURGES, TRAFFIC
from benchmarks.workloads import WORKLOADS

PAGE = FOLDER / "RESULTS.md"
CHARTED = ("surge-5x", "flash-crowd", "bursts", "nasa")
FLOOR = 0.1


def write_page(folder: Path = FOLDER) -> None:
    """Writes RESULTS.md."""
    (folder / PAGE.name).write_text(render(folder))


def render(folder: Path = FOLDER) -> str:
    """RESULTS.md from the four files of rows in `folder`."""
    rows, surges = read(folder / "results.json"), read(folder / "surges.json")
    results = Results(rows)
    sensitivity, ablations = read(folder / "sensitivity.json"), read(folder / "ablations.json")
    sections = [
        _head(results, rows),
        _goals(results, surges, sensitivity, ablations),
        _surges(surges),
        _charts(results),
        _by_traffic(results),
        _summary(results),
        _ablations(ablations),
        _sensitivity(sensitivity),
        _traffic(results),
        READING,
    ]
    return "\n\n".join(sections) + "\n"


def _head(results: Results, rows: Sequence[Row]) -> str:
    seeds = len({row["seed"] for row in rows})
    return f"""# Results

FastScaler with the shipped [policies.yaml](../policies.yaml), its own code from loop to decision, against
{len(results.controllers) - 1} other ways to scale the same service, on {len(results.traces)} kinds of traffic with
{seeds} seed{"s" * (seeds > 1)} each. All of it is simulated: see [docs/simulating.md](../docs/simulating.md) for what
the simulated world has and lacks. `make bench` writes this page from [results.json](results.json),
[surges.json](surges.json), [ablations.json](ablations.json) and [sensitivity.json](sensitivity.json). The same seeds
give the same figures."""


def _goals(results: Results, surges: Sequence[Row], sensitivity: Sequence[Row], ablations: Sequence[Row]) -> str:
    found = goals(results, surges)
    met = sum(goal.met for goal in found)
    table = _table(
        ("goal", "wanted", "measured", "met", ""),
        ((goal.what, goal.wanted, goal.measured, "yes" if goal.met else "**no**", goal.detail) for goal in found),
        left=(0, 3, 4),
    )
    why = explanations([goal for goal in found if not goal.met], results, sensitivity, ablations)
    return "\n\n".join(
        [
            f"## Goals: {met} of {len(found)} met",
            table,
            *(["Why the others are missed:", "\n".join(why)] if why else []),
        ]
    )


def _surges(surges: Sequence[Row]) -> str:
    names = ("reaction", "capacity", "recovery")
    table = _table(
        ("controller", "runs", *(f"{name}, {part}" for name in names for part in ("p50", "p99"))),
        (
            (row["controller"], row["runs"], *(_s(row[f"{name}_p{part}"]) for name in names for part in (50, 99)))
            for row in surges
        ),
    )
    return f"""## A surge of 5 times the load

From 60% of the threshold, at any moment of a minute. Seconds from the surge: to the return of the first call that
scales out (reaction), to as many healthy tasks as are needed (capacity), and to the last late request (recovery).

{table}"""


def _charts(results: Results) -> str:
    others = [f"[{name}](charts/{name}.png)" for name in results.traces if name not in CHARTED]
    shown = [f"![{name}: {WORKLOADS[name].about}](charts/{name}.png)" for name in CHARTED if name in results.traces]
    return "\n\n".join(["## What it looks like", *shown, f"The others: {', '.join(others)}."])


def _by_traffic(results: Results) -> str:
    late = [
        (trace, *(_percent(results.mean(trace, one, "late_percent")) for one in results.controllers))
        for trace in results.traces
    ]
    late.append(("**geometric mean, + 0.1**", *(_percent(results.late(one)) for one in results.controllers)))
    hours = [
        (trace, *(_ratio(results.mean(trace, one, "task_hours_over_oracle")) for one in results.controllers))
        for trace in results.traces
    ]
    means = (results.ratio("task_hours", one, "oracle") for one in results.controllers)
    hours.append(("**geometric mean**", *(_ratio(mean) for mean in means)))
    heading = ("traffic", *results.controllers)
    return f"""## Late or lost requests, in percent

{_table(heading, late)}

## Task-hours, the oracle's as 1.0

{_table(heading, hours)}"""


# Heading, figure, and how it is written.
SUMMARY = (
    ("peak / need", "peak_over_need", 2),
    ("turns", "direction_changes", 1),
    ("turns < 5 min", "direction_changes_5_minutes", 1),
    ("regretted", "retriggered_scale_ins", 1),
    ("lacking, %", "under_accuracy", 2),
    ("too many, %", "over_accuracy", 1),
    ("time lacking, %", "under_share", 2),
    ("time too many, %", "over_share", 1),
    ("instability, %", "instability", 2),
    ("speed-up", "elastic_speedup", 2),
)


def _summary(results: Results) -> str:
    def row(one: str) -> tuple[str, ...]:
        figures = (results.average(one, figure) for _, figure, _ in SUMMARY)
        written = (
            "-" if value is None else f"{value:.{digits}f}"
            for value, (*_, digits) in zip(figures, SUMMARY, strict=True)
        )
        cost = results.ratio("cost_usd", one, "oracle")
        return (one, *written, f"{cost:.2f}")

    table = _table(
        ("controller", *(heading for heading, *_ in SUMMARY), "cost"), (row(one) for one in results.controllers)
    )
    return f"""## Restraint, elasticity and cost

Means over all traffic. Turns: changes of direction of the desired count, a run. Regretted: scale-ins that a scale-out
followed within 2 minutes. Lacking to speed-up: [SPEC's elasticity metrics](#how-to-read-this). Cost: tasks, metrics and
control plane, the geometric mean with the oracle's as 1.0.

{table}"""


def _ablations(rows: Sequence[Row]) -> str:
    ideas: dict[str, list[Row]] = {}
    for row in rows:
        ideas.setdefault(row["switched"], []).append(row)
    base = ideas[NOTHING]

    def of(idea: str, mine: Sequence[Row]) -> tuple[str, ...]:
        late, hours = _late(mine) / _late(base), _hours(mine) / _hours(base)
        surge = next((row for row in mine if row["trace"] == "surge-5x"), None)
        flaps, regrets = (sum(row[name] for row in mine) for name in ("direction_changes_5_minutes", REGRETS))
        peak = max(row["peak_over_need"] for row in mine)
        reaction = "-" if surge is None else _s(surge["reaction_seconds"])
        return idea, f"{late:.2f}", f"{hours:.2f}", reaction, f"{peak:.2f}", str(flaps), str(regrets)

    table = _table(
        (
            "switched off, or on",
            "late",
            "task-hours",
            "reaction, s",
            "highest peak / need",
            "turns < 5 min",
            "regretted",
        ),
        (of(idea, mine) for idea, mine in ideas.items()),
    )
    return f"""## What each idea contributes

FastScaler with one idea switched off, one seed. Late requests and task-hours are relative to the shipped default:
above 1 in a row means that the idea saves that much. The saturation boost (`TaskCapacity`) is off as shipped; its row
is with it switched on, so there it saves what is below 1. Reaction: on surge-5x, one run. Turns and regretted
scale-ins: sums over all traffic.

{table}"""


REGRETS = "retriggered_scale_ins"


def _sensitivity(rows: Sequence[Row]) -> str:
    variants: dict[str, dict[str, list[Row]]] = {}
    surges = {row["variant"]: row for row in rows if row["trace"] == SURGES}
    for row in rows:
        if row["trace"] != SURGES:
            variants.setdefault(row["variant"], {}).setdefault(row["controller"], []).append(row)

    def of(variant: str) -> tuple[str, ...]:
        mine, aws = variants[variant][FASTSCALER], variants[variant][AWS]
        return (
            variant,
            f"{_late(mine):.2f}",
            f"{_late(aws):.2f}",
            f"{_late(mine) / _late(aws):.2f}",
            f"{_hours(mine) / _hours(aws):.2f}",
            _s(surges[variant]["reaction_p50"]),
            _s(surges[variant]["recovery_p50"]),
        )

    headings = ("what AWS does", "late", f"late, {AWS}", "ratio", "task-hours, ratio", "reaction, s", "recovery, s")
    table = _table(headings, (of(variant) for variant in [ASSUMED, *(one for one in variants if one != ASSUMED)]))
    return f"""## If AWS is not as assumed

AWS publishes no figure for these. Each is changed alone, on one seed of {", ".join(TRAFFIC)};
late is the geometric mean with 0.1 added. {AWS} is calibrated to AWS's own figure from surge to
trigger, so a CPU metric that comes sooner does not make it faster. Reaction and recovery: FastScaler's medians over
{surges[ASSUMED]["runs"]} surges of 5 times the load.

{table}"""


def _traffic(results: Results) -> str:
    table = _table(
        ("traffic", "what", "factor"),
        ((name, WORKLOADS[name].about, f"x {WORKLOADS[name].factor or 1:g}") for name in results.traces),
        left=(0, 1),
    )
    return f"""## Traffic

Recorded traffic is multiplied by the factor; [traces/README.md](traces/README.md) says where it is from.

{table}"""


READING = """## How to read this

- **late**: took longer than 0.5 s, or was given up after 5 s (lost). A task finishes 150 requests/s; above 120 it is
  late.
- **need**: the fewest tasks that meet the objective. Every controller aims at 100 requests/s per task.
- **oracle**: knows the load and every start-up time. It is late only where the need is above the maximum or jumps
  before the run can have prepared for it.
- **task-hours**: what Fargate bills, from launch to stop. **cost**: at 0.5 vCPU and 1 GB a task, us-east-1, list
  prices; Kubernetes' control plane is not in it.
- **lacking, too many**: SPEC's under- and over-provisioning accuracy, the mean share of the need that is missing or is
  there in excess (divided by the need). **time lacking, time too many**: the time shares. **instability**: the time in
  which need and tasks do not move in the same direction. **speed-up**: the geometric mean of four of them, relative to
  no scaling; left out where one is 0. Source: `simulator/score/elasticity.py`.
- The peers are described, with their sources, in `simulator/peers`, and the constants of the world in
  `simulator/settings.py`."""


def _late(rows: Sequence[Row]) -> float:
    return geometric_mean([row["late_percent"] + FLOOR for row in rows])


def _hours(rows: Sequence[Row]) -> float:
    return geometric_mean([row["task_hours"] for row in rows])


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]], left: Sequence[int] = (0,)) -> str:
    sides = ("---" if place in left else "---:" for place in range(len(headings)))
    lines = [headings, list(sides), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    write_page()
