"""`fastscaler pause`, `resume` and `prewarm`: directives, sent to the deployed scaler, which checks and stores them.

There is one way in: the same function that takes schedules. So what may be asked is written down once, a refusal is the
same wherever it comes from, and whoever sends one needs no access to the table.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastscaler.cli.console import say
from fastscaler.cli.directive_lines import told
from fastscaler.cli.failure import fail
from fastscaler.cli.service_option import ServiceName, keys_of
from fastscaler.cli.situation_options import MOST_NAMES
from fastscaler.cli.stack_options import AsJson, Profile, Region, StackName, deployed_stack, refusal, why
from fastscaler.clock import SystemClock
from fastscaler.directives import DIRECTIONS
from fastscaler.errors import AnswerLost, FunctionFailed, Throttled, Unavailable
from fastscaler.ports import Clock

if TYPE_CHECKING:
    from fastscaler.aws.deployed import Deployed

Event = dict[str, Any]
All = Annotated[bool, typer.Option("--all", help="All services of the stack.")]
Direction = Annotated[
    str, typer.Option("--direction", metavar="|".join([*DIRECTIONS, "Both"]), help="The way that is meant.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown by status and in the log.")]


def pause(
    stack: StackName,
    service: ServiceName = None,
    all_services: All = False,
    direction: Direction = "Both",
    minutes: Annotated[
        int | None, typer.Option(metavar="MINUTES", help="For how long; default: until it is resumed.")
    ] = None,
    reason: Reason = "",
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Stop scaling a service, or all of them; the loop obeys at its next look.

    Exits with 1 if it was not done or the stack cannot be reached, 2 if an option is wrong.
    """
    event: Event = {"Directive": "pause", "Direction": direction, "Reason": reason}
    if minutes is not None:
        event["DurationMinutes"] = minutes
    with deployed_stack(stack, region, profile) as deployed:
        send(deployed, keys_of(deployed, service, every=all_services), event, SystemClock(), as_json=as_json)


def resume(
    stack: StackName,
    service: ServiceName = None,
    all_services: All = False,
    direction: Direction = "Both",
    reason: Reason = "",
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """End a pause of a service, or of all.

    Exits with 1 if it was not done or the stack cannot be reached, 2 if an option is wrong.
    """
    event: Event = {"Directive": "resume", "Direction": direction, "Reason": reason}
    with deployed_stack(stack, region, profile) as deployed:
        send(deployed, keys_of(deployed, service, every=all_services), event, SystemClock(), as_json=as_json)


def prewarm(
    stack: StackName,
    service: ServiceName = None,
    min_capacity: Annotated[
        int | None, typer.Option("--min-capacity", metavar="TASKS", help="Tasks to have at least.")
    ] = None,
    minutes: Annotated[int | None, typer.Option(metavar="MINUTES", help="For how long.")] = None,
    owner: Annotated[
        str, typer.Option(metavar="NAME", help="Whose floor it is; the same owner replaces its own.")
    ] = "operator",
    release: Annotated[bool, typer.Option("--release", help="End the owner's floor.")] = False,
    reason: Reason = "",
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Raise the floor of a service for a while, or release it.

    After its end the count goes down by the normal rules.
    Exits with 1 if it was not done or the stack cannot be reached, 2 if an option is wrong.
    """
    given = min_capacity is not None or minutes is not None
    if release and given:
        fail("--release ends a floor: it takes neither --min-capacity nor --minutes", 2)
    if not release and (min_capacity is None or minutes is None):
        fail("--min-capacity and --minutes are needed, or --release", 2)
    event: Event = {"Directive": "prewarm", "Owner": owner, "Reason": reason}
    # Whatever MinCapacity says, 0 minutes release the floor.
    event |= {"MinCapacity": 1 if release else min_capacity, "DurationMinutes": 0 if release else minutes}
    with deployed_stack(stack, region, profile) as deployed:
        send(deployed, keys_of(deployed, service, every=False), event, SystemClock(), as_json=as_json)


def send(deployed: "Deployed", keys: Sequence[str], event: Event, clock: Clock, *, as_json: bool) -> None:
    """Sends the directive for each service, and tells what stands now. Raises AwsError, FunctionFailed.

    A service for which it fails leaves the others alone. What was not done is told at the end, with exit code 1.
    """
    found: dict[str, list[Any]] = {"stored": [], "holds": [], "warnings": []}
    missed: dict[str, list[str]] = {}
    undone: list[str] = []
    scaler = deployed.scaler
    for key in keys:
        cluster, _, service = key.partition("/")
        try:
            answer = deployed.functions.invoke(scaler, {**event, "Cluster": cluster, "Service": service})
        except AnswerLost as error:
            lost = f"it is not known whether it was stored ({error.code}): send it again"
            missed.setdefault(lost, []).append(key)
            continue
        except (Throttled, Unavailable) as error:
            missed.setdefault(f"nothing was stored: {why(error)}", []).append(key)
            continue
        except FunctionFailed as error:
            if len(keys) == 1:
                raise
            failed = refusal(error) or f"the function failed ({error}): sam logs shows its log"
            missed.setdefault(failed, []).append(key)
            continue
        said = told(event, answer, deployed.name, clock.now())
        undone += said.undone
        found["stored"] += answer["stored"]
        found["holds"] += answer["holds"]
        found["warnings"] += said.warnings
        if not as_json:
            for line in [*said.done, *said.warnings]:
                say(line)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    undone += [f"{_listed(them)}: {what}" for what, them in missed.items()]
    if undone:
        fail("; ".join(undone), 1)


def _listed(keys: Sequence[str]) -> str:
    """The services; how many more where there are too many for a line."""
    more = len(keys) - MOST_NAMES
    return ", ".join(keys[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
