"""An ASGI application as its server drives it, and what is counted."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
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
        self.publisher = Publisher(self.sink, alone=True, clock=self.clock, stopwatch=self.clock)
        self.app = MetricsMiddleware(self.answer, self.publisher, exclude_paths=["/health"])
        self.release = asyncio.Event()
        self.sent: list[Message] = []

    async def answer(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fails":
            raise RuntimeError
        if scope["path"] == "/waits" or scope["type"] == "websocket":
            await self.release.wait()
        if scope["path"] == "/silent":
            return
        if scope["path"] == "/echo":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "hello"})
        elif scope["type"] == "http":
            status = 503 if scope["path"] == "/busy" else 200
            await send({"type": "http.response.start", "status": status, "headers": []})
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
    assert site.published() == {
        "RequestsPerSecond": 2.0,
        "ActiveConnections": 0.0,
        "HTTPCode_Target_5XX_Count": 0,
        "AverageResponseTime": 10,
    }


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

    assert asyncio.run(scenario()) == {
        "RequestsPerSecond": 0.2,
        "ActiveConnections": 1.0,
        "HTTPCode_Target_5XX_Count": 0,
    }


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
    published = site.published()
    assert (published["AverageResponseTime"], published["HTTPCode_Target_5XX_Count"]) == (1, 1)


def test_server_errors_are_counted_whether_sent_or_left_to_the_server() -> None:
    async def scenario() -> Site:
        site = Site()
        for path in ("/", "/busy", "/silent"):
            await site.get(path)
        return site

    site = asyncio.run(scenario())
    published = site.published()
    assert (published["HTTPCode_Target_5XX_Count"], published["AverageResponseTime"]) == (2, 3)


def test_a_websocket_is_an_arrival_and_active_while_it_is_open() -> None:
    async def scenario() -> dict[str, float]:
        site = Site()
        open_one = asyncio.create_task(site.get("/echo", "websocket"))
        await asyncio.sleep(0)
        published = site.published()
        site.release.set()
        await open_one
        assert [message["type"] for message in site.sent] == ["websocket.accept", "websocket.send"]
        assert site.publisher.collector.active == 0
        return published

    published = asyncio.run(scenario())
    assert (published["RequestsPerSecond"], published["ActiveConnections"]) == (0.2, 1.0)
    assert "AverageResponseTime" not in published  # Not answered yet.


CLOSED: Message = {"type": "websocket.close", "code": 1011}
ACCEPTED: Message = {"type": "websocket.accept"}
REFUSED: Message = {"type": "websocket.http.response.start", "status": 503, "headers": []}


@pytest.mark.parametrize(
    ("said", "fails", "errors"),
    [
        pytest.param([ACCEPTED, CLOSED], False, 0, id="accepted"),
        pytest.param([CLOSED], False, 0, id="refused with the server's 403"),
        pytest.param([REFUSED], False, 1, id="refused with a 503 of its own"),
        pytest.param([], True, 1, id="failed before it was accepted, which the server answers with 500"),
        pytest.param([ACCEPTED], True, 0, id="failed later, when the handshake was answered already"),
    ],
)
def test_a_websocket_is_answered_by_its_handshake(said: list[Message], fails: bool, errors: int) -> None:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        for message in said:
            await send(message)
        if fails:
            raise RuntimeError

    async def scenario() -> dict[str, float]:
        site = Site()
        site.app = MetricsMiddleware(app, site.publisher)
        with pytest.raises(RuntimeError) if fails else nullcontext():
            await site.get("/echo", "websocket")
        assert len(site.sent) == len(said)
        return site.published()

    published = asyncio.run(scenario())
    assert (published["HTTPCode_Target_5XX_Count"], published["AverageResponseTime"]) == (errors, 1)


def test_a_path_that_is_not_a_list_of_paths_is_refused() -> None:
    for wrong in ("/health", ["health"], [""]):
        with pytest.raises(ValueError, match="exclude_paths"):
            MetricsMiddleware(Site().answer, Publisher(FakeSink(), alone=True), exclude_paths=wrong)


def test_publishing_begins_at_start_up_and_is_flushed_before_the_server_may_exit() -> None:
    sink = FakeSink()
    published_when_told: list[int] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        for step in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{step}"
            await send({"type": f"lifespan.{step}.complete"})

    async def scenario() -> None:
        publisher = Publisher(sink, alone=True)
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> Message:
            return next(messages)

        async def send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                publisher.collector.request().end()
            published_when_told.append(len(sink.sent))

        await MetricsMiddleware(app, publisher)({"type": "lifespan"}, receive, send)

    asyncio.run(scenario())
    assert published_when_told == [0, 1]
    assert sum(sink.values("RequestsPerSecond")) == 1 / 5


class Server:
    """What an ASGI server does at start-up and shutdown; `told` is what the application answered."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive(self) -> Message:
        return next(self.messages)

    async def send(self, message: Message) -> None:
        self.told.append(message["type"])


@pytest.mark.parametrize("ignorance", ["raises", "returns"])
def test_an_application_that_knows_no_lifespan_is_flushed_at_shutdown_all_the_same(ignorance: str) -> None:
    sink, server = FakeSink(), Server()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and ignorance == "raises":
            raise ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")

    async def scenario() -> None:
        publisher = Publisher(sink, alone=True)
        publisher.collector.request().end()
        await MetricsMiddleware(app, publisher)({"type": "lifespan"}, server.receive, server.send)

    asyncio.run(scenario())
    assert server.told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert sum(sink.values("RequestsPerSecond")) == 1 / 5


def test_an_application_that_fails_at_start_up_still_fails() -> None:
    server = Server()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        raise RuntimeError("no database")

    async def scenario() -> None:
        publisher = Publisher(FakeSink(), alone=True)
        with pytest.raises(RuntimeError, match="no database"):
            await MetricsMiddleware(app, publisher)({"type": "lifespan"}, server.receive, server.send)
        publisher.close()

    asyncio.run(scenario())
    assert server.told == []


def test_a_server_without_lifespan_makes_the_first_health_check_begin_publishing() -> None:
    sink, clock = FakeSink(), FakeClock()

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        """Answer nothing."""

    async def ignore(message: Message | None = None) -> Message:
        return {}

    async def scenario() -> None:
        publisher = Publisher(sink, alone=True, clock=clock, stopwatch=clock)
        publisher.collector.ended()
        middleware = MetricsMiddleware(app, publisher)
        await middleware({"type": "http", "path": "/health"}, ignore, ignore)  # type: ignore[arg-type]
        clock.at(5)
        publisher.close()

    asyncio.run(scenario())
    assert sink.values("RequestsPerSecond") == [0.0]
