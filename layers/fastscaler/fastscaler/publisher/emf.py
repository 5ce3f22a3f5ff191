"""Metrics as log lines: CloudWatch Logs takes them out of the log, so publishing costs log bytes and no API call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from fastscaler.publisher.ecs_metadata import Task, TaskUnknown, this_task
from fastscaler.publisher.metrics import UNITS, BucketMetrics, Metric, Sample
from fastscaler.publisher.sinks import SinkError

_LARGEST_ARRAY = 100  # Values of one metric in one log event; CloudWatch Logs takes nothing from an event with more.


class _Stream(Protocol):
    def write(self, text: str, /) -> object: ...

    def flush(self) -> None: ...


class EmbeddedMetricSink:
    """Writes each bucket as one line of the embedded metric format, at high resolution, per cluster and service.

    To standard output unless `stream` is given. A log driver must carry the line to CloudWatch Logs unchanged; ECS's
    awslogs driver does, every 5 s or so. Cluster and service default to those of the ECS task, looked up at the first
    `send`. CloudWatch Logs delivers at least once: a bucket may, rarely, count twice.
    """

    def __init__(
        self,
        namespace: str = "FastScaling/Application",
        *,
        cluster: str | None = None,
        service: str | None = None,
        stream: _Stream | None = None,
    ) -> None:
        self._namespace = namespace
        self._cluster, self._service = cluster, service
        self._task: Task | None = None
        self._stream = stream

    @property
    def destination(self) -> str:
        """Namespace, cluster and service; the latter two are empty where ECS tells them."""
        return f"log {self._namespace} {self._cluster or ''} {self._service or ''}"

    def send(self, buckets: Sequence[BucketMetrics]) -> None:
        """Write and flush. Raises `SinkError`."""
        try:
            task = self._task = self._task or this_task(self._cluster, self._service)
            # One write for all: what other threads print must not fall into a line.
            lines = "".join(f"{log_line(bucket, self._namespace, task)}\n" for bucket in buckets)
            if self._stream is None:
                _print(lines)
            else:
                self._stream.write(lines)
                self._stream.flush()
        except TaskUnknown as error:
            raise SinkError(str(error), retryable=error.temporary) from error
        except (OSError, ValueError) as error:  # Some of it may have been written: sent again, it would count twice.
            raise SinkError(f"standard output cannot be written: {error}", retryable=False) from error


def _print(lines: str) -> None:
    """To standard output, past its buffer: `print` fills that in two steps, and a line must not come between them."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):  # Replaced by something that is no file.
        sys.stdout.write(lines)
        sys.stdout.flush()
        return
    left = lines.encode()
    while left:
        left = left[os.write(descriptor, left) :]


def log_line(bucket: BucketMetrics, namespace: str, task: Task) -> str:
    """The embedded metric format of one bucket, without the end of line; the timestamp is the bucket's start."""
    directive = {
        "Namespace": namespace,
        "Dimensions": [["Cluster", "Service"]],
        "Metrics": [
            {"Name": metric.name, "Unit": UNITS[metric.name], "StorageResolution": 1} for metric in bucket.metrics
        ],
    }
    line: dict[str, Any] = {
        "_aws": {"Timestamp": bucket.start * 1000, "CloudWatchMetrics": [directive]},
        "Cluster": task.cluster,
        "Service": task.service,
    }
    line.update((metric.name, _values(metric)) for metric in bucket.metrics)
    return json.dumps(line, separators=(",", ":"))


def _values(metric: Metric) -> float | list[float]:
    """A number, or an array of at most 100, in which a value that occurred often stands often.

    The format has no counts. More samples than fit are cut, in order, into 100 slices of equal weight, and each
    becomes its mean: the mean of all stays exact, percentiles are right to a percent of the samples.
    """
    if len(metric.samples) == 1 and metric.samples[0].count == 1:
        return metric.samples[0].value
    samples = sorted(metric.samples, key=lambda sample: sample.value)
    count = sum(sample.count for sample in samples)
    if count <= _LARGEST_ARRAY:
        return [sample.value for sample in samples for _ in range(sample.count)]
    return _slices(samples, count / _LARGEST_ARRAY)


def _slices(samples: list[Sample], weight: float) -> list[float]:
    """The mean of each slice of `weight` samples, to a microsecond."""
    means, total, room = [], 0.0, weight
    for sample in samples:
        left = float(sample.count)
        while left >= room:
            means.append(round((total + room * sample.value) / weight, 6))
            left, total, room = left - room, 0.0, weight
        total += left * sample.value
        room -= left
    return [*means, round(total / weight, 6)] if len(means) < _LARGEST_ARRAY else means
