"""`fastscaler simulate`: what a policy document would have done on recorded traffic."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fastscaler.cli.console import show
from fastscaler.cli.read_document import read_document
from fastscaler.cli.situation_options import OptionRefused, chosen_service
from fastscaler.one_line import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from simulator.run import Run, Trace
    from simulator.settings import Settings
    from simulator.simulate import Controller


def simulate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Policy document, YAML or JSON.")],
    trace: Annotated[
        Path, typer.Option(metavar="CSV", help="Traffic: rows of second,rps or of minute,requests, with that header.")
    ],
    service: Annotated[
        str | None, typer.Option(metavar="SERVICE", help="cluster/service, or its name alone. Default: the only one.")
    ] = None,
    task_capacity: Annotated[
        float | None,
        typer.Option(
            metavar="RPS", help="Requests/s that one task can serve at most. Default: the policy's TaskCapacity."
        ),
    ] = None,
    start_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="From launch to RUNNING, median; 10 s of health checks follow.")
    ] = 30.0,
    compare: Annotated[
        str, typer.Option(metavar="NAMES", help="Others to compare with, separated by commas; 'all' for all of them.")
    ] = "",
    vcpu: Annotated[float, typer.Option(help="vCPU of a task, for the cost.")] = 0.5,
    memory: Annotated[float, typer.Option(metavar="GB", help="Memory of a task, for the cost.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Another one draws other start-up times and delays.")] = 1,
    chart: Annotated[Path, typer.Option(metavar="PNG", help="Where the chart goes.")] = Path("simulation.png"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Simulate what a policy would have done on your traffic, with the loop's own code. Asks no AWS.

    Compare with aws-20s, aws-60s (target tracking), aws-steps, hpa, kpa, poller, none (no scaling), oracle (knows the
    future). Exits with 1 if the document is invalid or uses a metric that cannot be simulated, 2 if an option or the
    traffic is wrong.
    """
    document = read_document(file, problems_to_stderr=as_json)
    # Only now: numpy takes a while, and most commands do without.
    from simulator.advice import advice, usd_a_month
    from simulator.contenders import CONTENDERS
    from simulator.controllers.fastscaler import FastScaler
    from simulator.metric_source import NotSimulated, refuse_unsimulated
    from simulator.question import CapacityUnknown, question
    from simulator.score.cost import TaskSize
    from simulator.score.score import score
    from simulator.traffic import TrafficInvalid, read_traffic

    names = _names(compare, list(CONTENDERS))
    for option, value in (("--task-capacity", task_capacity), ("--vcpu", vcpu), ("--memory", memory)):
        if value is not None and not 0 < value < float("inf"):
            _fail(f"{option} {value:g}: must be above 0")
    if not 0 < start_seconds <= 3600:
        _fail(f"--start-seconds {start_seconds:g}: must be above 0 and at most 3600")
    if seed < 0:
        _fail(f"--seed {seed}: must be at least 0")
    try:
        chosen = chosen_service(document, service)
        refuse_unsimulated(chosen)
        traffic = read_traffic(trace)
        asked = question(chosen, task_capacity, start_seconds)
    except NotSimulated as refused:
        _fail(str(refused), 1)
    except (OptionRefused, TrafficInvalid) as refused:
        _fail(str(refused))
    except CapacityUnknown as unknown:
        _fail(f"{unknown}: give --task-capacity")
    except OSError as error:
        _fail(f"{trace}: cannot be read: {error.strerror}")
    controllers: list[Controller] = [FastScaler(chosen), *(CONTENDERS[name]() for name in names)]
    runs = _runs(traffic, controllers, asked.settings, seed)
    _draw(runs, chart, f"{chosen.key} on {trace.name}")
    size = TaskSize(vcpu, memory)
    rows = [dict(score(run, size=size)) for run in runs]
    for row, run in zip(rows, runs, strict=True):
        row["usd_a_month"] = round(usd_a_month(float(row["cost_usd"] or 0), run), 2)
    said = advice(runs[0], runs[1:], size)
    if as_json:
        found = {"service": chosen.key, "trace": str(trace), "seconds": len(traffic.load), "controllers": rows}
        typer.echo(json.dumps({**found, "advice": said, "assumed": asked.assumed, "chart": str(chart)}, indent=2))
    else:
        _print(chosen.key, traffic, rows, said, asked.assumed, chart)


def _names(typed: str, known: Sequence[str]) -> list[str]:
    if typed == "all":
        return list(known)
    names = [name.strip() for name in typed.split(",") if name.strip()]
    for name in names:
        if name not in known:
            _fail(f"--compare {name}: must be one of {', '.join(known)}, or all")
    return list(dict.fromkeys(names))


def _runs(traffic: "Trace", controllers: Sequence["Controller"], settings: "Settings", seed: int) -> "list[Run]":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from simulator.simulate import simulate as run_of

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    # In a log a bar is noise, and a short run is over before it could be read.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("simulating", total=len(controllers) * len(traffic.load))
        runs = []
        for number, controller in enumerate(controllers):
            done = number * len(traffic.load)
            progress.update(bar, description=controller.name, completed=done)

            def told(second: int, done: int = done) -> None:
                progress.update(bar, completed=done + second)

            runs.append(run_of(traffic, controller, settings, seed, told))
    return runs


def _draw(runs: "Sequence[Run]", chart: Path, title: str) -> None:
    from simulator.chart import draw

    if chart.suffix.lower() != ".png":
        _fail(f"--chart {chart}: must end in .png")
    try:
        draw(runs, chart, title)
    except OSError as error:
        _fail(f"--chart {chart}: cannot be written: {error.strerror}")


def _print(
    key: str,
    traffic: "Trace",
    rows: Sequence[dict[str, str | int | float | None]],
    said: Sequence[str],
    assumed: Sequence[str],
    chart: Path,
) -> None:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    mean, most = sum(traffic.load) / len(traffic.load), max(traffic.load)
    minutes = len(traffic.load) / 60
    length = f"{minutes / 60:.1f} hours" if minutes >= 120 else f"{minutes:.0f} minutes"
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in ("late", "lost", "task-hours", "peak", "calls", "USD/month"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        late, lost, hours = (float(row[name] or 0) for name in ("late_percent", "lost_percent", "task_hours"))
        usd = float(row["usd_a_month"] or 0)
        cells = (f"{late:.2f}%", f"{lost:.2f}%", f"{hours:,.1f}", str(row["peak_desired"]), str(row["calls"]))
        table.add_row(str(row["controller"]), *cells, f"{usd:,.0f}")
    lines: list[RenderableType] = [
        Text.assemble((f"{key}: ", ""), (f"{length}, {mean:,.0f} requests/s on average, {most:,.0f} at most", "bold")),
        "",
        table,
        "",
        _listed(said),
        "",
        Text("assumed", style="bold"),
        _listed(assumed),
        "",
        Text(f"chart: {chart}"),
    ]
    show(*lines)


def _listed(sentences: Sequence[str]) -> "Table":
    from rich.table import Table

    listed = Table.grid(padding=(0, 1))
    for sentence in sentences:
        listed.add_row("-", sentence)
    return listed


def _fail(line: str, code: int = 2) -> NoReturn:
    typer.echo(f"fastscaler simulate: {one_line(line)}", err=True)
    raise typer.Exit(code) from None
