"""The adapters of the operator's commands, through clients whose requests are checked against the service models."""

import io
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from fastscaler.aws.function_log import MAX_CHARACTERS, FunctionLog
from fastscaler.aws.functions import Functions
from fastscaler.errors import AccessDenied, AnswerLost, FunctionFailed, Throttled, Unavailable

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}


class Lambda:
    """Functions on a stubbed client, and the pauses between attempts."""

    def __init__(self) -> None:
        client = boto3.client("lambda", **KEYS)
        self.stub, self.pauses = Stubber(client), list[float]()
        self.stub.activate()
        self.functions = Functions(client, self.pauses.append)

    def answers(self, payload: object, **more: Any) -> None:
        text = json.dumps(payload).encode()
        self.stub.add_response("invoke", {"Payload": StreamingBody(io.BytesIO(text), len(text)), **more})

    def refuses(self, code: str, status: int) -> None:
        self.stub.add_client_error("invoke", code, http_status_code=status)


@pytest.fixture
def aws() -> Lambda:
    return Lambda()


def test_an_answer_is_returned(aws: Lambda) -> None:
    aws.answers({"stored": []})
    assert aws.functions.invoke("scaler", {"Directive": "pause"}) == {"stored": []}


def test_an_error_of_the_function_is_told_as_its_own(aws: Lambda) -> None:
    aws.answers({"errorType": "DirectiveRefused", "errorMessage": "event: Owner = ..."}, FunctionError="Unhandled")
    with pytest.raises(FunctionFailed) as failed:
        aws.functions.invoke("scaler", {})
    assert (failed.value.kind, failed.value.message) == ("DirectiveRefused", "event: Owner = ...")


def test_a_full_function_is_asked_again_until_the_hand_over_is_past(aws: Lambda) -> None:
    aws.refuses("TooManyRequestsException", 429)
    aws.refuses("TooManyRequestsException", 429)
    aws.answers({"stored": []})
    assert aws.functions.invoke("scaler", {}) == {"stored": []}
    assert aws.pauses == [1.0, 1.0]


def test_not_for_ever(aws: Lambda) -> None:
    for _ in range(5):
        aws.refuses("TooManyRequestsException", 429)
    with pytest.raises(Throttled):
        aws.functions.invoke("scaler", {})


def test_a_denied_call_is_not_repeated(aws: Lambda) -> None:
    aws.refuses("AccessDeniedException", 403)
    with pytest.raises(AccessDenied):
        aws.functions.invoke("scaler", {})


class Broken:
    """A connection on which the request fails."""

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0

    def invoke(self, **request: object) -> Any:
        self.calls += 1
        raise self.error


def test_a_connection_that_was_cut_off_leaves_it_open_whether_the_function_runs() -> None:
    client: Any = Broken(ConnectionClosedError(endpoint_url="https://lambda"))
    with pytest.raises(AnswerLost):
        Functions(client).invoke("scaler", {})
    assert client.calls == 1


def test_a_request_that_never_left_does_not() -> None:
    client: Any = Broken(EndpointConnectionError(endpoint_url="https://lambda"))
    with pytest.raises(Unavailable) as failed:
        Functions(client).invoke("scaler", {})
    assert not isinstance(failed.value, AnswerLost)


class Log:
    """A log group of which FilterLogEvents answers page by page, as it is asked to: newest first, or oldest first.

    Each of `pages`, oldest first, is a list of (milliseconds, message).
    """

    def __init__(self, *pages: list[tuple[int, str]]) -> None:
        self.pages, self.asked = pages, list[dict[str, Any]]()

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        token = int(request.get("nextToken", 0))
        page = self.pages[token if request.get("startFromHead", True) else -1 - token]
        events = [{"timestamp": at, "message": message} for at, message in page if at >= request["startTime"]]
        if not request.get("startFromHead", True):
            events.reverse()
        more = {"nextToken": str(token + 1)} if token + 1 < len(self.pages) else {}
        return {"events": events, **more}

    def read(self, since: float) -> list[tuple[float, str]]:
        client: Any = self
        return [(one.at, one.message) for one in FunctionLog(client, "/fastscaler/scaler").read(since)]


def test_the_log_is_its_json_records_of_all_pages_in_order() -> None:
    log = Log(
        [(400, '{"message": "too old"}'), (1000, "START RequestId: 1"), (2000, '{"message": "decision"}')],
        [],  # FilterLogEvents may answer so, and have more.
        [(2000, '{"message": "ledger"}'), (2500, '{"cut off'), (3000, '{"message": "summary"}\n')],
    )
    assert log.read(0.5) == [(2.0, "decision"), (2.0, "ledger"), (3.0, "summary")]


def test_of_a_log_that_is_too_long_the_newest_is_read() -> None:
    padding = "x" * (MAX_CHARACTERS // 10)
    pages = [[(minute * 1000, json.dumps({"message": str(minute), "padding": padding}))] for minute in range(1, 31)]
    read = Log(*pages).read(0.5)
    assert [message for _, message in read] == [str(minute) for minute in range(21, 31)]


def test_the_log_is_asked_for_as_aws_knows_it() -> None:
    client = boto3.client("logs", **KEYS)
    with Stubber(client) as stub:
        asked = {"logGroupName": "/fastscaler/scaler", "startTime": 500, "startFromHead": False}
        stub.add_response("filter_log_events", {"events": [], "nextToken": "more"}, asked)
        stub.add_response("filter_log_events", {"events": []}, {**asked, "nextToken": "more"})
        assert FunctionLog(client, "/fastscaler/scaler").read(0.5) == []
        stub.assert_no_pending_responses()
