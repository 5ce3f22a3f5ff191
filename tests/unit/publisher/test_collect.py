"""What one process reports about a bucket."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.publisher.bucket import Bucket
from fastscaler.publisher.collect import Collector
from tests.unit.publisher.fakes import EPOCH, FakeClock, FakeTime


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def collector(clock: FakeClock) -> Collector:
    """One whose first bucket has begun."""
    collector = Collector(clock=clock, stopwatch=clock)
    collector.ended()
    return collector


def values(bucket: Bucket) -> dict[str, list[tuple[float, int]]]:
    """Metric name -> (value, count) of its samples, without server errors."""
    return {
        metric.name: [(one.value, one.count) for one in metric.samples]
        for metric in bucket.metrics().metrics
        if metric.name != "HTTPCode_Target_5XX_Count"
    }


def answer(collector: Collector, status: int = 200) -> None:
    """A request that comes and is answered at once."""
    request = collector.request()
    request.responded(status)
    request.end()


def test_a_request_counts_when_it_arrives_even_if_it_is_never_answered(clock: FakeClock, collector: Collector) -> None:
    for _ in range(20):
        collector.request()
    clock.at(5)
    (bucket,) = collector.ended()
    assert values(bucket) == {"RequestsPerSecond": [(4.0, 1)], "ActiveConnections": [(20.0, 1)]}


def test_an_idle_task_reports_zeros_and_no_response_time(clock: FakeClock, collector: Collector) -> None:
    clock.at(15)
    assert [bucket.start - EPOCH for bucket in collector.ended()] == [0, 5, 10]
    clock.at(20)
    (bucket,) = collector.ended()
    assert values(bucket) == {"RequestsPerSecond": [(0.0, 1)], "ActiveConnections": [(0.0, 1)]}


def test_buckets_begin_at_the_same_moments_in_every_process() -> None:
    clock = FakeClock()
    clock.at(3.7)
    late = Collector(10, clock=clock, stopwatch=clock)
    late.request()
    clock.at(10)
    assert [bucket.start - EPOCH for bucket in late.ended()] == [0]


def test_a_late_fetch_leaves_every_request_in_its_own_bucket(clock: FakeClock, collector: Collector) -> None:
    for second in (4.9, 5.1, 5.2, 11.0):
        clock.at(second)
        collector.request()
    clock.at(15.5)
    assert [(bucket.start - EPOCH, bucket.arrivals) for bucket in collector.ended()] == [(0, 1), (5, 2), (10, 1)]


def test_active_connections_are_the_mean_over_the_bucket(clock: FakeClock, collector: Collector) -> None:
    clock.at(1)
    request = collector.request()
    clock.at(3)
    request.end()
    held = collector.request()
    clock.at(12.5)
    held.end()
    clock.at(15)
    assert [bucket.active for bucket in collector.ended()] == [(2 + 2) / 5, 1.0, 0.5]


def test_an_unfinished_bucket_counts_what_is_active_only_until_now(clock: FakeClock, collector: Collector) -> None:
    collector.request()
    clock.at(2.5)
    (partial,) = collector.flush()
    clock.at(5)
    (rest,) = collector.ended()
    assert (partial.active, rest.active) == (0.5, 0.5)


def test_response_times_keep_their_distribution(clock: FakeClock, collector: Collector) -> None:
    for seconds in (0.01, 0.01, 1.5):
        clock.at(0)
        request = collector.request()
        clock.at(seconds)
        request.responded()
        request.end()
    clock.at(5)
    (bucket,) = collector.ended()
    assert values(bucket)["AverageResponseTime"] == [(pytest.approx(0.01, abs=1e-6), 2), (1.5, 1)]


def test_response_time_ends_with_the_beginning_of_the_response(clock: FakeClock, collector: Collector) -> None:
    request = collector.request()
    clock.at(0.5)
    request.responded()
    clock.at(4)  # A client that reads slowly.
    request.end()
    clock.at(5)
    (bucket,) = collector.ended()
    assert values(bucket)["AverageResponseTime"] == [(0.5, 1)]


def test_a_failed_request_has_a_response_time_a_cancelled_one_has_none(clock: FakeClock, collector: Collector) -> None:
    for error in (RuntimeError(), asyncio.CancelledError()):
        clock.at(0)
        request = collector.request()
        clock.at(1)
        request.end(error)
    clock.at(5)
    (bucket,) = collector.ended()
    assert values(bucket)["AverageResponseTime"] == [(1.0, 1)]
    assert bucket.errors == 1
    assert collector.active == 0


def test_server_errors_are_those_that_the_load_balancer_would_count(clock: FakeClock, collector: Collector) -> None:
    for status in (200, 302, 404, 499, 500, 503):
        answer(collector, status)
    unanswered = collector.request()
    unanswered.end()  # The server answers 500 for an application that does not.
    begun = collector.request()
    begun.responded(200)
    begun.end(RuntimeError())  # Broken off in the middle: the status was sent before.
    clock.at(5)
    (bucket,) = collector.ended()
    errors = [metric.samples for metric in bucket.metrics().metrics if metric.name == "HTTPCode_Target_5XX_Count"]
    assert [(sample.value, sample.count) for (sample,) in errors] == [(3, 1)]


def test_what_is_answered_long_before_its_end_is_active_for_its_life(clock: FakeClock, collector: Collector) -> None:
    websocket = collector.request()
    clock.at(0.5)
    websocket.responded(101)
    clock.at(10)
    websocket.end()
    first, second = collector.ended()
    assert values(first) == {
        "RequestsPerSecond": [(0.2, 1)],
        "ActiveConnections": [(1.0, 1)],
        "AverageResponseTime": [(0.5, 1)],
    }
    assert values(second) == {"RequestsPerSecond": [(0.0, 1)], "ActiveConnections": [(1.0, 1)]}


def test_flush_returns_the_unfinished_bucket_too(clock: FakeClock, collector: Collector) -> None:
    collector.request()
    clock.at(7)
    collector.request()
    assert [(bucket.start - EPOCH, bucket.arrivals) for bucket in collector.flush()] == [(0, 1), (5, 1)]


def test_flush_leaves_out_an_unfinished_bucket_in_which_nothing_happened(
    clock: FakeClock, collector: Collector
) -> None:
    clock.at(7)
    assert [bucket.start - EPOCH for bucket in collector.flush()] == [0]


class Stepping:
    """A collector whose wall clock is set by somebody; second 2 of its first bucket, with one connection open."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.collector = Collector(clock=self.time.clock, stopwatch=self.time.stopwatch)
        self.collector.request()
        self.time.pass_(2)

    def answer(self) -> None:
        request = self.collector.request()
        request.responded()
        request.end()

    def buckets(self) -> list[tuple[int, int]]:
        """(start, arrivals) of the ended buckets."""
        return [(bucket.start - EPOCH, bucket.arrivals) for bucket in self.collector.ended()]


def test_a_clock_set_forward_by_an_hour_is_not_an_hour_of_idleness() -> None:
    stepping = Stepping()
    stepping.time.set_clock(by=3600)
    assert stepping.buckets() == [(0, 1)]
    stepping.answer()
    stepping.time.pass_(5)
    assert stepping.buckets() == [(3600, 1)]


def test_a_clock_set_forward_by_some_seconds_leaves_no_bucket_out() -> None:
    stepping = Stepping()
    stepping.time.set_clock(by=10)
    assert stepping.buckets() == [(0, 1), (5, 0)]
    stepping.time.pass_(5)
    assert stepping.buckets() == [(10, 0)]


def test_a_clock_set_back_by_an_hour_does_not_silence_the_task() -> None:
    stepping = Stepping()
    stepping.time.set_clock(by=-3600)
    assert stepping.buckets() == [(0, 1)]
    stepping.answer()
    stepping.time.pass_(5)
    assert stepping.buckets() == [(-3600, 1)]


def test_a_clock_that_wobbles_makes_no_second_bucket() -> None:
    stepping = Stepping()
    for by in (0.4, -0.5, 0.3, -0.6):
        stepping.time.set_clock(by)
        stepping.answer()
        assert stepping.buckets() == []
    stepping.time.pass_(3.5)
    assert stepping.buckets() == [(0, 5)]


@pytest.mark.parametrize("by", [3600, 10, 1, -1, -2, -10, -3600])
def test_a_step_of_the_clock_changes_no_response_time_and_no_number_of_connections(by: float) -> None:
    stepping = Stepping()
    request = stepping.collector.request()
    stepping.time.set_clock(by)
    stepping.time.pass_(0.5)
    request.responded()
    request.end()
    buckets = []
    for _ in range(4):
        stepping.time.pass_(2.5)
        buckets += stepping.collector.ended()
    times = [(one.total, one.count) for bucket in buckets for one in bucket.response_times]
    assert times == [(0.5, 1)]
    assert stepping.collector.active == 1
    assert buckets[-1].active == pytest.approx(1.0)
    assert all(bucket.active >= 0 for bucket in buckets)


def test_memory_stays_bounded_when_nobody_fetches(clock: FakeClock, collector: Collector) -> None:
    for second in range(0, 10_000, 5):
        clock.at(second)
        collector.request()
    assert len(collector.ended()) <= 120


@pytest.mark.parametrize("seconds", [0, 61, -5, 2.5])
def test_bucket_lengths_outside_of_1_to_60_are_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="whole number from 1 to 60"):
        Collector(seconds)


@pytest.mark.parametrize("seconds", [1, 60])
def test_the_shortest_and_the_longest_bucket(seconds: int) -> None:
    clock = FakeClock()
    collector = Collector(seconds, clock=clock, stopwatch=clock)
    for _ in range(120):
        collector.request()
    clock.at(seconds)
    (bucket,) = collector.ended()
    assert values(bucket)["RequestsPerSecond"] == [(120 / seconds, 1)]


def test_fifty_threads_lose_no_request_and_leak_no_connection(clock: FakeClock, collector: Collector) -> None:
    def serve() -> None:
        for _ in range(200):
            answer(collector)

    threads = [threading.Thread(target=serve) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.at(5)
    (bucket,) = collector.ended()
    assert bucket.arrivals == 10_000
    assert sum(one.count for one in bucket.response_times) == 10_000
    assert collector.active == 0


def test_a_forked_child_begins_at_zero_and_ends_no_request_of_its_parent(
    clock: FakeClock, collector: Collector
) -> None:
    inherited = collector.request()
    collector.forget()
    answer(collector)
    inherited.responded(500)
    inherited.end()
    assert collector.active == 0
    clock.at(5)
    (bucket,) = collector.ended()
    assert (bucket.arrivals, bucket.errors, bucket.active) == (1, 0, 0.0)


@given(gaps=st.lists(st.floats(0, 20), max_size=60), seconds=st.sampled_from([1, 5, 10, 60]))
def test_every_request_is_in_exactly_one_bucket_and_no_bucket_is_missing(gaps: list[float], seconds: int) -> None:
    clock = FakeClock()
    collector = Collector(seconds, clock=clock, stopwatch=clock)
    buckets = collector.ended()
    for gap in gaps:
        clock.now += gap
        collector.request()
        buckets += collector.ended()
    clock.now += seconds
    buckets += collector.ended()
    starts = [bucket.start for bucket in buckets]
    assert starts == list(range(EPOCH, EPOCH + seconds * len(starts), seconds))
    assert sum(bucket.arrivals for bucket in buckets) == len(gaps)


@given(
    st.lists(
        st.tuples(st.sampled_from(["open", "finish", "fail", "abort", "set clock"]), st.integers(0, 9), st.floats(0, 3))
    )
)
def test_the_gauge_shows_what_is_open_whatever_happens(events: list[tuple[str, int, float]]) -> None:
    time = FakeTime()
    collector = Collector(clock=time.clock, stopwatch=time.stopwatch)
    endings = {"finish": None, "fail": RuntimeError(), "abort": GeneratorExit()}
    opened, open_now = [], set()
    for what, which, gap in events:
        time.pass_(gap)
        if what == "open":
            opened.append(collector.request())
            open_now.add(len(opened) - 1)
        elif what == "set clock":
            time.set_clock(by=(which - 5) * 4)
        elif opened:
            index = which % len(opened)  # It may have been ended before: that must change nothing.
            opened[index].end(endings[what])
            open_now.discard(index)
        assert collector.active == len(open_now)
    time.pass_(5)
    buckets = collector.ended()
    assert all(0 <= bucket.active <= len(opened) + 0.001 for bucket in buckets)
    time.pass_(10)  # One whole bucket, wherever the clock was set.
    assert [bucket.active for bucket in collector.ended()[-1:]] == [pytest.approx(len(open_now))]
