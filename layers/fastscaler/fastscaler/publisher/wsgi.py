"""Metrics of a WSGI application (Flask, Django): wrap it, and it publishes. The rules are those of PEP 3333."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastscaler.publisher.collect import InFlight
from fastscaler.publisher.paths import excluded
from fastscaler.publisher.publisher import Publisher
from fastscaler.publisher.sinks import CloudWatchSink

_Environ = dict[str, Any]
_Write = Callable[[bytes], object]
_StartResponse = Callable[..., _Write]
_App = Callable[[_Environ, _StartResponse], Iterable[bytes]]


class MetricsMiddleware:
    """Counts requests when they arrive, and as active until the server has the whole response, or gives it up.

    Requests to `exclude_paths` (exact paths) count for nothing: the load balancer's health checks would make an idle
    task look busy, and more so the more zones it has. But any of them begins publishing. What is left is flushed when
    the process exits. Without a `publisher`, one is made that sends to CloudWatch for the ECS service this task belongs
    to. Raises ValueError for paths that no request can have.
    """

    def __init__(
        self, app: _App, publisher: Publisher | None = None, *, exclude_paths: Iterable[str] = ("/health",)
    ) -> None:
        self._app = app
        self._exclude_paths = excluded(exclude_paths)
        self._publisher = publisher or Publisher(CloudWatchSink())

    def __call__(self, environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
        self._publisher.start()
        if environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "") in self._exclude_paths:
            return self._app(environ, start_response)
        response = _Response(self._publisher.collector.request(), start_response)
        try:
            body = self._app(environ, response.start)
            return (_SizedBody if hasattr(body, "__len__") else _Body)(body, response)
        except BaseException as error:
            response.end(error)
            raise


class _Response:
    """What has become of one request. The headers go out with the first chunk, so that is when the response begins."""

    __slots__ = ("_active", "_start_response", "_status")

    def __init__(self, active: InFlight, start_response: _StartResponse) -> None:
        self._active = active
        self._start_response = start_response
        self._status = 500  # What the server answers when the application never says.

    def start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> _Write:
        write = self._start_response(status, headers, *exc_info)
        # Until the headers are out, an error handler may call again: the last one counts.
        self._status = int(status[:3])

        def noted_write(data: bytes) -> object:
            self.begins()
            return write(data)

        return noted_write

    def begins(self) -> None:
        self._active.responded(self._status)

    def end(self, error: BaseException | None = None) -> None:
        self._active.end(error)


class _Body:
    """The application's response, chunk by chunk. The request is over when it is exhausted, fails, or is closed."""

    def __init__(self, chunks: Iterable[bytes], response: _Response) -> None:
        self._chunks = chunks
        self._iterator = iter(chunks)
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._iterator)
        except StopIteration:
            self._response.begins()  # An empty body: the headers go out now.
            self._response.end()
            raise
        except BaseException as error:
            self._response.end(error)
            raise
        if chunk:
            self._response.begins()
        return chunk

    def close(self) -> None:
        """PEP 3333: the server calls this however the response ends, so also when the client has gone away."""
        try:
            close = getattr(self._chunks, "close", None)
            if close:
                close()
        finally:
            self._response.end(GeneratorExit())


class _SizedBody(_Body):
    """A body that knows its number of chunks: with one, a server can tell the content length."""

    def __len__(self) -> int:
        return len(self._chunks)  # type: ignore[arg-type]
