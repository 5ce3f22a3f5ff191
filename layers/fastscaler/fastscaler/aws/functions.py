"""Invokes the stack's functions and waits for their answers."""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from fastscaler.aws.calls import calling
from fastscaler.errors import AnswerLost, FunctionFailed, Throttled, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# A function runs for up to 900 s, and asked twice it would run twice: one attempt. Kept alive, since networks cut
# connections on which nothing moves for minutes.
INVOKE = Config(
    connect_timeout=5, read_timeout=920, retries={"mode": "standard", "total_max_attempts": 1}, tcp_keepalive=True
)
ATTEMPTS = 5  # Of an invocation that Lambda refused: at a hand-over two run already, which may be all that is reserved.
PAUSE = 1.0  # Seconds between two attempts.
# botocore's errors of a request that never left.
NOT_SENT = {"ConnectTimeoutError", "EndpointConnectionError", "EndpointProviderError"}
NOT_SENT |= {"ProxyConnectionError", "SSLError"}


class Functions:
    """Lambda's functions, by name."""

    def __init__(self, client: "LambdaClient", sleep: Callable[[float], None] = time.sleep) -> None:
        self._client, self._sleep = client, sleep

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """What the function answers.

        Raises FunctionFailed with its own error, AnswerLost where it may run, and another AwsError where it did not.
        """
        payload = json.dumps(event).encode()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with calling("Invoke"):
                    response = self._client.invoke(FunctionName=function, Payload=payload)
                    answer = json.loads(response["Payload"].read())
                break
            except Throttled:
                if attempt == ATTEMPTS:
                    raise
                self._sleep(PAUSE)
            except Unavailable as error:
                if error.code in NOT_SENT:
                    raise
                raise AnswerLost(error.operation, error.code, error.message) from error
        if "FunctionError" in response:
            raise FunctionFailed(str(answer.get("errorType", "Error")), str(answer.get("errorMessage", "")))
        return answer

    def start(self, function: str, event: Mapping[str, Any]) -> None:
        """Has the function run without waiting for it. Raises AwsError."""
        with calling("Invoke"):
            self._client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode())

    def environment(self, function: str) -> Mapping[str, str]:
        """The function's environment variables. Raises AwsError."""
        with calling("GetFunctionConfiguration"):
            found = self._client.get_function_configuration(FunctionName=function)
        return found.get("Environment", {}).get("Variables", {})
