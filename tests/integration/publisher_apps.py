"""Applications for the servers of the publisher's tests: they answer their process id and publish to standard output.

SERVICE names the service, so that what one test starts never meets what another one starts at the same time.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from fastscaler.publisher import EmbeddedMetricSink, Publisher, asgi, wsgi

_SINK = EmbeddedMetricSink("Test", cluster="shop", service=os.environ.get("SERVICE", "web"))
_BUCKET_SECONDS = int(os.environ.get("BUCKET_SECONDS", "1"))


async def _asgi_app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        raise ValueError("HTTP only")  # So does Django.
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"%6d" % os.getpid()})


def _wsgi_app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"%6d" % os.getpid()]


asgi_app = asgi.MetricsMiddleware(_asgi_app, Publisher(_SINK, bucket_seconds=_BUCKET_SECONDS))
wsgi_app = wsgi.MetricsMiddleware(_wsgi_app, Publisher(_SINK, bucket_seconds=_BUCKET_SECONDS))
