"""A whole application while CloudWatch does not take its metrics: requests are answered, and one line says why.

uvicorn, boto3 and HTTP are real; CloudWatch is the stand-in. A minute of 5 s buckets, of which the last 30 s are
useful, is compressed to 1 s buckets: twelve of them, of which the last six are useful.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from demo.local_aws import LocalAws

_OUTAGE, _USEFUL = 12, 6  # Buckets, and seconds.
_PATIENCE = 60.0  # Seconds for what takes one or two; machines that test are busy.
_CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
_APPLICATION = f"""
import os
import boto3
from botocore.config import Config
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from fastscaler.publisher import CloudWatchSink, Publisher
from fastscaler.publisher.asgi import MetricsMiddleware

async def hello(request):
    return PlainTextResponse("hello")

# The sink's own client would give up on a busy machine, after 3 s.
patient = Config(read_timeout={_PATIENCE}, retries={{"total_max_attempts": 1}})
client = boto3.client("cloudwatch", config=patient)
sink = CloudWatchSink(cluster="shop", service=os.environ["SERVICE"], client=client)
publisher = Publisher(sink, bucket_seconds=1, useful_for={_USEFUL})
app = MetricsMiddleware(Starlette(routes=[Route("/", hello)]), publisher)
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


class Shop:
    """The application in a process of its own."""

    def __init__(self, aws: LocalAws, folder: Path, credentials: bool) -> None:
        self._aws, self._log, self._service = aws, folder / "log", uuid4().hex
        (folder / "shop.py").write_text(_APPLICATION)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ECS_"))}
        environment |= aws.environment | {"SERVICE": self._service}
        if not credentials:
            environment = {name: value for name, value in environment.items() if name not in _CREDENTIALS}
        command = [sys.executable, "-m", "uvicorn", "--port", str(self._port), "shop:app"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
        wait_for(self._answers)

    def serve(self, requests: int) -> None:
        for _ in range(requests):
            assert urllib.request.urlopen(f"http://127.0.0.1:{self._port}/", timeout=_PATIENCE).read() == b"hello"

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)

    @property
    def said(self) -> list[str]:
        """What the application's log has about metrics, and every sign of an error."""
        lines = self._log.read_text().splitlines()
        return [line for line in lines if "metrics" in line or "Traceback" in line or "ERROR" in line]

    @property
    def buckets(self) -> dict[int, tuple[float, float]]:
        """Requests and samples of each bucket that CloudWatch has, by its start in epoch seconds."""
        where = ("FastScaling/Application", "RequestsPerSecond", {"Cluster": "shop", "Service": self._service})
        sums, samples = (dict(self._aws.datapoints(*where, name, period=1)) for name in ("Sum", "SampleCount"))
        return {int(start): (sums[start], count) for start, count in samples.items()}

    @property
    def requests(self) -> float:
        return sum(requests for requests, _ in self.buckets.values())

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self._port)) == 0


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


@pytest.fixture
def start(aws: LocalAws, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    aws.reset()
    shops: list[Shop] = []

    def start_one(*, credentials: bool = True) -> Shop:
        shops.append(Shop(aws, tmp_path, credentials))
        return shops[-1]

    yield start_one
    for shop in shops:
        shop.end()


def refused(aws: LocalAws) -> int:
    return sum(call.error is not None for call in aws.calls.of("PutMetricData"))


def test_a_minute_without_cloudwatch_costs_what_is_no_longer_useful_and_nothing_else(
    aws: LocalAws, start: Callable[..., Shop]
) -> None:
    shop = start()
    shop.serve(20)
    wait_for(lambda: shop.requests == 20)
    aws.fail("PutMetricData", "ServiceUnavailable", status=503)
    over = int(time.time()) + _OUTAGE
    while time.time() < over:
        shop.serve(5)
        time.sleep(0.1)
    wait_for(lambda: refused(aws) > 0)
    aws.clear("PutMetricData")
    shop.serve(30)
    shop.end()

    buckets, said = shop.buckets, shop.said
    back = next(call.started for call in aws.calls.of("PutMetricData") if call.error is None and call.started >= over)
    useful = range(int(back) - _USEFUL + 1, max(buckets) + 1)
    assert [start for start in useful if start not in buckets] == []
    assert {samples for _, samples in buckets.values()} == {1}
    assert sum(buckets[start][0] for start in useful) > 30
    (refusal, recovery) = said
    assert refusal == ("metrics are not published, the scaler cannot see this task: PutMetricData: ServiceUnavailable")
    dropped = max(buckets) - min(buckets) + 1 - len(buckets)
    assert dropped >= _OUTAGE - _USEFUL - 2
    assert recovery == f"metrics are published again; {dropped} buckets dropped since the start"


def test_denied_the_application_goes_on_and_says_once_what_to_do(aws: LocalAws, start: Callable[..., Shop]) -> None:
    aws.fail("PutMetricData", "AccessDenied", status=403)
    shop = start()
    wait_for(lambda: shop.serve(5) is None and refused(aws) >= 4)
    assert shop.said == [
        "metrics are not published, the scaler cannot see this task: PutMetricData: AccessDenied: give the ECS task a "
        "task role that allows cloudwatch:PutMetricData in this namespace"
    ]
    aws.clear("PutMetricData")  # The role has been mended; nobody restarts the task.
    wait_for(lambda: len(shop.buckets) >= 2)
    assert [line.partition(";")[0] for line in shop.said[1:]] == ["metrics are published again"]


def test_without_credentials_the_application_goes_on_and_says_once_what_to_do(start: Callable[..., Shop]) -> None:
    shop = start(credentials=False)
    wait_for(lambda: shop.serve(5) is None and len(shop.said) > 0)
    later = time.time() + 3  # Buckets of 1 s: two more are tried.
    wait_for(lambda: shop.serve(5) is None and time.time() > later)
    shop.end()
    assert shop.said == [
        "metrics are not published, the scaler cannot see this task: PutMetricData: no AWS credentials: give the ECS "
        "task a task role that allows cloudwatch:PutMetricData in this namespace"
    ]
