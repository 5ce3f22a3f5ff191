"""When buckets are sent, sent again, and given up."""

import logging
import random

import pytest

from fastscaler.publisher.beats import Beats
from fastscaler.publisher.collect import Collector
from fastscaler.publisher.outbox import Outbox
from fastscaler.publisher.sinks import SinkError
from fastscaler.publisher.tally import Tally
from fastscaler.publisher.workers import Workers
from tests.unit.publisher.fakes import EPOCH, FakeSink, FakeTime


class Started:
    """The beats of a lone process in fake time, called by hand; its first bucket has begun."""

    def __init__(self, *errors: Exception, seconds: int = 5, spread: float = 0.5) -> None:
        self.time, self.sink = FakeTime(), FakeSink(*errors)
        clock, stopwatch = self.time.clock, self.time.stopwatch
        self.collector = Collector(seconds, clock=clock, stopwatch=stopwatch)
        self.tally = Tally(seconds)
        self.outbox = Outbox(self.sink, seconds, 30.0, clock, stopwatch, random.Random(1))
        self.workers = Workers(self.tally, seconds, lambda: None)
        self.beats = Beats(self.collector, self.workers, self.outbox, clock, spread)
        self.beats.beat()

    def beat(self, at: float) -> float:
        """A beat `at` seconds after the beginning."""
        self.time.pass_(at - (self.time.stopwatch.now - EPOCH))
        return self.beats.beat()

    def serve(self, requests: int) -> None:
        for _ in range(requests):
            self.collector.request().end()


def passing(reason: str = "PutMetricData: Throttling") -> SinkError:
    return SinkError(reason, retryable=True)


def final(reason: str = "PutMetricData: AccessDenied") -> SinkError:
    return SinkError(reason, retryable=False)


def test_each_bucket_is_sent_once_after_its_end_with_its_load() -> None:
    started = Started()
    for bucket, requests in enumerate((10, 25, 0)):
        started.serve(requests)
        started.beat(bucket * 5 + 5.6)
    assert started.sink.starts == [0, 5, 10]
    assert started.sink.values("RequestsPerSecond") == [2.0, 5.0, 0.0]
    assert [len(call) for call in started.sink.sent] == [1, 1, 1]


@pytest.mark.parametrize("seconds", [1, 10, 60])
def test_every_length_of_bucket_is_sent_at_its_own_pace(seconds: int) -> None:
    started = Started(seconds=seconds, spread=0.1)
    at = 0.0
    for _ in range(3):
        started.serve(seconds)
        at += started.beat(at)
        started.beat(at)
    assert started.sink.values("RequestsPerSecond") == [1.0, 1.0, 1.0]
    assert started.sink.starts == [0, seconds, 2 * seconds]


def test_the_thread_sleeps_until_its_own_moment_after_the_bucket_ends() -> None:
    assert Started(spread=0.7).beat(3) == pytest.approx(2.7)
    assert Started(spread=0.0).beat(3) == pytest.approx(2.0)


def test_a_failed_bucket_goes_with_the_next_attempt_and_keeps_its_timestamp() -> None:
    started = Started(passing(), passing())
    at = 5.5 + started.beat(5.5)
    assert at < 10
    started.beat(at)
    started.beat(10.5)
    assert [bucket.start - EPOCH for bucket in started.sink.sent[0]] == [0, 5]
    assert len(started.sink.sent) == 1
    assert started.outbox.dropped == 0


def test_attempts_become_rarer_but_each_new_bucket_is_tried() -> None:
    started = Started(*[passing()] * 50)
    at, waits = 5.5, []
    while at < 25:
        waits.append(started.beat(at))
        at += waits[-1]
    assert all(0.2 <= wait <= 5 for wait in waits)
    assert max(waits) > 1
    attempts = 50 - len(started.sink.errors)
    assert 4 <= attempts <= len(waits) <= 30


def test_a_beat_between_two_attempts_does_not_try_early() -> None:
    started = Started(passing())
    wait = started.beat(5.5)
    started.beat(5.5 + wait / 2)  # Another worker has sent something, say.
    assert started.sink.sent == []
    started.beat(5.5 + wait)
    assert started.sink.starts == [0]


def test_a_minute_without_cloudwatch_loses_only_what_is_no_longer_useful() -> None:
    started = Started(*[passing()] * 1000)
    for bucket in range(12):
        started.serve(bucket)
        started.beat(bucket * 5 + 5.5)
    started.sink.errors.clear()
    started.serve(12)
    started.beat(65.5)
    assert started.sink.starts == [35, 40, 45, 50, 55, 60]
    assert [round(value * 5) for value in started.sink.values("RequestsPerSecond")] == [7, 8, 9, 10, 11, 12]
    assert started.outbox.dropped == 7


def test_memory_stays_bounded_when_the_clock_goes_back_during_an_outage() -> None:
    started = Started(*[passing()] * 10_000)
    for hour in range(10):
        for bucket in range(12):
            started.beat(hour * 60 + bucket * 5 + 5.5)
        started.time.set_clock(by=-3600)
    started.sink.errors.clear()
    started.beat(606)
    assert 1 <= len(started.sink.sent[0]) <= 10


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
    assert started.outbox.dropped == 10
    assert "published again; 10 buckets dropped" in caplog.records[-1].getMessage()


def test_a_sink_of_ones_own_may_fail_in_any_way() -> None:
    started = Started(ZeroDivisionError("not my day"))
    started.beat(5.5)
    started.beat(10.5)
    assert started.sink.starts == [5]
    assert started.outbox.dropped == 1


def test_the_last_attempt_is_made_whenever_the_end_comes() -> None:
    started = Started(passing())
    started.serve(4)
    started.beat(5.5)
    started.serve(3)
    started.beats.finish()
    assert [round(value * 5) for value in started.sink.values("RequestsPerSecond")] == [4, 3]


def test_a_clock_set_back_by_seconds_publishes_no_bucket_twice() -> None:
    started = Started()
    for bucket in range(3):
        started.serve(5)
        started.beat(bucket * 5 + 5.5)
    started.time.set_clock(by=-20)
    for bucket in range(3, 12):
        started.serve(5)
        started.beat(bucket * 5 + 5.5)
    assert len(set(started.sink.starts)) == len(started.sink.starts)
    assert started.sink.starts[:3] == [0, 5, 10]
    assert started.sink.starts[3:] == sorted(started.sink.starts[3:])
    assert max(started.sink.values("RequestsPerSecond")) <= 2.0
    assert started.sink.starts[-1] == 35


def test_a_clock_set_back_by_an_hour_begins_a_new_timeline_within_a_bucket() -> None:
    started = Started()
    started.beat(5.5)
    started.time.set_clock(by=-3600)
    started.beat(6)
    started.serve(5)
    started.beat(11)
    assert started.sink.starts == [0, -3595]
    assert sum(started.sink.values("RequestsPerSecond")) == pytest.approx(1.0)


def test_a_clock_set_forward_goes_on_at_the_new_time() -> None:
    started = Started()
    started.beat(5.5)
    started.time.set_clock(by=3600)
    started.beat(6)
    started.serve(5)
    started.beat(11)
    assert started.sink.starts == [0, 3605]
    assert sum(started.sink.values("RequestsPerSecond")) == pytest.approx(1.0)
