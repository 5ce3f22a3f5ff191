"""`fastscaler explain`: what would be decided, and why, without AWS."""

import json
from collections.abc import Container
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fastscaler.cli.console import show
from fastscaler.cli.read_document import read_document
from fastscaler.cli.situation_options import OptionRefused, Typed, chosen_service, situation_of, time_of
from fastscaler.clock import SystemClock
from fastscaler.explain import Explanation
from fastscaler.explain import explain as explain_situation
from fastscaler.one_line import one_line
from fastscaler.scaling.policy import Service


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Policy document, YAML or JSON.")],
    service: Annotated[
        str | None, typer.Option(metavar="SERVICE", help="cluster/service, or its name alone. Default: the only one.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="What a metric of the document shows; repeatable. With PerTask the average of one task, else the "
            "metric's own value (with DivideByTasks that of the whole service). KEY=missing: no data for longer than "
            "StaleAfter. Policies of a metric that is not given have no say.",
        ),
    ] = None,
    desired: Annotated[str | None, typer.Option(metavar="TASKS", help="Desired count. Default: MinCapacity.")] = None,
    running: Annotated[str | None, typer.Option(metavar="TASKS", help="Running tasks. Default: --desired.")] = None,
    pending: Annotated[
        str | None, typer.Option(metavar="TASKS", help="Tasks that are starting. Default: all that do not run yet.")
    ] = None,
    deployment_in_progress: Annotated[
        bool, typer.Option("--deployment-in-progress", help="A deployment is in progress.")
    ] = False,
    last_scale_out: Annotated[
        str | None,
        typer.Option(metavar="SECONDS_AGO:CHANGE", help="The last scale-out, such as 60:+4. Default: long ago."),
    ] = None,
    last_scale_in: Annotated[
        str | None,
        typer.Option(metavar="SECONDS_AGO:CHANGE", help="The last scale-in, such as 60:-2. Default: long ago."),
    ] = None,
    load_balancer: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Requests per second that the load balancer counts. Default: as the request metric says.",
        ),
    ] = None,
    floor: Annotated[str | None, typer.Option(metavar="TASKS", help="A pre-warm floor that holds.")] = None,
    pause: Annotated[
        list[str] | None, typer.Option(metavar="DIRECTION", help="ScaleOut or ScaleIn is paused; repeatable.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it is decided: ISO 8601, or HH:MM of today. Default: now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain what would be decided in a situation, and why. Asks no AWS.

    What is not given is a calm service in steady state: it has looked like this for long, nothing was changed lately.
    Exits with 1 if the document is invalid, 2 if an option is.
    """
    document = read_document(file, problems_to_stderr=as_json)
    try:
        chosen = chosen_service(document, service)
        typed = Typed(
            metrics=metric or (),
            desired=desired,
            running=running,
            pending=pending,
            deployment_in_progress=deployment_in_progress,
            load_balancer=load_balancer,
            floor=floor,
            pauses=pause or (),
            last_scale_out=last_scale_out,
            last_scale_in=last_scale_in,
        )
        situation, now = situation_of(chosen, typed), time_of(at, SystemClock().now())
    except OptionRefused as refused:
        typer.echo(f"fastscaler explain: {one_line(refused)}", err=True)
        raise typer.Exit(2) from None
    explanation = explain_situation(chosen, situation, now)
    observes = document.observes(chosen)
    if as_json:
        typer.echo(json.dumps(_as_data(chosen, explanation, observes, now, situation.metrics), indent=2))
    else:
        _print(chosen, explanation, observes)


def _as_data(
    service: Service, explanation: Explanation, observes: bool, now: float, asked: Container[str]
) -> dict[str, Any]:
    decision = explanation.decision
    return {
        "service": service.key,
        "at": datetime.fromtimestamp(now, UTC).isoformat(),
        "mode": "observe" if observes else "active",
        "current": decision.current,
        "desired": decision.desired,
        "recommended": decision.recommended,
        "reason": decision.reason,
        "cause": decision.cause,
        "trail": [asdict(step) for step in decision.trail],
        "load": {key: load.shown for key, load in decision.loads.items() if key in asked},
        "assumed": explanation.assumed,
    }


def _print(service: Service, explanation: Explanation, observes: bool) -> None:
    decision = explanation.decision
    changed = decision.desired != decision.current
    count = f"{decision.current} -> {decision.desired} tasks" if changed else f"{decision.current} tasks, no change"
    lines: list[RenderableType] = [Text.assemble(f"{service.key}: ", (count, "bold")), Text(decision.reason)]
    if observes:
        lines.append("Mode is observe: this would be reported, and nothing called.")
    if decision.trail:
        lines += ["", _trail(explanation)]
    if explanation.assumed:
        lines += ["", "assumed", *(Padding(Text(line), (0, 0, 0, 2)) for line in explanation.assumed)]
    show(*lines)


def _trail(explanation: Explanation) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("stage", overflow="fold")
    table.add_column("tasks", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for number, step in enumerate(explanation.decision.trail):
        # The recommendation bears the name of the policy that asks for most, which has a row of its own already.
        repeated = number >= len(explanation.policies) and step.stage in explanation.policies
        table.add_row(Text("recommended" if repeated else step.stage), str(step.desired), Text(step.detail))
    return table
