"""What one process reports about a bucket."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.publisher.collect import Bucket, Collector
from tests.unit.publisher.fakes import EPOCH, FakeClock


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
    """Metric name -> (value, count) of its samples."""
    return {metric.name: [(one.value, one.count) for one in metric.samples] for metric in bucket.metrics().metrics}


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
    late = Collector(10, clock=clock)
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
    with collector.request():
        clock.at(3)
    held = collector.connection()
    clock.at(12.5)
    held.finish()
    clock.at(15)
    assert [bucket.active for bucket in collector.ended()] == [(2 + 2) / 5, 1.0, 0.5]


def test_response_times_keep_their_distribution(clock: FakeClock, collector: Collector) -> None:
    for seconds in (0.01, 0.01, 1.5):
        clock.at(0)
        with collector.request():
            clock.at(seconds)
    clock.at(5)
    (bucket,) = collector.ended()
    assert values(bucket)["AverageResponseTime"] == [(pytest.approx(0.01, abs=1e-6), 2), (1.5, 1)]


def test_response_time_ends_with_the_beginning_of_the_response(clock: FakeClock, collector: Collector) -> None:
    with collector.request() as request:
        clock.at(0.5)
        request.responded()
        clock.at(4)  # A client that reads slowly.
    clock.at(5)
    (bucket,) = collector.ended()
    assert values(bucket)["AverageResponseTime"] == [(0.5, 1)]


def test_a_failed_request_has_a_response_time_a_cancelled_one_has_none(clock: FakeClock, collector: Collector) -> None:
    def serve(error: BaseException) -> None:
        clock.at(0)
        with collector.request():
            clock.at(1)
            raise error

    with pytest.raises(RuntimeError):
        serve(RuntimeError())
    with pytest.raises(asyncio.CancelledError):
        serve(asyncio.CancelledError())
    clock.at(5)
    (bucket,) = collector.ended()
    assert values(bucket)["AverageResponseTime"] == [(1.0, 1)]
    assert collector.active == 0


def test_a_websocket_is_active_for_its_life_which_is_no_response_time(clock: FakeClock, collector: Collector) -> None:
    with collector.connection():
        clock.at(10)
    first, second = collector.ended()
    assert values(first) == {"RequestsPerSecond": [(0.2, 1)], "ActiveConnections": [(1.0, 1)]}
    assert values(second) == {"RequestsPerSecond": [(0.0, 1)], "ActiveConnections": [(1.0, 1)]}


def test_flush_returns_the_unfinished_bucket_too(clock: FakeClock, collector: Collector) -> None:
    collector.request()
    clock.at(7)
    collector.request()
    assert [(bucket.start - EPOCH, bucket.arrivals) for bucket in collector.flush()] == [(0, 1), (5, 1)]


def test_a_clock_set_forward_by_an_hour_is_not_an_hour_of_idleness(clock: FakeClock, collector: Collector) -> None:
    collector.request()
    clock.at(3600)
    collector.request()
    clock.at(3605)
    assert [(bucket.start - EPOCH, bucket.arrivals) for bucket in collector.ended()] == [(0, 1), (3600, 1)]


def test_a_clock_that_wobbles_over_a_boundary_makes_no_second_bucket(clock: FakeClock, collector: Collector) -> None:
    for second in (5.01, 4.99, 5.02):
        clock.at(second)
        collector.request()
    clock.at(10)
    assert [(bucket.start - EPOCH, bucket.arrivals) for bucket in collector.ended()] == [(0, 0), (5, 3)]


def test_a_clock_set_back_by_an_hour_does_not_silence_the_task(clock: FakeClock, collector: Collector) -> None:
    collector.request().finish()
    clock.at(-3600)
    collector.request()
    clock.at(-3595)
    assert [(bucket.start - EPOCH, bucket.arrivals) for bucket in collector.ended()] == [(0, 1), (-3600, 1)]


def test_memory_stays_bounded_when_nobody_fetches(clock: FakeClock, collector: Collector) -> None:
    for second in range(0, 10_000, 5):
        clock.at(second)
        collector.request()
    assert len(collector.ended()) <= 120


@pytest.mark.parametrize("seconds", [0, 61, -5, 2.5])
def test_bucket_lengths_outside_of_1_to_60_are_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="whole number from 1 to 60"):
        Collector(seconds)


def test_fifty_threads_lose_no_request_and_leak_no_connection(clock: FakeClock, collector: Collector) -> None:
    def serve() -> None:
        for _ in range(200):
            with collector.request():
                pass

    threads = [threading.Thread(target=serve) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.at(5)
    (bucket,) = collector.ended()
    assert bucket.arrivals == 10_000
    assert sum(sample.count for sample in bucket.response_times) == 10_000
    assert collector.active == 0


@given(gaps=st.lists(st.floats(0, 20), max_size=60), seconds=st.sampled_from([1, 5, 10, 60]))
def test_every_request_is_in_exactly_one_bucket_and_no_bucket_is_missing(gaps: list[float], seconds: int) -> None:
    clock = FakeClock()
    collector = Collector(seconds, clock=clock)
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


@given(st.lists(st.tuples(st.sampled_from(["open", "finish", "fail", "abort"]), st.integers(0, 9), st.floats(0, 3))))
def test_the_gauge_shows_what_is_open_whatever_happens(events: list[tuple[str, int, float]]) -> None:
    clock = FakeClock()
    collector = Collector(clock=clock, stopwatch=clock)
    opened, open_now = [], set()
    for what, which, gap in events:
        clock.now += gap
        if what == "open":
            opened.append(collector.request() if which % 2 else collector.connection())
            open_now.add(len(opened) - 1)
        elif opened:
            index = which % len(opened)  # It may have been finished before: that must change nothing.
            if what == "finish":
                opened[index].finish()
            else:
                opened[index].__exit__(RuntimeError if what == "fail" else GeneratorExit, None, None)
            open_now.discard(index)
        assert collector.active == len(open_now)
    clock.now += 5
    assert all(bucket.active >= 0 for bucket in collector.ended())
