"""`fastscaler record`: the traffic of a service, from what its load balancer has counted, for `fastscaler simulate`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastscaler.cli.failure import fail, what_to_do
from fastscaler.cli.new_file import ClusterName, EcsServiceName, Force, Output, check, write
from fastscaler.cli.read_document import read_document
from fastscaler.cli.stack_options import Profile, Region
from fastscaler.clock import SystemClock
from fastscaler.errors import AwsError
from fastscaler.one_line import one_line

if TYPE_CHECKING:
    from fastscaler.aws.request_counts import RequestCounts, Source

MINUTE = 60
LONGEST = 15 * 24  # Hours. CloudWatch keeps datapoints of 60 s for 15 days.
# Minutes that are left out at the end: the newest is never complete, and the one before may still grow.
INCOMPLETE = 2


def record(
    cluster: ClusterName,
    service: EcsServiceName,
    hours: Annotated[int, typer.Option(help="How far back; CloudWatch has minutes for 15 days, 360 hours.")] = 24,
    policies: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Policy document whose LoadBalancer to take; default: ask ECS for it."),
    ] = None,
    output: Output = None,
    force: Force = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Record the traffic of a service as CSV, minute by minute, from its load balancer's request count.

    A minute for which the load balancer reports nothing had no requests, and is written as 0. Nothing in AWS is
    changed. Exits with 1 if there is nothing to record or AWS cannot be read, 2 if an option is wrong or the file
    cannot be written.
    """
    check(cluster, service, output, force=force)
    if not 1 <= hours <= LONGEST:
        fail(f"--hours {hours}: must be from 1 to {LONGEST}", 2)
    counted = _counted(cluster, service, hours, policies, region, profile)
    if not counted:
        fail(f"{cluster}/{service}: its load balancer has counted no request in {hours} hours: try more --hours", 1)
    first, last = min(counted), max(counted)
    where = write(as_csv(counted), output)
    minutes = int(last - first) // MINUTE + 1
    typer.echo(f"fastscaler: {where}{minutes} minutes from {_time(first)} to {_time(last)} UTC", err=True)


def as_csv(counted: Mapping[float, float]) -> str:
    """Rows of minute,requests, from the first minute that was counted to the last; 0 where nothing was."""
    first, last = min(counted), max(counted)
    minutes = range(int(last - first) // MINUTE + 1)
    rows = (f"{minute},{counted.get(first + minute * MINUTE, 0.0):.0f}" for minute in minutes)
    return "\n".join(["minute,requests", *rows]) + "\n"


def _counted(
    cluster: str, service: str, hours: int, policies: Path | None, region: str | None, profile: str | None
) -> Mapping[float, float]:
    """Requests by the start of each minute (epoch seconds)."""
    from fastscaler.aws.request_counts import PERMISSIONS, RequestCounts

    end = SystemClock().now() // MINUTE * MINUTE - INCOMPLETE * MINUTE
    try:
        reader = RequestCounts.connect(region, profile)
        sources = _sources(reader, cluster, service) if policies is None else [_stated(policies, cluster, service)]
        return reader.read(sources, end - hours * 60 * MINUTE, end)
    except AwsError as error:
        fail(f"{cluster}/{service}: {what_to_do(error, cluster, PERMISSIONS)}", 1)


def _sources(reader: "RequestCounts", cluster: str, service: str) -> "list[Source]":
    found = reader.sources(cluster, service)
    if not found:
        fail(f"{cluster}/{service}: no Application Load Balancer sends it requests, so none are counted", 1)
    return found


def _stated(policies: Path, cluster: str, service: str) -> "Source":
    from fastscaler.aws.request_counts import Source

    found = read_document(policies).service(f"{cluster}/{service}")
    if found is None:
        fail(f"{one_line(policies)}: no service {cluster}/{service}: look at --cluster and --service", 2)
    if found.load_balancer is None:
        fail(f"{one_line(policies)}: {cluster}/{service} has no LoadBalancer: leave out --policies", 2)
    return Source.of(found.load_balancer)


def _time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M")
