"""The WSGI middleware in front of moto: counts calls, plants faults, keeps DynamoDB atomic, sets the Date header."""

import io
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from email.utils import formatdate
from http import HTTPStatus
from threading import Event, RLock
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from demo.calls import Call, CallLog
from demo.faults import Faults
from demo.wire import Request, error_code, error_response, read_request

Answer = tuple[int, list[tuple[str, str]], bytes]


class Front:
    """A WSGI application around moto's. `date_skew` is added to the Date header of every answer, in seconds."""

    def __init__(
        self, moto: WSGIApplication, faults: Faults, calls: CallLog, clock: Callable[[], float], stopping: Event
    ) -> None:
        self.date_skew = 0.0
        self._moto = moto
        self._faults = faults
        self._calls = calls
        self._clock = clock
        self._stopping = stopping
        # DynamoDB's writes are atomic; moto's are several Python steps, and requests come on many threads.
        self._dynamodb = RLock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        started = self._clock()
        request = read_request(environ)
        environ["wsgi.input"] = io.BytesIO(request.body)
        status, headers, body = self._answer(request, environ)
        named = [(name, value) for name, value in headers if name.lower() not in ("date", "content-length")]
        finished = self._clock()
        named += [("Date", formatdate(finished + self.date_skew, usegmt=True)), ("Content-Length", str(len(body)))]
        code = error_code(status, headers, body)
        self._calls.record(Call(request.operation, request.caller, started, finished, status, code))
        start_response(f"{status} {_phrase(status)}", named)
        return [body]

    def _answer(self, request: Request, environ: dict[str, Any]) -> Answer:
        failure = self._faults.failure(request.operation, request.body)
        # A wait ends early when the stand-in stops; what would have come after it does not happen any more.
        if self._stopping.wait(self._faults.seconds(request.operation, request.body, "before")):
            return _error(request, "ServiceUnavailable", "The stand-in is stopping.", 503)
        if failure:
            return _error(request, failure.error_code, "A fault that a test planted.", failure.status)
        dynamodb = "DynamoDB" in environ.get("HTTP_X_AMZ_TARGET", "")
        with self._dynamodb if dynamodb else nullcontext():
            answer = _call(self._moto, environ)
        self._stopping.wait(self._faults.seconds(request.operation, request.body, "after"))
        return answer


def _call(application: WSGIApplication, environ: dict[str, Any]) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started.append((status, headers))
        return lambda _: None

    body = b"".join(application(environ, start_response))
    status, headers = started[-1]
    return int(status.split()[0]), headers, body


def _error(request: Request, code: str, message: str, status: int) -> Answer:
    body, headers = error_response(request.protocol, code, message, status)
    return status, headers, body


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
