"""The AWS wire protocols as far as the stand-in needs them: which operation is called, and how an error is written.

botocore speaks awsJson (X-Amz-Target), query (Action= in a form) and rpc-v2-cbor (the operation is in the path);
CloudWatch has been all three, depending on the version of botocore.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Protocol = Literal["json", "query", "cbor"]


@dataclass(frozen=True)
class Request:
    """One call as read from the wire; `caller` is the SDK's application id, or ""."""

    operation: str
    protocol: Protocol
    caller: str
    body: bytes


def read_request(environ: dict[str, Any]) -> Request:
    """Reads the call; the caller of this function gives the body back to the application."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    caller = _caller(environ.get("HTTP_USER_AGENT", ""))
    target: str | None = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return Request(target.rpartition(".")[2], "json", caller, body)
    path: str = environ.get("PATH_INFO", "")
    if path.startswith("/service/") and "/operation/" in path:
        return Request(path.rpartition("/")[2], "cbor", caller, body)
    form = parse_qs((body or environ.get("QUERY_STRING", "").encode()).decode("utf-8", "replace"))
    return Request(form.get("Action", [path])[0], "query", caller, body)


def error_response(protocol: Protocol, code: str, message: str, status: int) -> tuple[bytes, list[tuple[str, str]]]:
    """Body and headers of an AWS error in the protocol of the call."""
    if protocol == "json":
        body = json.dumps({"__type": code, "message": message}).encode()
        return body, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
    if protocol == "cbor":
        body = b"\xa2" + b"".join(_cbor_text(text) for text in ("__type", code, "message", message))
        fault = "Sender" if status < 500 else "Receiver"
        # The second header is how a service that once spoke query keeps its old error codes.
        return body, [
            ("Content-Type", "application/cbor"),
            ("smithy-protocol", "rpc-v2-cbor"),
            ("x-amzn-query-error", f"{code};{fault}"),
        ]
    body = (
        f"<ErrorResponse><Error><Type>{'Sender' if status < 500 else 'Receiver'}</Type><Code>{escape(code)}</Code>"
        f"<Message>{escape(message)}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    ).encode()
    return body, [("Content-Type", "text/xml")]


def error_code(status: int, headers: list[tuple[str, str]], body: bytes) -> str | None:
    """The AWS error code of an answer, for the call log; None for a success."""
    if status < 400:
        return None
    named = {name.lower(): value for name, value in headers}
    for header in ("x-amzn-errortype", "x-amzn-query-error"):
        if header in named:
            return named[header].partition(";")[0].rpartition("#")[2]
    text = body.decode("utf-8", "replace")
    for opening, closing in (('"__type": "', '"'), ('"__type":"', '"'), ("<Code>", "</Code>")):
        if opening in text:
            return text.partition(opening)[2].partition(closing)[0].rpartition("#")[2]
    return str(status)


def _caller(user_agent: str) -> str:
    return next((part[4:] for part in user_agent.split() if part.startswith("app/")), "")


def _cbor_text(text: str) -> bytes:
    """A CBOR text string (RFC 8949, major type 3) with a two-byte length."""
    encoded = text.encode()
    return b"\x79" + len(encoded).to_bytes(2, "big") + encoded
