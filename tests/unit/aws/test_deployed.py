"""The adapters of the operator's commands, through clients whose requests are checked against the service models."""

import io
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from fastscaler.aws.function_log import FunctionLog
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


def test_the_log_is_its_json_records_of_all_pages_in_order() -> None:
    client = boto3.client("logs", **KEYS)
    events = [
        {"timestamp": 3000, "message": '{"message": "decision", "service": "shop/web"}\n'},
        {"timestamp": 1000, "message": "START RequestId: 1"},
        {"timestamp": 2000, "message": '{"message": "summary"}'},
        {"timestamp": 2500, "message": '{"cut off'},
    ]
    with Stubber(client) as stub:
        asked = {"logGroupName": "/fastscaler/scaler", "startTime": 500}
        stub.add_response("filter_log_events", {"events": events[:2], "nextToken": "more"}, asked)
        stub.add_response("filter_log_events", {"events": events[2:]}, {**asked, "nextToken": "more"})
        records = FunctionLog(client, "/fastscaler/scaler").read(0.5)
    assert [(record.at, record.message) for record in records] == [(2.0, "summary"), (3.0, "decision")]
