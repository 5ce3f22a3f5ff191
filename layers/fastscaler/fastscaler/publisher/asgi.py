"""Metrics of an ASGI application (Starlette, FastAPI, Quart, Django): wrap it, and it publishes."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from fastscaler.publisher.paths import excluded
from fastscaler.publisher.publisher import Publisher
from fastscaler.publisher.sinks import CloudWatchSink

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

# What answers a request, or the handshake of a websocket, and the status where the message has none of its own
# (https://asgi.readthedocs.io/en/latest/specs/www.html). The first one counts: a close after an accept is no answer.
_ANSWERS = {
    "http.response.start": 200,
    "websocket.accept": 101,
    "websocket.close": 403,
    "websocket.http.response.start": 403,
}


class MetricsMiddleware:
    """Counts requests when they arrive, and what is active until it is really over: answered, failed or aborted.

    A websocket counts as one arrival, answered by its handshake, and is active for its life. Requests to
    `exclude_paths` (exact paths) count for nothing: the load balancer's health checks would make an idle task look
    busy, and more so the more zones it has. Publishing begins at the server's lifespan start-up, or else with the first
    request, and is flushed at shutdown.
    Without a `publisher`, one is made that sends to CloudWatch for the ECS service this task belongs to. Raises
    ValueError for paths that no request can have.
    """

    def __init__(
        self, app: _App, publisher: Publisher | None = None, *, exclude_paths: Iterable[str] = ("/health",)
    ) -> None:
        self._app = app
        self._exclude_paths = excluded(exclude_paths)
        self._publisher = publisher or Publisher(CloudWatchSink())
        self._collector = self._publisher.collector

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        # Written out, not split up: this runs for every request, and each call costs a tenth of a microsecond.
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        self._publisher.start()
        if kind not in ("http", "websocket") or scope["path"] in self._exclude_paths:
            await self._app(scope, receive, send)
            return
        active = self._collector.request()

        def counted_send(message: _Message) -> Awaitable[None]:
            if message["type"] in _ANSWERS:
                active.responded(message.get("status", _ANSWERS[message["type"]]))
            return send(message)

        try:
            await self._app(scope, receive, counted_send)
        except BaseException as error:
            active.end(error)
            raise
        active.end()

    async def _lifespan(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        asked = False

        async def noted_receive() -> _Message:
            nonlocal asked
            asked = True
            return await receive()

        self._publisher.start(closed_by_caller=True)
        try:
            await self._app(scope, noted_receive, self._closing(send))
        except Exception:
            if asked:
                raise
        if asked:
            return
        # The application does not know lifespan (Django does not). The publisher must still hear of the end.
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._closing(send)({"type": "lifespan.shutdown.complete"})

    def _closing(self, send: _Send) -> _Send:
        async def send_after_close(message: _Message) -> None:
            # Before the message, not after: a server may end the process as soon as it has it. Nothing is served any
            # more, so this may block; it is bounded by the publisher's time-out.
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                self._publisher.close()
            await send(message)

        return send_after_close
