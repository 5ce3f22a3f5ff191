"""The publishing thread: that the application never notices it, and that nothing is left behind at its end."""

import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from fastscaler.publisher.metrics import BucketMetrics
from fastscaler.publisher.publisher import Publisher
from tests.unit.publisher.fakes import FakeSink, FakeTime


@pytest.fixture
def running() -> Callable[[], int]:
    """How many publishing threads there are now that were not there before the test."""

    def publishing() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "fastscaler-publisher"}

    before = publishing()
    return lambda: len(publishing() - before)


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_close_sends_the_unfinished_bucket_from_the_thread(running: Callable[[], int]) -> None:
    sink = FakeSink()
    publisher = Publisher(sink, alone=True)
    publisher.start()
    publisher.start()
    assert running() == 1
    for _ in range(10):
        publisher.collector.request().end()
    publisher.close()
    publisher.close()
    assert sum(sink.values("RequestsPerSecond")) == pytest.approx(10 / 5)
    assert running() == 0


def test_a_closed_publisher_can_be_started_again_and_publishes_no_bucket_twice() -> None:
    sink = FakeSink()
    publisher = Publisher(sink, alone=True)
    for _ in range(2):  # At SIGTERM, say, and again when the server shuts down.
        publisher.start()
        publisher.collector.request().end()
        publisher.close()
    assert sum(sink.values("RequestsPerSecond")) == pytest.approx(2 / 5)
    assert len(set(sink.starts)) == len(sink.starts)


def test_a_request_that_comes_while_the_thread_is_ending_is_sent_at_the_end() -> None:
    entered, release = threading.Event(), threading.Event()

    class SlowSink(FakeSink):
        def send(self, buckets: Sequence[BucketMetrics]) -> None:
            entered.set()
            release.wait(30)
            super().send(buckets)

    sink = SlowSink()
    publisher = Publisher(sink, alone=True)
    publisher.start()
    publisher.collector.request().end()
    publisher.close_soon()  # At SIGTERM; the server goes on for as long as it has connections.
    assert entered.wait(30)
    publisher.start()
    publisher.collector.request().end()
    release.set()
    publisher.close()
    assert sum(sink.values("RequestsPerSecond")) == pytest.approx(2 / 5)
    assert len(set(sink.starts)) == len(sink.starts)


def test_fifty_threads_while_it_publishes_and_not_one_request_is_missing() -> None:
    sink = FakeSink()
    publisher = Publisher(sink, bucket_seconds=1, alone=True)

    def serve() -> None:
        until = time.monotonic() + 2.5
        for count in range(200):
            publisher.start()
            request = publisher.collector.request()
            request.responded(500 if count % 10 == 0 else 200)
            request.end()
            time.sleep(max(0.0, (until - time.monotonic()) / (200 - count)))

    threads = [threading.Thread(target=serve) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert publisher.collector.active == 0
    publisher.close()
    assert sum(sink.values("RequestsPerSecond")) == 10_000
    assert sum(sink.values("HTTPCode_Target_5XX_Count")) == 1_000
    assert len(sink.starts) >= 3
    assert len(set(sink.starts)) == len(sink.starts)


def test_a_sink_that_hangs_delays_neither_requests_nor_close(running: Callable[[], int]) -> None:
    entered, release = threading.Event(), threading.Event()

    class HangingSink(FakeSink):
        def send(self, buckets: object) -> None:
            entered.set()
            release.wait(10)

    fake = FakeTime()
    publisher = Publisher(HangingSink(), alone=True, clock=fake.clock, stopwatch=fake.stopwatch)
    publisher.collector.ended()
    fake.pass_(6)
    publisher.start()
    assert entered.wait(10)
    began = time.monotonic()
    request = publisher.collector.request()
    assert publisher.collector.active == 1
    request.end()
    publisher.close(timeout=0)
    assert time.monotonic() - began < 1
    release.set()
    assert eventually(lambda: running() == 0)


def test_the_calls_of_many_tasks_are_spread_over_a_second() -> None:
    spreads = [Publisher(FakeSink(), alone=True, rng=random.Random(seed)).spread for seed in range(40)]
    assert all(0 <= spread <= 1 for spread in spreads)
    assert max(spreads) - min(spreads) > 0.8


def test_without_a_thread_to_be_had_the_application_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    caplog.set_level(logging.INFO, "fastscaler")
    publisher = Publisher(FakeSink(), alone=True)
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Thread", NoThread)  # So it is when the container's limit of pids is reached.
        for _ in range(3):
            publisher.start()
    publisher.collector.request().end()
    assert [record.getMessage() for record in caplog.records] == [
        "metrics are not published, the publisher cannot start: can't start new thread"
    ]


def test_a_defect_of_the_publisher_is_one_line_of_log_and_no_end_of_publishing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = FakeSink()
    clocks = iter([ZeroDivisionError("a clock that fails once")])

    def clock() -> float:
        for error in clocks:
            raise error
        return time.time()

    publisher = Publisher(sink, alone=True, clock=clock)
    publisher.start()
    assert eventually(lambda: any("defect" in record.getMessage() for record in caplog.records))
    publisher.collector.request().end()
    publisher.close()
    assert sum(sink.values("RequestsPerSecond")) == pytest.approx(1 / 5)


def test_importing_the_publisher_loads_neither_boto3_nor_the_rest_of_the_library() -> None:
    heavy = "('boto3', 'botocore', 'pydantic', 'yaml', 'fastscaler.scaling', 'fastscaler.aws')"
    modules = "fastscaler.publisher.asgi, fastscaler.publisher.wsgi"
    program = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
