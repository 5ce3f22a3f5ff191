"""Where metrics go. A sink sends and reports failure; when to send, and whether again, is the publisher's decision."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from fastscaler.publisher.ecs_metadata import Task, TaskUnknown, this_task
from fastscaler.publisher.metrics import UNITS, BucketMetrics, Metric

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_VALUES_PER_DATUM = 150
_DATA_PER_CALL = 1000
# One value with its count takes about 100 bytes in the longest encoding (query): half of the 1 MB allowed per call.
_VALUES_PER_CALL = 5000
_CONNECT_TIMEOUT, _READ_TIMEOUT = 2, 3  # Seconds; together one call takes no longer than one bucket.
_ADVICE = ": give the ECS task a task role that allows cloudwatch:PutMetricData in this namespace"
_THROTTLED = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"})


class SinkError(Exception):
    """Data was not taken. `retryable`: sending the same again may help, and cannot count anything twice."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        self.retryable = retryable
        super().__init__(message)


class Sink(Protocol):
    """Takes ended buckets somewhere. May block; is called from one thread at a time.

    `destination` says where, in words of its own: what the processes of a task publish to the same one, is added up.
    """

    @property
    def destination(self) -> str: ...

    def send(self, buckets: Sequence[BucketMetrics]) -> None:
        """Send all of it, or raise `SinkError`."""


class CloudWatchSink:
    """Sends buckets with PutMetricData: all metrics in one call, at high resolution, per cluster and service.

    Cluster and service default to those of the ECS task this process runs in. They are looked up, and the client is
    made, at the first `send`: constructing a sink reads and calls nothing.
    """

    def __init__(
        self,
        namespace: str = "FastScaling/Application",
        *,
        cluster: str | None = None,
        service: str | None = None,
        client: "CloudWatchClient | None" = None,
    ) -> None:
        self.calls = 0  # PutMetricData calls that succeeded.
        self._namespace = namespace
        self._cluster, self._service = cluster, service
        self._task: Task | None = None
        self._given_client = client
        self._client: CloudWatchClient | None = None
        self._client_made_in = 0  # Process id: connections do not survive a fork.

    @property
    def destination(self) -> str:
        """Namespace, cluster and service; the latter two are empty where ECS tells them."""
        return f"cloudwatch {self._namespace} {self._cluster or ''} {self._service or ''}"

    def send(self, buckets: Sequence[BucketMetrics]) -> None:
        """One call for up to 1,000 data and 5,000 values. Takes at most 5 s a call; raises `SinkError`."""
        before = self.calls
        try:
            task = self._task = self._task or this_task(self._cluster, self._service)
            client = self._given_client or self._own_client()
            for data in _calls(metric_data(buckets, task)):
                client.put_metric_data(Namespace=self._namespace, MetricData=data)
                self.calls += 1
        except TaskUnknown as error:
            raise SinkError(str(error), retryable=error.temporary) from error
        except Exception as error:
            # With a part of it sent, sending all of it again would count that part twice.
            raise _sink_error(error, nothing_sent=self.calls == before) from error

    def _own_client(self) -> "CloudWatchClient":
        if self._client is None or self._client_made_in != os.getpid():
            self._client, self._client_made_in = cloudwatch_client(), os.getpid()
        return self._client


def cloudwatch_client() -> "CloudWatchClient":
    """A client that answers or fails within 5 s. It does not retry: the publisher does, and knows for how long.

    Raises botocore's NoCredentialsError where there are none: a client made without would never find any.
    """
    # Here, so that importing the publisher costs an application nothing. And of boto3 only the part that is needed: all
    # of it cannot be imported while the interpreter shuts down, when a short-lived process sends its only bucket.
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import NoCredentialsError

    config = Config(
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    session = botocore.session.Session()
    if session.get_credentials() is None:
        raise NoCredentialsError
    # ECS sets AWS_REGION; botocore by itself reads AWS_DEFAULT_REGION and the configuration file only.
    region = os.environ.get("AWS_REGION")
    client: CloudWatchClient = session.create_client("cloudwatch", region_name=region, config=config)  # type: ignore[assignment]
    return client


def metric_data(buckets: Sequence[BucketMetrics], task: Task) -> "list[MetricDatumTypeDef]":
    """PutMetricData's form of `buckets`: each distinct value once with its count, timestamps at the bucket's start.

    A metric with more than 150 distinct values becomes several data of the same name and timestamp, which CloudWatch
    adds up (its own agent does the same).
    """
    return [
        {
            "MetricName": metric.name,
            "Dimensions": [{"Name": "Cluster", "Value": task.cluster}, {"Name": "Service", "Value": task.service}],
            "Timestamp": datetime.fromtimestamp(bucket.start, UTC),
            "Values": [value for value, _ in part],
            "Counts": [count for _, count in part],
            "Unit": UNITS[metric.name],
            "StorageResolution": 1,
        }
        for bucket in buckets
        for metric in bucket.metrics
        for part in _parts(metric)
    ]


def _parts(metric: Metric) -> Iterator[list[tuple[float, int]]]:
    counts: Counter[float] = Counter()
    for sample in metric.samples:
        counts[sample.value] += sample.count
    values = list(counts.items())
    for first in range(0, len(values), _VALUES_PER_DATUM):
        yield values[first : first + _VALUES_PER_DATUM]


def _calls(data: "list[MetricDatumTypeDef]") -> "Iterator[list[MetricDatumTypeDef]]":
    call: list[MetricDatumTypeDef] = []
    values = 0
    for datum in data:
        size = len(datum["Values"])
        if call and (len(call) == _DATA_PER_CALL or values + size > _VALUES_PER_CALL):
            yield call
            call, values = [], 0
        call.append(datum)
        values += size
    if call:
        yield call


def _sink_error(error: Exception, nothing_sent: bool) -> SinkError:
    """What a failed call means, by AWS's error code and by the kind of connection error."""
    if isinstance(error, ImportError):
        return SinkError(f"boto3 cannot be imported ({error}): install boto3 in the application", retryable=False)
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        code = error.response.get("Error", {}).get("Code", "Unknown")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        retryable = nothing_sent and (status >= 500 or code in _THROTTLED)
        advice = _ADVICE if status in (401, 403) else ""
        return SinkError(f"PutMetricData: {code}{advice}", retryable=retryable)
    if isinstance(error, exceptions.NoCredentialsError):
        return SinkError(f"PutMetricData: no AWS credentials{_ADVICE}", retryable=False)
    if isinstance(error, exceptions.NoRegionError):
        return SinkError("PutMetricData: no AWS Region: set AWS_REGION (ECS does, on Fargate)", retryable=False)
    # Not a read time-out, nor a connection that was closed instead of an answer: there the data may have been taken,
    # and sending it again could count a bucket twice. A doubled load scales a service out for nothing; one missing
    # sample does no harm.
    passing = (
        exceptions.ConnectionError,
        exceptions.CredentialRetrievalError,
        exceptions.MetadataRetrievalError,
    )
    retryable = nothing_sent and isinstance(error, passing)
    return SinkError(f"PutMetricData: {type(error).__name__}: {error}", retryable=retryable)
