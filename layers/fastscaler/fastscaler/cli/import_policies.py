"""`fastscaler import`: the policy document for a service that Application Auto Scaling scales today."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fastscaler.clock import SystemClock
from fastscaler.errors import AccessDenied, AwsError, NotFound, Throttled, Unavailable
from fastscaler.migration.translate import Imported, NothingToImport, translate
from fastscaler.one_line import one_line

# Error codes of credentials that AWS knows and does not take; the codes of a missing permission are others.
NOT_VALID = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"}
NOT_VALID |= {"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"}
NOT_VALID |= {"UnrecognizedClientException", "MissingAuthenticationToken"}


def import_policies(
    cluster: Annotated[str, typer.Option(help="Name of the ECS cluster.")],
    service: Annotated[str, typer.Option(help="Name of the ECS service.")],
    output: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    region: Annotated[str | None, typer.Option(help="AWS Region; default: as configured.")] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile; default: as configured.")] = None,
) -> None:
    """Write the policy document for a service that Application Auto Scaling scales today.

    Comments in it say what differs and what cannot be carried over. Nothing in AWS is changed. Exits with 1 if there
    is nothing to import or AWS cannot be read, 2 if an option is wrong or the file cannot be written.
    """
    for option, name in (("--cluster", cluster), ("--service", service)):
        if not re.fullmatch("[A-Za-z0-9_-]{1,255}", name):
            _fail(
                f"{option} {one_line(name)}: must be the name, not the ARN: letters, digits, hyphens or underscores", 2
            )
    if output is not None and output.exists() and not force:
        _fail(f"{one_line(output)} is there already: --force overwrites it", 2)
    imported = _import(cluster, service, region, profile)
    if output is None:
        typer.echo(imported.text, nl=False)
    else:
        try:
            output.write_text(imported.text, encoding="utf-8")
        except OSError as error:
            _fail(f"{one_line(output)}: cannot be written: {error.strerror}", 2)
    count = imported.differences
    needs = "1 thing needs" if count == 1 else f"{count or 'no'} things need"
    where = f"{output}: " if output is not None else ""
    typer.echo(f"fastscaler: {where}{needs} your attention" + (": see the comments" if count else ""), err=True)


def _import(cluster: str, service: str, region: str | None, profile: str | None) -> Imported:
    from fastscaler.aws.existing_scaling import ScalingReader

    try:
        existing = ScalingReader.connect(region, profile).read(cluster, service)
        return translate(existing, datetime.fromtimestamp(SystemClock().now(), UTC), profile)
    except AwsError as error:
        _fail(f"{cluster}/{service}: {_what_to_do(error, cluster)}", 1)
    except NothingToImport as error:
        _fail(str(error), 1)


def _what_to_do(error: AwsError, cluster: str) -> str:
    """One line: what is wrong, and what to do about it."""
    from fastscaler.aws.existing_scaling import PERMISSIONS

    if error.code == "NoRegionError":
        return "no AWS Region is known: give --region"
    if error.code == "ProfileNotFound":
        return f"{error.message}: give another --profile"
    if error.code == "NoCredentials":
        return "no AWS credentials were found: sign in, or give --profile"
    if error.code in NOT_VALID:
        return f"AWS does not take the credentials ({error.code}): sign in again, or give another --profile"
    if error.code == "FailedResourceAccessException":  # Application Auto Scaling reads the alarms as the caller.
        return "reading the policies' alarms is not allowed: permit cloudwatch:DescribeAlarms"
    if isinstance(error, AccessDenied):
        return f"{error.operation} is not allowed: permit {PERMISSIONS.get(error.operation, error.operation)}"
    if error.code == "ClusterNotFoundException":
        return f"there is no cluster {cluster}: look at --cluster and --region"
    if isinstance(error, NotFound):
        return f"{error.message}: look at --cluster, --service and --region"
    if isinstance(error, Throttled):
        return f"AWS asks for fewer calls ({error.operation}): try again in a minute"
    if isinstance(error, Unavailable):
        return f"no usable answer of AWS ({error}): look at --region and the network, and try again"
    return f"AWS refused the request ({error})"


def _fail(line: str, code: int) -> NoReturn:
    typer.echo("fastscaler: " + " ".join(line.split()), err=True)
    raise typer.Exit(code) from None
