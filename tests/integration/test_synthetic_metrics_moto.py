"""The synthetic function against an AWS API served on this machine: what CloudWatch answers afterwards.

moto stands in for AWS. It answers Sum and SampleCount at 5 s as CloudWatch does; percentiles it cannot, so the
distribution of response times is covered by unit tests only.
"""

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger
from moto.server import ThreadedMotoServer

from fastscaler.publisher.sinks import CloudWatchSink
from tests.unit.synthetic_metrics.loading import load_app

EVENTS = Path(__file__).parents[2] / "events"
NAMESPACE = "FastScaling/Application"
CLUSTER, SERVICE = "fast-scaling-cluster", "fast-scaling-service"
EPOCH = 1_790_000_000  # A bucket boundary.


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty account with one service of two running tasks."""
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"), timeout=10).close()
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "METRIC_NAMESPACE": NAMESPACE,
    }.items():
        monkeypatch.setenv(name, value)
    ecs = boto3.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.register_task_definition(family="web", containerDefinitions=[{"name": "web", "image": "web", "memory": 128}])
    ecs.create_service(cluster=CLUSTER, serviceName=SERVICE, taskDefinition="web", desiredCount=2)
    scale(2)


def scale(tasks: int) -> None:
    """moto runs the desired tasks from the first update on, and at once."""
    boto3.client("ecs").update_service(cluster=CLUSTER, service=SERVICE, desiredCount=tasks)


def answered(metric: str, buckets: int, first: int = EPOCH) -> list[tuple[int, float, float]]:
    """(seconds after `first`, Sum, SampleCount) of each 5 s bucket that has data, oldest first."""
    dimensions = [{"Name": "Cluster", "Value": CLUSTER}, {"Name": "Service", "Value": SERVICE}]
    stat = {"Metric": {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}, "Period": 5}
    queries = [{"Id": name.lower(), "MetricStat": stat | {"Stat": name}} for name in ("Sum", "SampleCount")]
    sums, counts = boto3.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries,  # type: ignore[arg-type]
        StartTime=datetime.fromtimestamp(first, UTC),
        EndTime=datetime.fromtimestamp(first + 5 * buckets, UTC),
        ScanBy="TimestampDescending",
    )["MetricDataResults"]
    assert sums["Timestamps"] == counts["Timestamps"]
    times = [int(at.timestamp()) - first for at in sums["Timestamps"]]
    return sorted(zip(times, sums["Values"], counts["Values"], strict=True))


class FastClock:
    """Begins at EPOCH; sleeping takes no time. `at` calls a function when its time has come."""

    def __init__(self) -> None:
        self.time = float(EPOCH)
        self.at: dict[float, Any] = {}

    def now(self) -> float:
        return self.time

    def sleep_until(self, at: float) -> None:
        self.time = max(self.time, at)
        for moment in [moment for moment in self.at if EPOCH + moment <= self.time]:
            self.at.pop(moment)()


def run_fast(event: dict[str, Any], clock: FastClock | None = None) -> Any:
    """The function's own parts, on a clock that does not wait."""
    app, clock = load_app(), clock or FastClock()
    parsed = app.parse_event(event)
    tasks = app.RunningTasks(boto3.client("ecs"), parsed.cluster, parsed.service)
    # boto3's own time-outs: with the sink's, a busy machine that answers after 3 s would cost a bucket.
    sink = CloudWatchSink(NAMESPACE, cluster=parsed.cluster, service=parsed.service, client=boto3.client("cloudwatch"))
    return app.run(parsed, sink, tasks, clock, EPOCH + 900, Logger(service="test"))


def load_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return event


def nothing_published() -> bool:
    return not boto3.client("cloudwatch").list_metrics()["Metrics"]


@pytest.mark.usefixtures("aws")
def test_the_step_event_surges_to_five_times_the_load() -> None:
    summary = run_fast(load_event("synthetic_step.json"))
    loads = answered("RequestsPerSecond", 36)
    assert loads == [(start, 120 if start < 30 else 600, 2) for start in range(0, 180, 5)]
    assert [count for _, _, count in answered("ActiveConnections", 36)] == [2] * 36
    assert (summary.beats, summary.put_calls, summary.surge_at) == (36, 36, EPOCH + 30)


@pytest.mark.usefixtures("aws")
def test_tasks_that_start_during_the_run_take_their_share() -> None:
    clock = FastClock()
    clock.at[60] = lambda: scale(6)
    run_fast(load_event("synthetic_step.json"), clock)
    loads = answered("RequestsPerSecond", 36)
    assert [total for _, total, _ in loads[6:]] == pytest.approx([600] * 30)
    assert {(start >= 60, count) for start, _, count in loads} == {(False, 2), (True, 6)}


@pytest.mark.usefixtures("aws")
def test_the_spike_event_jumps_and_decays() -> None:
    scale(20)
    summary = run_fast(load_event("synthetic_spike.json"))
    loads = [total for _, total, _ in answered("RequestsPerSecond", 60)]
    assert loads[:6] == pytest.approx([120] * 6, abs=1e-3)
    # The jump to 1200 is 2 s into the seventh bucket; in the eighth 91% of the excess is left, 60 s later 37% of that.
    assert loads[7] == max(loads) == pytest.approx(120 + 0.91 * 1080, rel=0.01)
    assert loads[19] == pytest.approx(120 + 0.37 * 0.91 * 1080, rel=0.01)
    assert loads[7:] == sorted(loads[7:], reverse=True)
    assert summary.surge_at == EPOCH + 32
    assert {count for _, _, count in answered("RequestsPerSecond", 60)} == {20}


@pytest.mark.usefixtures("aws")
def test_a_thousand_different_tasks_arrive_in_one_call_per_beat() -> None:
    event = load_event("synthetic_step.json") | {"DurationSeconds": 35, "Spread": 0.2, "BaseRequestsPerSecond": 900}
    scale(1000)
    summary = run_fast(event | {"PeakRequestsPerSecond": 5000})
    loads = answered("RequestsPerSecond", 7)
    assert [count for _, _, count in loads] == [1000] * 7
    assert [total for _, total, _ in loads] == pytest.approx([900] * 6 + [5000], rel=1e-6)
    assert summary.put_calls == 7


@pytest.mark.usefixtures("aws")
def test_response_times_count_the_requests_answered() -> None:
    run_fast(load_event("synthetic_step.json"))
    samples = [count for _, _, count in answered("AverageResponseTime", 36)]
    # At the base all 120 requests/s are answered; at the peak the two tasks answer 140 each.
    assert samples == [600] * 6 + [1400] * 30


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(("prefix", "other"), [("", "Drill"), ("Drill", "")])
def test_the_handler_publishes_in_real_time_under_the_names_asked_for(prefix: str, other: str) -> None:
    event = load_event("synthetic_step.json") | {
        "Profile": "constant",
        "BaseRequestsPerSecond": 120,
        "DurationSeconds": 5,
        "MetricPrefix": prefix,
    }
    for key in ("PeakRequestsPerSecond", "StepAtSeconds"):
        del event[key]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    summary = load_app().handler(event, context)
    json.dumps(summary)  # Lambda has to be able to return it.
    assert summary["beats"] == summary["put_calls"] == 1
    assert summary["first_bucket"] % 5 == 0
    first = summary["first_bucket"]
    assert answered(f"{prefix}RequestsPerSecond", 1, first=first) == [(0, 120, 2)]
    assert answered(f"{other}RequestsPerSecond", 1, first=first) == []


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("synthetic_unknown_profile.json", "Profile = 'sawtooth': must be one of constant, step, ramp, spike"),
        ("synthetic_negative.json", "BaseRequestsPerSecond = -120: must be a number from 0 to 1e+09"),
    ],
)
def test_an_invalid_event_is_refused_and_nothing_is_published(name: str, message: str) -> None:
    with pytest.raises(Exception, match="event: ") as caught:
        load_app().handler(load_event(f"invalid/{name}"), None)
    assert message in str(caught.value)
    assert nothing_published()


@pytest.mark.usefixtures("aws")
def test_a_service_that_does_not_exist_is_an_error_and_nothing_is_published() -> None:
    with pytest.raises(Exception, match=r"fast-scaling-cluster/no-such-service run: MISSING"):
        run_fast(load_event("synthetic_step.json") | {"Service": "no-such-service"})
    assert nothing_published()
