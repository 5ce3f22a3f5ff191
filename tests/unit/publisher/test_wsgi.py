"""A WSGI application as its server drives it, and what is counted. wsgiref's validator checks both sides."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from fastscaler.publisher.publisher import Publisher
from fastscaler.publisher.wsgi import MetricsMiddleware
from tests.unit.publisher.fakes import FakeClock, FakeSink

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
PLAIN = [("Content-Type", "text/plain")]


class Body:
    """Chunks of a response, which remembers whether it was closed; an exception among them is raised."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        self.closed += 1


class Site:
    """The middleware around `app`, with the fakes it publishes to."""

    def __init__(self, app: App) -> None:
        self.clock, self.sink = FakeClock(), FakeSink()
        self.publisher = Publisher(self.sink, alone=True, clock=self.clock, stopwatch=self.clock)
        self.app = validator(MetricsMiddleware(validator(app), self.publisher, exclude_paths=["/health"]))
        self.status = ""

    @property
    def active(self) -> int:
        return self.publisher.collector.active

    def open(self, path: str = "/") -> Iterable[bytes]:
        """What the server gets for a request."""
        environ: Environ = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "wsgi.input": io.BytesIO()}
        setup_testing_defaults(environ)

        def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], object]:
            self.status = status
            return lambda data: None

        return self.app(environ, start_response)

    def get(self, path: str = "/") -> bytes:
        """A whole request."""
        body = self.open(path)
        try:
            return b"".join(body)
        finally:
            body.close()  # type: ignore[attr-defined]

    def published(self) -> dict[str, float]:
        """Metric -> sum of its samples in the first bucket (response time: number of samples)."""
        self.clock.at(5)
        self.publisher.close()
        return {
            metric.name: sum(
                sample.count if metric.name == "AverageResponseTime" else sample.value for sample in metric.samples
            )
            for metric in self.sink.sent[0][0].metrics
        }


def answering(*chunks: bytes | Exception, status: str = "200 OK") -> App:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, PLAIN)
        return Body(*chunks)

    return app


def test_requests_are_counted_and_answered_as_before() -> None:
    site = Site(answering(b"hello ", b"world"))
    assert [site.get() for _ in range(10)] == [b"hello world"] * 10
    assert site.status == "200 OK"
    assert site.published() == {
        "RequestsPerSecond": 2.0,
        "ActiveConnections": 0.0,
        "HTTPCode_Target_5XX_Count": 0,
        "AverageResponseTime": 10,
    }


def test_health_checks_count_for_nothing_but_begin_publishing() -> None:
    site = Site(answering(b"ok"))
    site.get("/health")
    published = site.published()
    assert published["RequestsPerSecond"] == 0
    assert "AverageResponseTime" not in published


def test_a_streamed_response_is_active_until_it_ends_and_its_time_is_to_the_first_chunk() -> None:
    site = Site(answering(b"", b"first", b"second"))
    body = iter(site.open())
    assert next(body) == b""
    site.clock.at(1)
    assert next(body) == b"first"
    site.clock.at(3)
    assert next(body) == b"second"
    assert site.active == 1
    assert list(body) == []
    assert site.active == 0
    body.close()  # type: ignore[attr-defined]
    site.clock.at(5)
    site.publisher.close()
    metrics = {metric.name: metric.samples for metric in site.sink.sent[0][0].metrics}
    assert [(sample.value, sample.count) for sample in metrics["AverageResponseTime"]] == [(1.0, 1)]
    assert metrics["ActiveConnections"][0].value == 3 / 5


def test_a_generator_that_starts_its_response_late_is_timed_and_its_status_is_seen() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("503 Service Unavailable", PLAIN)
        yield b"busy"

    site = Site(app)
    site.get()
    published = site.published()
    assert (published["HTTPCode_Target_5XX_Count"], published["AverageResponseTime"]) == (1, 1)


def test_a_client_that_goes_away_leaves_nothing_active_and_the_body_closed() -> None:
    inner = Body(b"first", b"second")

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return inner

    site = Site(app)
    body = site.open()
    next(iter(body))
    assert site.active == 1
    body.close()  # type: ignore[attr-defined]
    assert site.active == 0
    assert inner.closed == 1


def test_a_client_that_goes_away_before_the_answer_makes_no_response_time() -> None:
    site = Site(answering(b"never read"))
    body = site.open()
    iter(body)
    body.close()  # type: ignore[attr-defined]
    assert site.active == 0
    published = site.published()
    assert published["RequestsPerSecond"] == 1 / 5
    assert "AverageResponseTime" not in published


def test_an_application_that_raises_is_a_server_error_and_still_raises() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("broken")

    site = Site(app)
    with pytest.raises(RuntimeError, match="broken"):
        site.open()
    assert site.active == 0
    published = site.published()
    assert (published["HTTPCode_Target_5XX_Count"], published["AverageResponseTime"]) == (1, 1)


@pytest.mark.parametrize(("chunks", "errors"), [((ValueError(),), 1), ((b"begun", ValueError()), 0)])
def test_a_body_that_raises_is_a_server_error_unless_the_answer_had_begun(
    chunks: tuple[bytes | Exception, ...], errors: int
) -> None:
    site = Site(answering(*chunks))
    with pytest.raises(ValueError):  # noqa: PT011 - the application's own, passed through
        site.get()
    assert site.active == 0
    assert site.published()["HTTPCode_Target_5XX_Count"] == errors


def test_an_error_page_that_replaces_a_started_answer_counts_with_its_own_status() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        try:
            raise RuntimeError("halfway")
        except RuntimeError as error:
            start_response("500 Internal Server Error", PLAIN, (type(error), error, error.__traceback__))
        return Body(b"sorry")

    site = Site(app)
    site.get()
    assert site.status.startswith("500")
    assert site.published()["HTTPCode_Target_5XX_Count"] == 1


def test_an_empty_body_is_an_answer() -> None:
    site = Site(answering(status="200 OK"))
    site.get()
    published = site.published()
    assert (published["AverageResponseTime"], published["HTTPCode_Target_5XX_Count"]) == (1, 0)


def test_an_application_that_writes_is_answered_by_its_first_write() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"the old way")
        return Body()

    site = Site(app)
    site.get()
    assert site.published()["AverageResponseTime"] == 1


def test_the_server_can_still_tell_the_length_of_a_body_in_one_piece() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return [b"all of it"]

    publisher = Publisher(FakeSink(), alone=True)
    environ: Environ = {}
    setup_testing_defaults(environ)
    body = MetricsMiddleware(app, publisher)(environ, lambda *_: lambda data: None)
    publisher.close()
    assert len(body) == 1  # type: ignore[arg-type]
    in_pieces = MetricsMiddleware(answering(b"a", b"b"), publisher)(environ, lambda *_: lambda data: None)
    publisher.close()
    assert not hasattr(in_pieces, "__len__")


def test_a_mounted_application_is_excluded_by_its_whole_path() -> None:
    counted = []
    for script_name, path in (("/api", "/health"), ("", "/health"), ("/health", "")):
        publisher = Publisher(FakeSink(), alone=True)
        environ: Environ = {"SCRIPT_NAME": script_name, "PATH_INFO": path}
        list(MetricsMiddleware(lambda *_: [b"ok"], publisher)(environ, lambda *_: lambda data: None))
        counted.append(sum(bucket.arrivals for bucket in publisher.collector.flush()))
        publisher.close()
    assert counted == [1, 0, 0]
