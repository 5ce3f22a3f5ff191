"""One line for whoever typed a command that AWS did not answer."""

from collections.abc import Mapping
from typing import NoReturn

import typer

from fastscaler.errors import AccessDenied, AwsError, NotFound, Throttled, Unavailable

# Error codes of credentials that AWS knows and does not take; the codes of a missing permission are others.
NOT_VALID = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"}
NOT_VALID |= {"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"}
NOT_VALID |= {"UnrecognizedClientException", "MissingAuthenticationToken"}


# botocore's own errors of a sign-in that has ended, or was never made.
SIGN_IN = {"CredentialRetrievalError", "LoginRefreshRequired", "LoginTokenLoadError", "SSOTokenLoadError"}
SIGN_IN |= {"TokenRetrievalError", "UnauthorizedSSOTokenError", "NoAuthTokenError"}
OF_A_SERVICE = "--cluster, --service and --region"


def what_to_do(error: AwsError, cluster: str, permissions: Mapping[str, str], look_at: str = OF_A_SERVICE) -> str:
    """What is wrong, and what to do about it; `permissions` has the permission that each operation needs.

    `look_at` are the options that name what may not have been found; `cluster` is empty where no option names it.
    """
    if error.code == "NoRegionError":
        return "no AWS Region is known: give --region"
    if error.code == "ProfileNotFound":
        return f"{error.message}: give another --profile"
    if error.code == "InvalidRegionError":
        return f"{error.message}: give another --region"
    if error.code in ("NoCredentials", "PartialCredentialsError"):
        return "no AWS credentials were found: sign in, or give --profile"
    if error.code in NOT_VALID | SIGN_IN:
        return f"AWS does not take the credentials ({error.code}): sign in again, or give another --profile"
    if error.code == "FailedResourceAccessException":  # Application Auto Scaling reads the alarms as the caller.
        return "reading the policies' alarms is not allowed: permit cloudwatch:DescribeAlarms"
    if isinstance(error, AccessDenied):
        return f"{error.operation} is not allowed: permit {permissions.get(error.operation, error.operation)}"
    if cluster and error.code == "ClusterNotFoundException":
        return f"there is no cluster {cluster}: look at --cluster and --region"
    if isinstance(error, NotFound):
        return f"{error.message or error}: look at {look_at}"
    if isinstance(error, Throttled):
        return f"AWS asks for fewer calls ({error.operation}): try again in a minute"
    if isinstance(error, Unavailable):
        return f"no usable answer of AWS ({error}): look at --region and the network, and try again"
    return f"AWS refused the request ({error})"


def fail(line: str, code: int) -> NoReturn:
    """Ends the command with one line on standard error."""
    typer.echo("fastscaler: " + " ".join(line.split()), err=True)
    raise typer.Exit(code) from None
