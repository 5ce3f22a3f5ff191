"""Metrics of an ASGI application (Starlette, FastAPI, Quart, Django): wrap it, and it publishes."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from fastscaler.publisher.publisher import Publisher
from fastscaler.publisher.sinks import CloudWatchSink

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class MetricsMiddleware:
    """Counts requests when they arrive, and what is active until it is really over: answered, failed or aborted.

    A websocket counts as one arrival and is active for its life. Requests to `exclude_paths` (exact paths) count for
    nothing: the load balancer's health checks would make an idle task look busy, and more so the more zones it has.
    Publishing begins at the server's lifespan start-up, or else with the first request, and is flushed at shutdown.
    Without a `publisher`, one is made that sends to CloudWatch for the ECS service this task belongs to.
    """

    def __init__(
        self, app: _App, publisher: Publisher | None = None, *, exclude_paths: Iterable[str] = ("/health",)
    ) -> None:
        self._app = app
        self._publisher = publisher or Publisher(CloudWatchSink())
        self._exclude_paths = frozenset(exclude_paths)

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            self._publisher.start()
            await self._app(scope, receive, self._closing(send))
        elif kind == "http" and scope["path"] not in self._exclude_paths:
            await self._request(scope, receive, send)
        elif kind == "websocket" and scope["path"] not in self._exclude_paths:
            self._publisher.start()
            with self._publisher.collector.connection():
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        self._publisher.start()
        with self._publisher.collector.request() as request:

            async def timed_send(message: _Message) -> None:
                if message["type"] == "http.response.start":
                    request.responded()
                await send(message)

            await self._app(scope, receive, timed_send)

    def _closing(self, send: _Send) -> _Send:
        async def send_after_close(message: _Message) -> None:
            # Before the message, not after: a server may end the process as soon as it has it. Nothing is served any
            # more, so this may block; it is bounded by the publisher's time-out.
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                self._publisher.close()
            await send(message)

        return send_after_close
