"""A stand-in for AWS on this machine: a moto server in this process, corrected where moto differs from AWS.

    with LocalAws(start_seconds=30) as aws:
        Account(aws).create(desired=4)
        boto3.client("ecs", endpoint_url=aws.endpoint_url, ...)

What is corrected: tasks take time to start and rollouts complete (`aws_ecs.py`), targets become healthy
(`aws_elbv2.py`), metrics become visible late (`aws_cloudwatch.py`), GetMetricData answers as documented
(`metric_query.py`), and DynamoDB's writes are atomic (`front.py`). Tests plant faults with `fail` and `delay`, and read
what was asked in `calls`. IAM, quotas and throttling are not there, nor are paging, metric math and SEARCH.
"""

import time
from collections.abc import Callable
from functools import partial
from threading import Event, Lock
from types import TracebackType
from typing import Any, Self

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.base_backend import BackendDict
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from demo.aws_cloudwatch import CloudWatch, Put, Visibility, metric_datum
from demo.aws_ecs import Ecs, Fleets
from demo.aws_elbv2 import Elbv2
from demo.calls import CallLog
from demo.faults import Delay, Failure, Faults, When
from demo.fleet import Fleet
from demo.front import Front
from demo.server import Server

REGION = "us-east-1"

# moto keeps its state in the process, so two stand-ins in one process would be one.
_only_one = Lock()


class LocalAws:
    """The stand-in; a context manager. Times are in seconds, moments in epoch seconds of `clock`.

    `start_seconds` is from UpdateService to RUNNING, `health_seconds` from RUNNING to healthy in the target group.
    A PutMetricData call becomes visible after a log-normal delay (`visibility_median`, `visibility_sigma`, `seed`).
    Raises RuntimeError if another stand-in is running in this process.
    """

    def __init__(
        self,
        *,
        start_seconds: float = 30.0,
        health_seconds: float = 5.0,
        visibility_median: float = 0.0,
        visibility_sigma: float = 0.0,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.calls = CallLog()
        self.fleets = Fleets(start_seconds, health_seconds)
        self.visibility = Visibility(visibility_median, visibility_sigma, seed)
        self._clock = clock
        self._stopping = Event()
        self._faults = Faults()
        moto = DomainDispatcherApplication(create_backend_app)
        self._front = Front(moto, self._faults, self.calls, clock, self._stopping)
        self._originals: list[tuple[BackendDict[Any], Any]] = []
        self._server: Server | None = None

    def __enter__(self) -> Self:
        if not _only_one.acquire(blocking=False):
            raise RuntimeError("another LocalAws is running in this process, and moto keeps its state in the process")
        _forget_all()
        clock = self._clock
        self._replace(
            cloudwatch_backends, partial(CloudWatch, visibility=self.visibility, calls=self.calls, clock=clock)
        )
        self._replace(ecs_backends, partial(Ecs, fleets=self.fleets, clock=clock))
        self._replace(elbv2_backends, partial(Elbv2, fleets=self.fleets, clock=clock))
        self._server = Server(self._front)
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        if self._server:
            self._server.stop()
            self._server = None
        _forget_all()
        while self._originals:
            backends, original = self._originals.pop()
            backends.backend = original
        _only_one.release()

    def reset(self) -> None:
        """Forgets everything: resources, metrics, faults and calls. For tests that share one stand-in."""
        _forget_all()
        self.fleets.reset()
        self.visibility.reset()
        self.calls.reset()
        self._faults.clear()
        self.date_skew = 0.0

    @property
    def endpoint_url(self) -> str:
        if not self._server:
            raise RuntimeError("the stand-in is not running")
        return self._server.url

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point every AWS SDK of a process at the stand-in, and at nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    # Faults

    def fail(
        self, operation: str, error_code: str, *, status: int = 400, times: int | None = None, containing: str = ""
    ) -> None:
        """Answers calls of `operation` with an error and does nothing else; `times` None means until `clear`.

        `containing` limits it to calls whose body has this text, for example one service's name.
        """
        self._faults.fail(Failure(operation, error_code, status, containing, times))

    def delay(
        self, operation: str, seconds: float, *, when: When = "before", times: int | None = None, containing: str = ""
    ) -> None:
        """Waits before the effect of `operation` (it is applied late) or after it (it is answered late)."""
        self._faults.delay(Delay(operation, seconds, when, containing, times))

    def clear(self, operation: str | None = None) -> None:
        """Ends the faults of one operation, or all."""
        self._faults.clear(operation)

    @property
    def date_skew(self) -> float:
        """Seconds added to the Date header of every answer: what a client with a wrong clock would see."""
        return self._front.date_skew

    @date_skew.setter
    def date_skew(self, seconds: float) -> None:
        self._front.date_skew = seconds

    # State

    def fleet(self, cluster: str, service: str) -> Fleet:
        """The tasks of one service; set `deploying` on it to put a deployment in progress."""
        return self.fleets[cluster, service]

    @property
    def puts(self) -> list[Put]:
        """Every PutMetricData call, with the moment from which its data could be read."""
        return list(self.visibility.puts)

    def put_aws_metric(
        self, namespace: str, name: str, dimensions: dict[str, str], timestamp: float, value: float
    ) -> None:
        """Adds a sample of a metric that AWS itself publishes, visible at once (PutMetricData refuses AWS/...)."""
        self._cloudwatch.put_at_once(namespace, [metric_datum(name, dimensions, timestamp, value)])

    def datapoints(
        self, namespace: str, name: str, dimensions: dict[str, str], statistic: str, period: int = 5
    ) -> list[tuple[float, float]]:
        """What GetMetricData would answer now for all time, without a call: (epoch second, value), oldest first."""
        metric = {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
        }
        return self._cloudwatch.datapoints(metric, {"Stat": statistic, "Period": period}, 0.0, float("inf"))

    @property
    def elbv2(self) -> Elbv2:
        """The corrected backend itself, for what no API call can set."""
        backend = elbv2_backends[DEFAULT_ACCOUNT_ID][REGION]
        assert isinstance(backend, Elbv2)
        return backend

    @property
    def _cloudwatch(self) -> CloudWatch:
        backend = cloudwatch_backends[DEFAULT_ACCOUNT_ID][REGION]
        assert isinstance(backend, CloudWatch)
        return backend

    def _replace(self, backends: BackendDict[Any], corrected: Callable[..., object]) -> None:
        self._originals.append((backends, backends.backend))
        backends.clear()
        backends.backend = corrected  # type: ignore[assignment]  # moto only ever calls it.


def _forget_all() -> None:
    """moto's reset, but for EC2: all that is used of it is the default VPC, and to build that takes 0.2 s."""
    kept = dict(ec2_backends)
    ec2_backends.clear()
    moto_api_backend.reset()
    ec2_backends.update(kept)
