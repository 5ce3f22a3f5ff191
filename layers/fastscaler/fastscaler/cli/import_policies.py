"""`fastscaler import`: the policy document for a service that Application Auto Scaling scales today."""

from datetime import UTC, datetime

import typer

from fastscaler.cli.failure import fail, what_to_do
from fastscaler.cli.new_file import ClusterName, EcsServiceName, Force, Output, check, write
from fastscaler.cli.stack_options import Profile, Region
from fastscaler.clock import SystemClock
from fastscaler.errors import AwsError
from fastscaler.migration.translate import Imported, NothingToImport, translate


def import_policies(
    cluster: ClusterName,
    service: EcsServiceName,
    output: Output = None,
    force: Force = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Write the policy document for a service that Application Auto Scaling scales today.

    Comments in it say what differs and what cannot be carried over. Nothing in AWS is changed. Exits with 1 if there
    is nothing to import or AWS cannot be read, 2 if an option is wrong or the file cannot be written.
    """
    check(cluster, service, output, force=force)
    imported = _import(cluster, service, region, profile)
    where = write(imported.text, output)
    count = imported.differences
    needs = "1 thing needs" if count == 1 else f"{count or 'no'} things need"
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
