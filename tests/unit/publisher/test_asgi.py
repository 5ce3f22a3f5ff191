"""An ASGI application as its server drives it, and what is counted."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from fastscaler.publisher.asgi import MetricsMiddleware
from fastscaler.publisher.publisher import Publisher
from tests.unit.publisher.fakes import FakeClock, FakeSink

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Site:
    """The middleware around an application made of `paths`, with the fakes it publishes to."""

    def __init__(self) -> None:
        self.clock, self.sink = FakeClock(), FakeSink()
        self.publisher = Publisher(self.sink, clock=self.clock)
        self.app = MetricsMiddleware(self.answer, self.publisher, exclude_paths=["/health"])
        self.release = asyncio.Event()
        self.sent: list[Message] = []

    async def answer(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fails":
            raise RuntimeError
        if scope["path"] == "/waits" or scope["type"] == "websocket":
            await self.release.wait()
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})

    async def get(self, path: str, kind: str = "http") -> None:
        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            self.sent.append(message)

        await self.app({"type": kind, "path": path}, receive, send)

    def published(self) -> dict[str, float]:
        """Metric -> sum of its samples in the first bucket (response time: number of samples)."""
        self.clock.at(5)
        self.publisher.close()
        bucket = self.sink.sent[0][0]
        return {
            metric.name: sum(
                sample.count if metric.name == "AverageResponseTime" else sample.value for sample in metric.samples
            )
            for metric in bucket.metrics
        }


def test_requests_are_counted_and_answered_as_before() -> None:
    async def scenario() -> Site:
        site = Site()
        for _ in range(10):
            await site.get("/")
        return site

    site = asyncio.run(scenario())
    assert len(site.sent) == 20
    assert site.published() == {"RequestsPerSecond": 2.0, "ActiveConnections": 0.0, "AverageResponseTime": 10}


def test_health_checks_count_for_nothing() -> None:
    async def scenario() -> Site:
        site = Site()
        await site.get("/health")
        await site.get("/healthy")
        return site

    site = asyncio.run(scenario())
    assert len(site.sent) == 4
    assert site.published()["RequestsPerSecond"] == 1 / 5


def test_a_request_that_waits_is_counted_and_active_before_it_is_answered() -> None:
    async def scenario() -> dict[str, float]:
        site = Site()
        waiting = asyncio.create_task(site.get("/waits"))
        await asyncio.sleep(0)
        published = site.published()
        site.release.set()
        await waiting
        assert site.publisher.collector.active == 0
        return published

    assert asyncio.run(scenario()) == {"RequestsPerSecond": 0.2, "ActiveConnections": 1.0}


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_an_aborted_client_leaves_nothing_active(kind: str) -> None:
    async def scenario() -> dict[str, float]:
        site = Site()
        waiting = asyncio.create_task(site.get("/waits", kind))
        await asyncio.sleep(0)
        assert site.publisher.collector.active == 1
        waiting.cancel()
        await asyncio.wait([waiting])
        assert site.publisher.collector.active == 0
        return site.published()

    published = asyncio.run(scenario())
    assert published["RequestsPerSecond"] == 0.2
    assert "AverageResponseTime" not in published


def test_a_failing_request_counts_and_still_fails() -> None:
    async def scenario() -> Site:
        site = Site()
        with pytest.raises(RuntimeError):
            await site.get("/fails")
        return site

    site = asyncio.run(scenario())
    assert site.publisher.collector.active == 0
    assert site.published()["AverageResponseTime"] == 1


def test_publishing_begins_at_start_up_and_is_flushed_before_the_server_may_exit() -> None:
    sink = FakeSink()
    published_when_told: list[int] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        for step in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{step}"
            await send({"type": f"lifespan.{step}.complete"})

    async def scenario() -> None:
        publisher = Publisher(sink)
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> Message:
            return next(messages)

        async def send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                publisher.collector.request().finish()
            published_when_told.append(len(sink.sent))

        await MetricsMiddleware(app, publisher)({"type": "lifespan"}, receive, send)

    asyncio.run(scenario())
    assert published_when_told == [0, 1]
    assert sum(sink.values("RequestsPerSecond")) == 1 / 5


def test_an_application_without_lifespan_publishes_from_its_first_request() -> None:
    sink = FakeSink()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"

    async def ignore(message: Message | None = None) -> Message:
        return {}

    async def scenario() -> None:
        publisher = Publisher(sink)
        middleware = MetricsMiddleware(app, publisher)
        with pytest.raises(AssertionError):
            await middleware({"type": "lifespan"}, ignore, ignore)  # type: ignore[arg-type]
        await middleware({"type": "http", "path": "/"}, ignore, ignore)  # type: ignore[arg-type]
        publisher.close()

    asyncio.run(scenario())
    assert sum(sink.values("RequestsPerSecond")) == 1 / 5
