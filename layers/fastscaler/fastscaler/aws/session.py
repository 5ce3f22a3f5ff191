"""How a command reaches AWS from somebody's machine: credentials, clients, and what is wrong with their settings.

Credentials are fetched at once, so that an expired sign-in or a broken file is found before the first call.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from fastscaler.aws.calls import READ, translate
from fastscaler.errors import AccessDenied, Misconfigured, Unavailable

if TYPE_CHECKING:
    from boto3.session import Session

CONNECT = "connect"


def open_session(region: str | None, profile: str | None) -> "Session":
    """A session with credentials; None: as configured. Raises AwsError."""
    import boto3

    with _connecting():
        session = boto3.session.Session(region_name=region, profile_name=profile)
        credentials = session.get_credentials()
        if credentials is None:
            raise AccessDenied(CONNECT, "NoCredentials", "no AWS credentials were found")
        credentials.get_frozen_credentials()
    return session


def make_client(session: "Session", service: str, config: Config = READ) -> Any:
    """A client of `session`, which has not called AWS yet. Raises AwsError."""
    make: Any = session.client
    with _connecting():
        return make(service, config=config)


@contextmanager
def _connecting() -> Iterator[None]:
    """Raises what goes wrong before AWS is asked for anything but credentials as one of this project's errors."""
    try:
        yield
    except ClientError as error:
        raise translate(error.operation_name, error) from error
    except (ConnectionError, HTTPClientError) as error:
        raise Unavailable(CONNECT, type(error).__name__, str(error)) from error
    except BotoCoreError as error:
        raise Misconfigured(CONNECT, type(error).__name__, str(error)) from error
    except ValueError as error:  # botocore's for an endpoint that is no URL.
        endpoints = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL")]
        named = f"{error} ({', '.join(sorted(endpoints))})" if endpoints else str(error)
        raise Misconfigured(CONNECT, type(error).__name__, named) from error
    except OSError as error:  # A file that the configuration names, such as credential_process.
        raise Misconfigured(CONNECT, type(error).__name__, f"{error.filename}: {error.strerror}") from error
