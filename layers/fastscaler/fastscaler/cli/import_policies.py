"""`fastscaler import`: the policy document for a service that Application Auto Scaling scales today."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from fastscaler.cli.failure import fail, what_to_do
from fastscaler.cli.stack_options import Profile, Region
from fastscaler.clock import SystemClock
from fastscaler.errors import AwsError
from fastscaler.migration.translate import Imported, NothingToImport, translate
from fastscaler.one_line import one_line


def import_policies(
    cluster: Annotated[str, typer.Option(help="Name of the ECS cluster.")],
    service: Annotated[str, typer.Option(help="Name of the ECS service.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Write the policy document for a service that Application Auto Scaling scales today.

    Comments in it say what differs and what cannot be carried over. Nothing in AWS is changed. Exits with 1 if there
    is nothing to import or AWS cannot be read, 2 if an option is wrong or the file cannot be written.
    """
    for option, name in (("--cluster", cluster), ("--service", service)):
        if not re.fullmatch("[A-Za-z0-9_-]{1,255}", name):
            fail(
                f"{option} {one_line(name)}: must be the name, not the ARN: letters, digits, hyphens or underscores", 2
            )
    if output is not None and output.exists() and not force:
        fail(f"{one_line(output)} is there already: --force overwrites it", 2)
    imported = _import(cluster, service, region, profile)
    if output is None:
        typer.echo(imported.text, nl=False)
    else:
        try:
            output.write_text(imported.text, encoding="utf-8")
        except OSError as error:
            fail(f"{one_line(output)}: cannot be written: {error.strerror}", 2)
    count = imported.differences
    needs = "1 thing needs" if count == 1 else f"{count or 'no'} things need"
    where = f"{output}: " if output is not None else ""
    typer.echo(f"fastscaler: {where}{needs} your attention" + (": see the comments" if count else ""), err=True)


def _import(cluster: str, service: str, region: str | None, profile: str | None) -> Imported:
    from fastscaler.aws.existing_scaling import PERMISSIONS, ScalingReader

    try:
        existing = ScalingReader.connect(region, profile).read(cluster, service)
        return translate(existing, datetime.fromtimestamp(SystemClock().now(), UTC), profile)
    except AwsError as error:
        fail(f"{cluster}/{service}: {what_to_do(error, cluster, PERMISSIONS)}", 1)
    except NothingToImport as error:
        fail(str(error), 1)
