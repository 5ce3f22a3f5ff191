"""The embedded metric format, as CloudWatch Logs reads it."""

import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.publisher.ecs_metadata import Task
from fastscaler.publisher.emf import EmbeddedMetricSink, log_line
from fastscaler.publisher.metrics import BucketMetrics, Metric, Sample
from fastscaler.publisher.sinks import SinkError
from tests.unit.publisher.fakes import EPOCH

TASK = Task("shop", "web")


def bucket(*samples: Sample, name: str = "AverageResponseTime", start: int = EPOCH) -> BucketMetrics:
    return BucketMetrics(start, (Metric(name, samples),))


def sink(stream: Any) -> EmbeddedMetricSink:
    return EmbeddedMetricSink("Shop/Web", cluster="shop", service="web", stream=stream)


def test_a_bucket_is_one_line_in_the_form_aws_documents() -> None:
    metrics = (
        Metric("RequestsPerSecond", (Sample(4.2),)),
        Metric("ActiveConnections", (Sample(3.0),)),
        Metric("HTTPCode_Target_5XX_Count", (Sample(0),)),
        Metric("AverageResponseTime", (Sample(0.01, 3), Sample(2.5))),
    )
    stream = io.StringIO()
    sink(stream).send([BucketMetrics(EPOCH, metrics), BucketMetrics(EPOCH + 5, metrics[:1])])
    first, second = stream.getvalue().splitlines()
    assert json.loads(first) == {
        "_aws": {
            "Timestamp": EPOCH * 1000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Shop/Web",
                    "Dimensions": [["Cluster", "Service"]],
                    "Metrics": [
                        {"Name": "RequestsPerSecond", "Unit": "Count/Second", "StorageResolution": 1},
                        {"Name": "ActiveConnections", "Unit": "Count", "StorageResolution": 1},
                        {"Name": "HTTPCode_Target_5XX_Count", "Unit": "Count", "StorageResolution": 1},
                        {"Name": "AverageResponseTime", "Unit": "Seconds", "StorageResolution": 1},
                    ],
                }
            ],
        },
        "Cluster": "shop",
        "Service": "web",
        "RequestsPerSecond": 4.2,
        "ActiveConnections": 3.0,
        "HTTPCode_Target_5XX_Count": 0,
        "AverageResponseTime": [0.01, 0.01, 0.01, 2.5],
    }
    assert json.loads(second)["_aws"]["Timestamp"] == (EPOCH + 5) * 1000
    assert stream.getvalue().endswith("\n")


samples_of_a_bucket = st.lists(
    st.builds(Sample, st.floats(0.0001, 120).map(lambda value: round(value, 6)), st.integers(1, 5000)), min_size=1
)


@given(samples_of_a_bucket)
def test_any_traffic_fits_one_event_and_one_write_with_its_mean_and_percentiles(samples: list[Sample]) -> None:
    line = log_line(bucket(*samples), "n", TASK)
    # A pipe takes up to 4,096 bytes at once: no other process can write into the middle of it.
    assert len(line) < 4096
    shown = json.loads(line)["AverageResponseTime"]
    shown = sorted(shown) if isinstance(shown, list) else [shown]
    assert 1 <= len(shown) <= 100
    count = sum(sample.count for sample in samples)
    assert sum(shown) / len(shown) == pytest.approx(
        sum(sample.value * sample.count for sample in samples) / count, abs=1e-6
    )
    values = sorted(sample.value for sample in samples for _ in range(sample.count))
    for percentile in (0.5, 0.9, 0.99):
        got = shown[math.ceil(percentile * len(shown)) - 1]
        # Right to a percent of the samples: between the values one slice below and one above.
        low = values[max(0, math.floor((percentile - 0.01) * count) - 1)]
        high = values[min(count - 1, math.ceil((percentile + 0.01) * count))]
        assert low - 1e-6 <= got <= high + 1e-6


def test_up_to_a_hundred_samples_are_all_there() -> None:
    samples = (Sample(0.01, 60), Sample(0.2, 39), Sample(5.0))
    shown = json.loads(log_line(bucket(*samples), "n", TASK))["AverageResponseTime"]
    assert shown == [0.01] * 60 + [0.2] * 39 + [5.0]


def test_it_goes_to_standard_output_where_the_log_driver_reads(capsys: pytest.CaptureFixture[str]) -> None:
    EmbeddedMetricSink(cluster="shop", service="web").send([bucket(Sample(0.1))])
    assert json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "FastScaling/Application"


def test_a_closed_standard_output_is_an_error_that_is_not_tried_again() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(SinkError, match="standard output cannot be written") as caught:
        sink(stream).send([bucket(Sample(0.1))])
    assert not caught.value.retryable


def test_outside_of_ecs_it_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECS_CONTAINER_METADATA_URI_V4", raising=False)
    with pytest.raises(SinkError, match="give cluster and service"):
        EmbeddedMetricSink().send([bucket(Sample(0.1))])
