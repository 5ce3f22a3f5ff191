"""What this process has served, counted by itself and on its event loop alone. `/metrics` shows it.

It counts what the publisher counts: arrivals when they come, and no health checks.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

WINDOW = 10  # Seconds that rate and response time look back: long enough to be calm, short enough to show a surge.


@dataclass
class _Second:
    arrivals: int = 0
    answers: int = 0
    response_time: float = 0.0


class Counters:
    """Counts of one process. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.requests = 0  # HTTP requests and websockets since the start.
        self.active = 0  # Those that are open now.
        self._clock = clock
        self._started = clock()
        self._seconds: dict[int, _Second] = {}  # By second since the start; no more than the window has.

    @contextmanager
    def open(self) -> Iterator[Callable[[], None]]:
        """For the life of a request or websocket: it counts when it comes, and is active until it is over or fails.

        Call what it yields when the response begins. Without that there was none, and so no response time.
        """
        arrived = self._clock()
        self.requests += 1
        self.active += 1
        self._now().arrivals += 1

        def answered() -> None:
            second = self._now()
            second.answers += 1
            second.response_time += self._clock() - arrived

        try:
            yield answered
        finally:
            self.active -= 1

    def summary(self) -> dict[str, float | None]:
        """What `/metrics` shows. Rate and mean response time are those of the last ten seconds."""
        uptime = self._clock() - self._started
        self._forget(int(uptime))
        recent = self._seconds.values()
        answers = sum(second.answers for second in recent)
        # The second that goes on has only just begun, so less than ten seconds may have been counted.
        watched = min(uptime, WINDOW - 1 + uptime % 1)
        return {
            "requests": self.requests,
            "requests_per_second": round(sum(second.arrivals for second in recent) / max(watched, 1.0), 2),
            "mean_response_time_seconds": (
                round(sum(second.response_time for second in recent) / answers, 6) if answers else None
            ),
            "active_connections": self.active,
            "uptime_seconds": round(uptime, 1),
        }

    def _now(self) -> _Second:
        second = int(self._clock() - self._started)
        if second not in self._seconds:
            self._forget(second)
        return self._seconds.setdefault(second, _Second())

    def _forget(self, now: int) -> None:
        for second in [second for second in self._seconds if second <= now - WINDOW]:
            del self._seconds[second]


class CountingMiddleware:
    """Keeps `counters` for an ASGI application; requests to `exclude_paths` count for nothing."""

    def __init__(self, app: ASGIApp, counters: Counters, exclude_paths: Collection[str]) -> None:
        self._app = app
        self._counters = counters
        self._exclude_paths = frozenset(exclude_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in self._exclude_paths:
            await self._app(scope, receive, send)
            return
        with self._counters.open() as answered:

            async def timed_send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    answered()
                await send(message)

            await self._app(scope, receive, timed_send)
