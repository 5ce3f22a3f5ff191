"""The storefront's pages: cheap ones, expensive ones, and what the process says of itself."""

import socket
from contextlib import suppress
from functools import partial

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from fastscaler.publisher.asgi import MetricsMiddleware
from storefront.counters import Counters, CountingMiddleware
from storefront.work import CPU_MILLISECONDS, allocate, resident_megabytes, use_cpu

MAX_LOAD = 10
MAX_MEGABYTES = 500

# Asked for by the load balancer and by operators, not by customers: counted, they would make an idle task look busy.
UNCOUNTED = ("/health", "/metrics")

# Threads for expensive requests; the others wait in line. More would not make a quarter of a vCPU any faster, and would
# take turns with the event loop, which has to answer the health check within its 4 s.
_THREADS = 4


def create_app() -> Starlette:
    """The application, publishing for the ECS task that it runs in. Reads no settings."""
    counters = Counters()
    threads = CapacityLimiter(_THREADS)

    async def metrics(request: Request) -> Response:
        return JSONResponse({**counters.summary(), "memory_megabytes": resident_megabytes()})

    async def load(request: Request) -> Response:
        amount = _whole_number(request, "load", MAX_LOAD)
        used = await to_thread.run_sync(partial(use_cpu, amount * CPU_MILLISECONDS), limiter=threads)
        return JSONResponse({"load": amount, "cpu_milliseconds": round(used, 1)})

    async def memory(request: Request) -> Response:
        amount = _whole_number(request, "memory", MAX_MEGABYTES)
        block = await to_thread.run_sync(partial(allocate, amount), limiter=threads)
        answer = {"megabytes": amount, "memory_megabytes": resident_megabytes()}
        return JSONResponse(answer, background=BackgroundTask(block.close))  # Given back once it is sent.

    return Starlette(
        routes=[
            Route("/", home),
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/load/{load}", load),
            Route("/memory/{memory}", memory),
            WebSocketRoute("/echo", echo),
        ],
        middleware=[
            Middleware(MetricsMiddleware, exclude_paths=UNCOUNTED),
            Middleware(CountingMiddleware, counters, UNCOUNTED),
        ],
        exception_handlers={HTTPException: refuse},
    )


async def home(request: Request) -> Response:
    """The cheapest page; `host` tells tasks apart behind a load balancer."""
    return JSONResponse({"name": "storefront", "host": socket.gethostname()})


async def health(request: Request) -> Response:
    """Whether the event loop still turns. It asks nothing else, so a busy task is not taken for a dead one."""
    return JSONResponse({"status": "ok"})


async def echo(websocket: WebSocket) -> None:
    """Sends back what it is sent, text or bytes, until the client leaves."""
    await websocket.accept()
    with suppress(WebSocketDisconnect):
        while (message := await websocket.receive())["type"] == "websocket.receive":
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            else:
                await websocket.send_bytes(message["bytes"])


async def refuse(request: Request, error: Exception) -> Response:
    """An error as one line of JSON."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


def _whole_number(request: Request, name: str, highest: int) -> int:
    """The path's value as a number from 1 to `highest`; anything else is answered with 422."""
    text: str = request.path_params[name]
    # Not int() alone, which takes " 1", "+1", "1_0" and the digits of every script.
    if text.isascii() and text.isdigit() and len(text) <= len(str(highest)) and 1 <= int(text) <= highest:
        return int(text)
    shown = text if len(text) <= 20 else text[:20] + "..."
    raise HTTPException(422, f"{name} = {shown!r}: must be a whole number from 1 to {highest}")
