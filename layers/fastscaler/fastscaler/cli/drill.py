"""`fastscaler drill`: made-up load on a deployed stack, and how long each stage of the answer takes."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastscaler.cli.console import say
from fastscaler.cli.drill_chart import draw
from fastscaler.cli.drill_report import as_data, passed, plan_lines, report_lines, warning
from fastscaler.cli.failure import fail
from fastscaler.cli.service_option import ServiceName, the_service
from fastscaler.cli.stack_options import AsJson, Region, StackName, deployed_stack
from fastscaler.clock import SystemClock
from fastscaler.drill.outcome import Outcome
from fastscaler.drill.plan import PROFILES, DrillRefused, Plan, make_plan, rest_seconds
from fastscaler.drill.run import Drill, refuse_if_published
from fastscaler.drill.world import World
from fastscaler.scaling.policy import Service
from fastscaler.status_reader import running_document

if TYPE_CHECKING:
    from fastscaler.aws.deployed import Deployed

INTERRUPTED = 130  # The exit code of a program that Ctrl-C has ended.


def drill(
    stack: StackName,
    service: ServiceName = None,
    load: Annotated[str, typer.Option("--profile", metavar="|".join(PROFILES), help="Shape of the surge.")] = "spike",
    peak: Annotated[str, typer.Option(metavar="5x|RATE", help="The surge: times the base, or requests/s.")] = "5x",
    base: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Requests/s before it. Default: 60% of the threshold on the running tasks."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Publish what the service is scaled by: the loop moves it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a live drill.")] = False,
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the JSON and the chart are written.")] = Path(),
    region: Region = None,
    aws_profile: Annotated[
        str | None, typer.Option("--aws-profile", help="AWS profile; default: as configured.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a surge and tell how long each stage of the answer took.

    Without --live it moves no service and ends at the decision.
    Exits with 0 if the answer came within 10 s, else with 1; 2 if an option is wrong.
    """
    tell = partial(say, err=as_json)
    with deployed_stack(stack, region, aws_profile) as deployed:
        chosen = the_service(deployed, service)
        try:
            plan = plan_of(deployed, chosen, live=live, profile=load, peak=peak, base=base)
        except DrillRefused as refused:
            fail(str(refused), 2)
        for line in plan_lines(plan):
            tell(line)
        if live:
            _ask(plan, yes=yes)
        outcome = _run(Drill(plan, world_of(deployed, tell), partial(rest_seconds, chosen)))
    written = write(outcome, output)
    for line in report_lines(outcome):
        tell(line)
    for path in written:
        typer.echo(f"written: {path}", err=as_json)  # Not broken into lines: it is there to be copied.
    if as_json:
        typer.echo(json.dumps(as_data(outcome), indent=2))
    raise typer.Exit(0 if passed(outcome) else 1)


def plan_of(deployed: "Deployed", service: Service, *, live: bool, profile: str, peak: str, base: float | None) -> Plan:
    """The drill of a service as it is now. Raises DrillRefused, AwsError."""
    now = SystemClock().now()
    plan = make_plan(
        running_document(deployed),
        service,
        deployed.ecs.describe([service.key])[service.key],
        deployed.table.poll().directives,
        deployed.functions.environment(deployed.synthetic).get("METRIC_NAMESPACE", ""),
        now,
        live=live,
        profile=profile,
        peak=peak,
        base=base,
    )
    if live:
        refuse_if_published(deployed.metrics, plan, now)
    return plan


def world_of(deployed: "Deployed", say: Callable[[str], None]) -> World:
    """What a drill uses, of a deployed stack. Raises AwsError."""
    return World(
        functions=deployed.functions,
        scaler=deployed.scaler,
        synthetic=deployed.synthetic,
        metrics=deployed.metrics,
        ecs=deployed.ecs,
        log=deployed.log,
        table=deployed.table,
        clock=SystemClock(),
        say=say,
    )


def write(outcome: Outcome, folder: Path) -> list[Path]:
    """Writes the JSON, and the chart where there is something to draw. Ends the command if it cannot."""
    stamp = datetime.fromtimestamp(outcome.began, UTC).strftime("%Y%m%dT%H%M%SZ")
    name = folder / f"drill-{outcome.plan.service.replace('/', '-')}-{stamp}"
    data, chart = name.with_name(f"{name.name}.json"), name.with_name(f"{name.name}.png")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        data.write_text(json.dumps(as_data(outcome), indent=2) + "\n", encoding="utf-8")
        draw(outcome, chart)
    except OSError as error:
        fail(f"{error.filename}: cannot be written: {error.strerror}", 1)
    return [path for path in (data, chart) if path.exists()]


def _ask(plan: Plan, *, yes: bool) -> None:
    say(warning(plan), err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        fail("nobody is there to agree: --yes does", 2)
    if not typer.confirm("Go on?", err=True):
        fail("nothing was published", 1)


def _run(drill: Drill) -> Outcome:
    try:
        return drill.run()
    except KeyboardInterrupt:
        fail("stopped by Ctrl-C; no ledger is written", INTERRUPTED)
