"""One line for whoever typed a command that AWS did not answer."""

from collections.abc import Mapping
from typing import NoReturn

import typer

from fastscaler.cli.console import say
from fastscaler.errors import AccessDenied, AwsError, Misconfigured, NotFound, NotReady, Throttled, Unavailable

# Error codes of credentials that AWS knows and does not take; the codes of a missing permission are others.
NOT_VALID = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"}
NOT_VALID |= {"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"}
NOT_VALID |= {"UnrecognizedClientException", "MissingAuthenticationToken"}


# botocore's own errors of a sign-in that has ended, or was never made, and what signs in again.
SIGN_IN = {
    "CredentialRetrievalError": "sign in again",
    **dict.fromkeys(("LoginRefreshRequired", "LoginTokenLoadError"), "sign in again with aws login"),
    **dict.fromkeys(("SSOTokenLoadError", "TokenRetrievalError"), "sign in again with aws sso login"),
    **dict.fromkeys(("UnauthorizedSSOTokenError", "NoAuthTokenError"), "sign in again with aws sso login"),
}
# What to look at where AWS cannot be reached; the messages name the address.
NETWORK = "--region, AWS_ENDPOINT_URL if it is set, and the network"
LOOK_AT = {
    "ConnectTimeoutError": NETWORK,
    "EndpointConnectionError": NETWORK,
    "ProxyConnectionError": "HTTPS_PROXY and the network",
    "SSLError": "AWS_CA_BUNDLE, and what opens TLS connections on the way",
}
# Actions that are called otherwise than their operation, and those behind credentials.
NAMED = {"AssumeRole": "sts:AssumeRole", "AssumeRoleWithWebIdentity": "sts:AssumeRoleWithWebIdentity"}
OF_A_SERVICE = "--cluster, --service and --region"


def what_to_do(error: AwsError, cluster: str, permissions: Mapping[str, str], look_at: str = OF_A_SERVICE) -> str:
    """What is wrong, and what to do about it; `permissions` has the permission that each operation needs.

    `look_at` are the options that name what may not have been found; `cluster` is empty where no option names it. The
    AWS profile is --aws-profile, which all commands take: in drill, --profile is another thing.
    """
    message = error.message.strip().rstrip(".:")
    if error.code == "NoRegionError":
        return "no AWS Region is known: give --region"
    if error.code == "InvalidRegionError":
        return f"{message}: give another --region"
    if error.code == "ProfileNotFound":
        return f"{message}: give another --aws-profile"
    if error.code == "NoCredentials":
        return "no AWS credentials were found: sign in, or give an --aws-profile that has some"
    if error.code in SIGN_IN:
        return f"no AWS credentials could be had ({message}): {SIGN_IN[error.code]}, or give another --aws-profile"
    if error.code in NOT_VALID:
        return f"AWS does not take the credentials ({error.code}): sign in again, or give another --aws-profile"
    if error.code == "FailedResourceAccessException":  # Application Auto Scaling reads the alarms as the caller.
        return "reading the policies' alarms is not allowed: permit cloudwatch:DescribeAlarms"
    if isinstance(error, Misconfigured):
        return f"this machine's AWS settings cannot be used ({message}): correct them, or give another --aws-profile"
    if isinstance(error, NotReady):
        return error.message
    if isinstance(error, AccessDenied):
        needed = {**NAMED, **permissions}.get(error.operation, error.operation)
        said = f" ({message})" if message else ""
        return f"{error.operation} is not allowed{said}: permit {needed}"
    if cluster and error.code == "ClusterNotFoundException":
        return f"there is no cluster {cluster}: look at --cluster and --region"
    if isinstance(error, NotFound):
        return f"{message or error}: look at {look_at}"
    if isinstance(error, Throttled):
        return f"AWS asks for fewer calls ({error.operation}): try again in a minute"
    if error.code in LOOK_AT:
        return f"AWS cannot be reached: {message}: look at {LOOK_AT[error.code]}"
    if isinstance(error, Unavailable):
        return f"no usable answer of AWS ({error}): try again"
    return f"AWS refused the request ({error})"


def fail(line: str, code: int) -> NoReturn:
    """Ends the command with one line on standard error; on a terminal it is broken between words."""
    say("fastscaler: " + " ".join(line.split()), err=True)
    raise typer.Exit(code) from None
