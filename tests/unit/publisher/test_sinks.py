"""What CloudWatch is sent, and what each of its refusals means."""

import os
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.publisher.ecs_metadata import Task
from fastscaler.publisher.metrics import BucketMetrics, Metric, Sample
from fastscaler.publisher.sinks import CloudWatchSink, SinkError, metric_data
from tests.unit.publisher.fakes import EPOCH

TASK = Task("shop", "web")


class FakeCloudWatch:
    """Takes PutMetricData calls; raises `errors` in turn (None: takes the call)."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.taken: list[dict[str, Any]] = []

    def put_metric_data(self, **call: Any) -> None:
        error = self.errors.pop(0) if self.errors else None
        if error:
            raise error
        self.taken.append(call)


def bucket(name: str, *values: float, start: int = EPOCH) -> BucketMetrics:
    return BucketMetrics(start, (Metric(name, tuple(Sample(value) for value in values)),))


def sink(cloudwatch: object) -> CloudWatchSink:
    return CloudWatchSink("Shop/Web", cluster="shop", service="web", client=cloudwatch)  # type: ignore[arg-type]


def refusal(code: str, status: int) -> botocore.exceptions.ClientError:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(answer, "PutMetricData")  # type: ignore[arg-type]


def test_a_bucket_is_one_call_with_all_metrics_in_the_form_aws_documents() -> None:
    client = boto3.client("cloudwatch", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    dimensions = [{"Name": "Cluster", "Value": "shop"}, {"Name": "Service", "Value": "web"}]
    shared = {"Dimensions": dimensions, "Timestamp": datetime.fromtimestamp(EPOCH, UTC), "StorageResolution": 1}
    expected = {
        "Namespace": "Shop/Web",
        "MetricData": [
            {"MetricName": "RequestsPerSecond", "Values": [4.2], "Counts": [1], "Unit": "Count/Second", **shared},
            {"MetricName": "ActiveConnections", "Values": [3.0], "Counts": [1], "Unit": "Count", **shared},
            {
                "MetricName": "AverageResponseTime",
                "Values": [0.01, 2.5],
                "Counts": [20, 1],
                "Unit": "Seconds",
                **shared,
            },
        ],
    }
    metrics = (
        Metric("RequestsPerSecond", (Sample(4.2),)),
        Metric("ActiveConnections", (Sample(3.0),)),
        Metric("AverageResponseTime", (Sample(0.01, 20), Sample(2.5))),
    )
    with Stubber(client) as stub:  # Checks the parameters against AWS's service model as well.
        stub.add_response("put_metric_data", {}, expected)
        sink(client).send([BucketMetrics(EPOCH, metrics)])
        stub.assert_no_pending_responses()


@given(st.lists(st.floats(0, 50).map(lambda value: round(value, 1)), min_size=1, max_size=1000))
def test_no_sample_is_lost_and_no_datum_is_above_the_limit(values: list[float]) -> None:
    data = metric_data([bucket("RequestsPerSecond", *values)], TASK)
    assert all(1 <= len(datum["Values"]) <= 150 for datum in data)
    published = [value for datum in data for value in datum["Values"]]
    counts = [count for datum in data for count in datum["Counts"]]
    assert len(set(published)) == len(published)
    assert sum(counts) == len(values)
    total = sum(value * count for value, count in zip(published, counts, strict=True))
    assert total == pytest.approx(sum(values))


def test_late_buckets_keep_their_own_timestamps() -> None:
    data = metric_data([bucket("RequestsPerSecond", 1.0, start=EPOCH + late) for late in (0, 5)], TASK)
    assert [datum["Timestamp"].timestamp() - EPOCH for datum in data] == [0, 5]


def test_a_thousand_different_values_of_each_metric_go_in_one_call() -> None:
    values = tuple(Sample(float(number)) for number in range(1000))
    names = ("RequestsPerSecond", "ActiveConnections", "AverageResponseTime")
    cloudwatch = FakeCloudWatch()
    sink(cloudwatch).send([BucketMetrics(EPOCH, tuple(Metric(name, values) for name in names))])
    (call,) = cloudwatch.taken
    assert sum(len(datum["Values"]) for datum in call["MetricData"]) == 3000


def test_what_exceeds_the_limits_of_one_call_goes_in_several() -> None:
    few_values, many_values = FakeCloudWatch(), FakeCloudWatch()
    sink(few_values).send([bucket("RequestsPerSecond", 1.0, start=EPOCH + second) for second in range(1001)])
    assert [len(call["MetricData"]) for call in few_values.taken] == [1000, 1]
    sink(many_values).send([bucket("RequestsPerSecond", *(float(number) for number in range(6000)))])
    assert all(sum(len(datum["Values"]) for datum in call["MetricData"]) <= 5000 for call in many_values.taken)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (refusal("Throttling", 400), True),
        (refusal("InternalServiceFault", 500), True),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"), True),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x"), True),
        (botocore.exceptions.CredentialRetrievalError(provider="container-role", error_msg="busy"), True),
        # The data may have been taken: sending it again could double the load that the scaler sees.
        (botocore.exceptions.ReadTimeoutError(endpoint_url="https://x"), False),
        (refusal("AccessDenied", 403), False),
        (refusal("InvalidParameterValue", 400), False),
        (botocore.exceptions.NoCredentialsError(), False),
    ],
    ids=lambda value: str(value) if isinstance(value, Exception) else "",
)
def test_only_failures_that_may_pass_and_cannot_double_a_bucket_are_retried(error: Exception, retryable: bool) -> None:
    with pytest.raises(SinkError, match="PutMetricData") as caught:
        sink(FakeCloudWatch(error)).send([bucket("RequestsPerSecond", 1.0)])
    assert caught.value.retryable is retryable


def test_after_a_part_was_taken_the_whole_is_not_sent_again() -> None:
    cloudwatch = FakeCloudWatch(None, refusal("Throttling", 400))
    with pytest.raises(SinkError) as caught:
        sink(cloudwatch).send([bucket("RequestsPerSecond", 1.0, start=EPOCH + second) for second in range(1001)])
    assert not caught.value.retryable


def test_outside_of_ecs_sending_fails_with_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECS_CONTAINER_METADATA_URI_V4", raising=False)
    with pytest.raises(SinkError, match="give cluster and service") as caught:
        CloudWatchSink(client=FakeCloudWatch()).send([bucket("RequestsPerSecond", 1.0)])  # type: ignore[arg-type]
    assert not caught.value.retryable


def test_without_a_region_the_application_gets_a_sink_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(SinkError, match="no AWS Region: set AWS_REGION"):
        CloudWatchSink(cluster="shop", service="web").send([bucket("RequestsPerSecond", 1.0)])


def test_credentials_that_come_later_are_found_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # Nobody listens there.
    one = CloudWatchSink(cluster="shop", service="web")
    with pytest.raises(SinkError, match="no AWS credentials"):
        one.send([bucket("RequestsPerSecond", 1.0)])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(SinkError, match="EndpointConnectionError"):
        one.send([bucket("RequestsPerSecond", 1.0)])
