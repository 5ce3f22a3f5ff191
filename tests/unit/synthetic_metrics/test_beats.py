"""A whole run against fakes: what is published when, for how many tasks, and how it ends."""

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from beats import Summary, run
from synthetic_event import parse_event
from task_count import FixedTasks, TaskCountUnknown

from fastscaler.publisher.metrics import BucketMetrics
from fastscaler.publisher.sinks import SinkError

EPOCH = 1_800_000_000  # A bucket boundary.
STEP = {
    "Profile": "step",
    "Cluster": "shop",
    "Service": "web",
    "BaseRequestsPerSecond": 200,
    "PeakRequestsPerSecond": 1000,
    "StepAtSeconds": 12,
    "DurationSeconds": 30,
}


class FakeClock:
    """Sleeping takes no time and ends when it should."""

    def __init__(self, at: float = 0.0) -> None:
        self.time = EPOCH + at

    def now(self) -> float:
        return self.time

    def sleep_until(self, at: float) -> None:
        self.time = max(self.time, at)


class FakeSink:
    """Keeps what it is sent and when. `fail` says what to raise at a given attempt (from 0)."""

    def __init__(self, clock: FakeClock, fail: Callable[[int], SinkError | None] = lambda attempt: None) -> None:
        self.clock, self.fail = clock, fail
        self.attempts = self.calls = 0
        self.buckets: list[BucketMetrics] = []
        self.times: list[float] = []

    def send(self, buckets: Sequence[BucketMetrics]) -> None:
        self.attempts += 1
        error = self.fail(self.attempts - 1)
        if error:
            raise error
        self.calls += 1
        self.buckets += buckets
        self.times.append(self.clock.now() - EPOCH)

    @property
    def starts(self) -> list[int]:
        return [bucket.start - EPOCH for bucket in self.buckets]

    def load(self) -> list[tuple[float, int]]:
        """(Sum, SampleCount) of RequestsPerSecond in each bucket, as CloudWatch would answer them."""
        samples = [bucket.metrics[0].samples for bucket in self.buckets]
        return [(sum(one.value * one.count for one in each), sum(one.count for one in each)) for each in samples]


class ScriptedTasks:
    """The running count read at each bucket; None is a call that fails."""

    def __init__(self, *counts: int | None) -> None:
        self.counts = list(counts)

    def read(self) -> int:
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        if count is None:
            raise TaskCountUnknown("cannot tell: ThrottlingException")
        return count


class Run:
    """One run of `STEP` with changes."""

    def __init__(
        self,
        *counts: int | None,
        at: float = 0.0,
        deadline: float = 900.0,
        fail: Callable[[int], SinkError | None] = lambda attempt: None,
        **changes: Any,
    ) -> None:
        self.clock = FakeClock(at)
        self.sink = FakeSink(self.clock, fail)
        self.tasks = ScriptedTasks(*(counts or (4,)))
        self.event = parse_event(STEP | changes)
        self.deadline = EPOCH + deadline
        self.output = io.StringIO()

    def __call__(self) -> Summary:
        log = Logger(service=f"test-{id(self)}", stream=self.output)
        return run(self.event, self.sink, self.tasks, self.clock, self.deadline, log)

    def logged(self, message: str) -> list[dict[str, Any]]:
        records = map(json.loads, self.output.getvalue().splitlines())
        return [record for record in records if message in record["message"]]


def test_each_bucket_is_published_when_it_ends_with_its_exact_mean() -> None:
    one = Run()
    one()
    assert one.sink.starts == [0, 5, 10, 15, 20, 25]
    assert one.sink.times == [5, 10, 15, 20, 25, 30]
    # The step falls 2 s into the third bucket: (2 x 200 + 3 x 1000) / 5.
    assert one.sink.load() == [(200, 4), (200, 4), (680, 4), (1000, 4), (1000, 4), (1000, 4)]


def test_at_the_end_the_load_rests() -> None:
    one = Run(DurationSeconds=40, RestSeconds=10)
    one()
    assert [load for load, _ in one.sink.load()] == [200, 200, 680, 1000, 1000, 1000, 200, 200]


def test_second_zero_is_the_next_bucket_boundary() -> None:
    one = Run(at=2.3)
    summary = one()
    assert one.sink.starts[0] == 5
    assert summary.surge_at == EPOCH + 5 + 12


def test_the_summary_says_what_was_done() -> None:
    one = Run()
    assert one() == Summary(
        profile="step",
        beats=6,
        values_published=18,
        put_calls=6,
        peak_requests_per_second=1000,
        first_bucket=EPOCH,
        last_bucket=EPOCH + 25,
        surge_at=EPOCH + 12,
        surge_published_at=EPOCH + 15,
        ended_by="profile",
    )


def test_a_profile_without_a_jump_has_no_surge() -> None:
    one = Run(at=1)
    one.event = parse_event(
        {"Profile": "constant", "Cluster": "shop", "Service": "web", "BaseRequestsPerSecond": 7, "DurationSeconds": 10}
    )
    assert one().surge_at is None


def test_more_tasks_share_the_same_load_from_the_next_bucket_on() -> None:
    one = Run(4, 4, 4, 4, 12, 12)
    one()
    assert one.sink.load()[3:] == [(1000, 4), (pytest.approx(1000), 12), (pytest.approx(1000), 12)]


def test_a_fixed_number_of_tasks() -> None:
    one = Run()
    one.tasks = FixedTasks(10)  # type: ignore[assignment]
    one()
    assert {count for _, count in one.sink.load()} == {10}


def test_a_spread_publishes_one_sample_per_task_and_the_same_sum() -> None:
    one = Run(10, Spread=0.3, Seed=7)
    one()
    assert one.sink.load()[0] == (pytest.approx(200), 10)
    assert len({sample.value for sample in one.sink.buckets[0].metrics[0].samples}) == 10


def test_a_count_that_cannot_be_read_is_the_last_known_one() -> None:
    one = Run(4, None, None, 5)
    one()
    assert [count for _, count in one.sink.load()] == [4, 4, 4, 5, 5, 5]
    assert len(one.logged("last known number of tasks")) == 2


def test_a_count_that_was_never_known_ends_the_run_with_nothing_published() -> None:
    one = Run(None)
    with pytest.raises(TaskCountUnknown, match="ThrottlingException"):
        one()
    assert one.sink.attempts == 0


def test_while_no_task_runs_nothing_is_published_and_it_is_said() -> None:
    one = Run(0, 0, 3)
    summary = one()
    assert one.sink.starts == [10, 15, 20, 25]
    assert (summary.beats, summary.beats_without_tasks) == (4, 2)
    assert len(one.logged("no task is running")) == 2


def test_it_ends_before_the_deadline_without_a_last_zero() -> None:
    one = Run(deadline=40, DurationSeconds=60)
    summary = one()
    assert summary.ended_by == "deadline"
    assert one.clock.now() <= EPOCH + 25
    assert one.sink.load()[-1] == (1000, 4)


def test_a_run_that_ends_before_its_surge_reports_none() -> None:
    assert Run(deadline=30)().surge_at is None


def test_a_passing_failure_is_tried_once_more() -> None:
    one = Run(fail=lambda attempt: SinkError("Throttling", retryable=True) if attempt == 2 else None)
    summary = one()
    assert one.sink.starts == [0, 5, 10, 15, 20, 25]
    assert (summary.beats, summary.beats_failed) == (6, 0)


def test_a_bucket_that_cannot_be_published_is_counted_and_the_run_goes_on() -> None:
    one = Run(fail=lambda attempt: SinkError("time-out", retryable=False) if attempt == 2 else None)
    summary = one()
    assert one.sink.starts == [0, 5, 15, 20, 25]
    assert (summary.beats, summary.beats_failed, summary.put_calls) == (5, 1, 5)
    assert one.logged("not published")


def test_without_permission_the_run_fails_at_its_first_bucket() -> None:
    one = Run(fail=lambda attempt: SinkError("PutMetricData: AccessDenied", retryable=False))
    with pytest.raises(SinkError, match="AccessDenied"):
        one()
    assert one.sink.attempts == 1


def test_a_slow_call_delays_buckets_but_drops_none() -> None:
    one = Run()
    sent = one.sink.send

    def slow(buckets: Sequence[BucketMetrics]) -> None:
        one.clock.time += 7
        sent(buckets)

    one.sink.send = slow  # type: ignore[method-assign]
    one()
    assert one.sink.starts == [0, 5, 10, 15, 20, 25]
