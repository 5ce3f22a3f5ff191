"""When buckets are sent, sent again, and given up; and that the application never notices."""

import logging
import random
import subprocess
import sys
import threading

import pytest

from fastscaler.publisher.publisher import Publisher
from fastscaler.publisher.sinks import SinkError
from tests.unit.publisher.fakes import EPOCH, FakeClock, FakeSink


class Started:
    """A publisher with a fake clock and sink whose first bucket has begun; beats are called by hand."""

    def __init__(self, *errors: Exception, useful_for: float = 30.0) -> None:
        self.clock, self.sink = FakeClock(), FakeSink(*errors)
        self.publisher = Publisher(self.sink, useful_for=useful_for, clock=self.clock, rng=random.Random(1))
        self.publisher.beat()

    def beat(self, at: float) -> float:
        self.clock.at(at)
        return self.publisher.beat()


def passing(reason: str = "PutMetricData: Throttling") -> SinkError:
    return SinkError(reason, retryable=True)


def final(reason: str = "PutMetricData: AccessDenied") -> SinkError:
    return SinkError(reason, retryable=False)


def test_each_bucket_is_sent_once_after_its_end_with_its_load() -> None:
    started = Started()
    for second, requests in ((1, 10), (6, 25), (12, 0)):
        started.clock.at(second)
        for _ in range(requests):
            started.publisher.collector.request().finish()
        started.beat((second // 5 + 1) * 5 + 0.5)
    assert started.sink.starts == [0, 5, 10]
    assert started.sink.values("RequestsPerSecond") == [2.0, 5.0, 0.0]
    assert [len(call) for call in started.sink.sent] == [1, 1, 1]


def test_the_calls_of_many_tasks_are_spread_over_a_second_after_the_bucket_ends() -> None:
    clock = FakeClock()
    clock.at(3)
    waits = [Publisher(FakeSink(), clock=clock, rng=random.Random(seed)).beat() for seed in range(200)]
    assert all(2 <= wait <= 3 for wait in waits)
    assert max(waits) - min(waits) > 0.9


def test_a_failed_bucket_goes_with_the_next_attempt_and_keeps_its_timestamp() -> None:
    started = Started(passing(), passing())
    assert started.beat(5.5) < 5
    started.beat(6.2)
    started.beat(10.5)
    assert [bucket.start - EPOCH for bucket in started.sink.sent[0]] == [0, 5]
    assert len(started.sink.sent) == 1
    assert started.publisher.dropped == 0


def test_attempts_become_rarer_but_each_new_bucket_is_tried() -> None:
    started = Started(*[passing()] * 50)
    waits = [started.beat(5.5 + attempt * 0.01) for attempt in range(40)]
    assert all(0.2 <= wait <= 5 for wait in waits)
    assert max(waits) > 1


def test_a_minute_without_cloudwatch_loses_only_what_is_no_longer_useful() -> None:
    started = Started(*[passing()] * 12)
    for bucket in range(1, 13):
        started.beat(bucket * 5 + 0.5)
    started.beat(65.5)
    assert started.sink.starts == [35, 40, 45, 50, 55, 60]
    assert started.publisher.dropped == 7


def test_memory_stays_bounded_when_the_clock_goes_back_during_an_outage() -> None:
    started = Started(*[passing()] * 1000)
    for hour in range(10):
        for bucket in range(1, 13):
            started.beat(-3600 * hour + bucket * 5)
    started.sink.errors.clear()
    started.beat(-40_000)
    assert len(started.sink.sent[0]) <= 10


def test_denied_access_is_reported_once_and_ends_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastscaler")
    started = Started(*[final()] * 10)
    for bucket in range(1, 11):
        started.beat(bucket * 5 + 0.5)
    assert [record.getMessage() for record in caplog.records] == [
        "metrics are not published, the scaler cannot see this task: PutMetricData: AccessDenied"
    ]
    started.beat(55.5)
    assert started.sink.starts == [50]
    assert started.publisher.dropped == 10
    assert "published again; 10 buckets dropped" in caplog.records[-1].getMessage()


def test_a_sink_of_ones_own_may_fail_in_any_way() -> None:
    started = Started(ZeroDivisionError("not my day"))
    started.beat(5.5)
    started.beat(10.5)
    assert started.sink.starts == [5]
    assert started.publisher.dropped == 1


def test_close_sends_the_unfinished_bucket_from_the_thread() -> None:
    sink = FakeSink()
    publisher = Publisher(sink)
    publisher.start()
    publisher.start()
    assert sum(thread.name == "fastscaler-publisher" for thread in threading.enumerate()) == 1
    for _ in range(10):
        publisher.collector.request().finish()
    publisher.close()
    publisher.close()
    assert sum(sink.values("RequestsPerSecond")) == pytest.approx(10 / 5)
    assert not any(thread.name == "fastscaler-publisher" for thread in threading.enumerate())


def test_a_closed_publisher_can_be_started_again() -> None:
    sink = FakeSink()
    publisher = Publisher(sink)
    for _ in range(2):
        publisher.start()
        publisher.collector.request().finish()
        publisher.close()
    assert sum(sink.values("RequestsPerSecond")) == pytest.approx(2 / 5)


def test_a_sink_that_hangs_delays_neither_requests_nor_close() -> None:
    entered, release = threading.Event(), threading.Event()

    class HangingSink:
        def send(self, buckets: object) -> None:
            entered.set()
            release.wait(10)

    clock = FakeClock()
    publisher = Publisher(HangingSink(), clock=clock)
    publisher.collector.ended()
    clock.at(6)
    publisher.start()
    assert entered.wait(10)
    with publisher.collector.request():
        assert publisher.collector.active == 1
    publisher.close(timeout=0)
    release.set()


def test_importing_the_publisher_loads_neither_boto3_nor_the_rest_of_the_library() -> None:
    heavy = "('boto3', 'botocore', 'pydantic', 'yaml', 'fastscaler.scaling', 'fastscaler.aws')"
    program = f"import sys, fastscaler.publisher; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
