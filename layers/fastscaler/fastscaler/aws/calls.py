"""What every call to AWS has in common: time-outs, retries, and the translation of its errors by error code."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError
from botocore.parsers import ResponseParserError

from fastscaler.errors import AccessDenied, AwsError, NotFound, Rejected, Throttled, Unavailable

MODIFY_BURST = 50  # ECS: service modifications at once; 5 a second after that.
# A read must fit into the tick that needs it: two attempts, and a tick that overruns skips to the next boundary. Not
# "adaptive": its rate limiter makes calls wait without a bound. Ten throttled ones of the thirty calls that describe
# 300 services made a look of 9 s against 1 s, and lost twice as many answers.
READ = Config(
    connect_timeout=1, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=16
)
# What is only a record must not hold a look up.
BRIEF = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 1})
# A write is decided once and called once: no retry behind the loop's back.
WRITE = Config(
    connect_timeout=3,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=MODIFY_BURST,
)
PARALLEL_CALLS = 8

Item = TypeVar("Item")
Result = TypeVar("Result")

_THROTTLED = {
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
}
_NOT_FOUND = {
    "ClusterNotFoundException",
    "ResourceNotFoundException",
    "ServiceNotActiveException",
    "ServiceNotFoundException",
    "TargetGroupNotFound",
    "TargetGroupNotFoundException",
}


@contextmanager
def calling(operation: str) -> Iterator[None]:
    """Raises what the enclosed call to `operation` raises as one of this project's errors."""
    try:
        yield
    except ClientError as error:
        raise translate(operation, error) from error
    except NoCredentialsError as error:
        raise AccessDenied(operation, "NoCredentials", "no AWS credentials were found") from error
    except ParamValidationError as error:
        raise Rejected(operation, "ParamValidation", str(error)) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise Unavailable(operation, type(error).__name__, str(error)) from error


def translate(operation: str, error: ClientError) -> AwsError:
    """The project's error for an answer of AWS, chosen by error code and HTTP status, never by message text."""
    detail: Mapping[str, Any] = error.response.get("Error", {})
    code, message = str(detail.get("Code", "Unknown")), str(detail.get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(operation, code, message)
    if code in _DENIED or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return AccessDenied(operation, code, message)
    if code in _NOT_FOUND:
        return NotFound(operation, code, message)
    return Unavailable(operation, code, message) if status >= 500 else Rejected(operation, code, message)


def in_parallel(call: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`call` for every item, a few at a time; the results in order."""
    if len(items) < 2:
        return [call(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(PARALLEL_CALLS, len(items))) as pool:
        return list(pool.map(call, items))
