"""The storefront as a process of its own, started and stopped as its image does, publishing to the stand-in for AWS."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from websockets.sync.client import connect

from demo.app.metadata import Metadata
from demo.local_aws import LocalAws
from tests.unit.examples.dockerfile import FOLDER, Dockerfile

NAMESPACE = "FastScaling/Application"
CLUSTER, SERVICE = "shops", "storefront"
DIMENSIONS = {"Cluster": CLUSTER, "Service": SERVICE}
BUCKET = 5
IMAGE = Dockerfile.read().image
READ_ONLY = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
READ_ONLY += ['mount --bind / / && mount -o remount,ro,bind / && cd "$0" && exec "$@"', str(FOLDER)]


@pytest.fixture(scope="module")
def metadata() -> Iterator[str]:
    with Metadata(CLUSTER, SERVICE) as metadata:
        yield metadata.uri("1")


class Storefront:
    """A running storefront. `log` is what it has printed since it was stopped."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self._process = process
        self.port = port
        self.log = ""

    def get(self, path: str) -> dict[str, Any]:
        """The JSON of a page; of an error too."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
                found: dict[str, Any] = json.load(response)
        except HTTPError as error:
            found = json.load(error)
        return found

    def stop(self) -> None:
        """Sends the image's stop signal, and waits for the end that it asks for."""
        stop_signal = getattr(signal, IMAGE.last("STOPSIGNAL"))
        self._process.send_signal(stop_signal)
        self.log, _ = self._process.communicate(timeout=25)
        # uvicorn ends by the signal that it was sent, once it has done all else; as process 1 of a container it exits.
        assert self._process.returncode in (0, -stop_signal)
        assert "Finished server process" in self.log


@contextmanager
def storefront(environment: dict[str, str], wrapper: Sequence[str] = ()) -> Iterator[Storefront]:
    """The image's CMD with this machine's Python, on a free port of loopback; `wrapper` comes in front of it."""
    arguments = list(IMAGE.command)
    arguments[0] = sys.executable
    arguments[arguments.index("--host") + 1] = "127.0.0.1"
    arguments[arguments.index("--port") + 1] = "0"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(
        [*wrapper, *arguments],
        cwd=FOLDER,
        env={**inherited, **IMAGE.environment, "PYTHONPATH": str(FOLDER), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Storefront(process, _port(process))
    finally:
        process.kill()
        process.communicate()


def _port(process: "subprocess.Popen[str]") -> int:
    """The port that the server says it listens on."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    pytest.fail(f"the storefront did not start:\n{printed}")


@pytest.fixture
def in_ecs(aws: LocalAws, metadata: str) -> dict[str, str]:
    """The environment of a task whose AWS is the stand-in."""
    return {**aws.environment, "ECS_CONTAINER_METADATA_URI_V4": metadata}


def arrivals(aws: LocalAws) -> float:
    """Requests that were published, all tasks and buckets together."""
    return sum(value * BUCKET for _, value in aws.datapoints(NAMESPACE, "RequestsPerSecond", DIMENSIONS, "Sum"))


def test_every_request_is_published_once_also_those_just_before_the_end(aws: LocalAws, in_ecs: dict[str, str]) -> None:
    with storefront(in_ecs) as shop:
        for _ in range(25):
            shop.get("/")
        shop.get("/load/1")
        shop.get("/load/99")
        for _ in range(10):
            shop.get("/health")
        assert shop.get("/metrics")["requests"] == 27
        time.sleep(BUCKET + 1.5)  # One bucket ends and is published; the next one is cut off by the stop.
        for _ in range(13):
            shop.get("/")
        shop.stop()
    assert arrivals(aws) == pytest.approx(27 + 13)
    answers = aws.datapoints(NAMESPACE, "AverageResponseTime", DIMENSIONS, "SampleCount")
    assert sum(count for _, count in answers) == 40
    assert "Traceback" not in shop.log


def test_it_publishes_with_a_root_file_system_that_is_read_only(aws: LocalAws, in_ecs: dict[str, str]) -> None:
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("mounting the root file system read-only needs root and unshare")
    with storefront(in_ecs, READ_ONLY) as shop:
        for _ in range(7):
            shop.get("/")
        shop.get("/memory/50")
        shop.stop()
    assert arrivals(aws) == pytest.approx(8)
    assert "metrics are not published" not in shop.log


def test_the_health_check_is_answered_while_expensive_requests_wait_in_line() -> None:
    with storefront({}) as shop, ThreadPoolExecutor(20) as customers:
        began = time.monotonic()
        busy = [customers.submit(shop.get, "/load/10") for _ in range(40)]
        slowest = 0.0
        while not all(one.done() for one in busy):
            asked = time.monotonic()
            assert shop.get("/health") == {"status": "ok"}
            slowest = max(slowest, time.monotonic() - asked)
        lasted = time.monotonic() - began
        assert [one.result()["load"] for one in busy] == [10] * 40
    # 4 s of CPU on the event loop itself would let a check wait for a good part of that.
    assert lasted > 1
    assert slowest < 0.5


def test_a_websocket_echoes_and_counts_as_an_active_connection(aws: LocalAws, in_ecs: dict[str, str]) -> None:
    with storefront(in_ecs) as shop:
        with connect(f"ws://127.0.0.1:{shop.port}/echo") as socket:
            for message in ("hello", b"\x00\x01", "x" * 60_000):
                socket.send(message)
                assert socket.recv(timeout=10) == message
            assert shop.get("/metrics")["active_connections"] == 1
            time.sleep(1)
        shop.stop()
    active = aws.datapoints(NAMESPACE, "ActiveConnections", DIMENSIONS, "Sum")
    # How much of a second is told depends on where in its bucket the end falls.
    assert sum(mean for _, mean in active) > 0
    assert arrivals(aws) == pytest.approx(1)


def test_an_open_request_is_answered_before_the_end() -> None:
    with storefront({}) as shop, ThreadPoolExecutor(20) as customers:
        waiting = [customers.submit(shop.get, "/load/10") for _ in range(20)]
        while shop.get("/metrics")["active_connections"] < 20:
            time.sleep(0.01)
        shop.stop()
        assert [one.result()["load"] for one in waiting] == [10] * 20


def test_outside_of_ecs_it_serves_and_says_once_that_nobody_scales_it() -> None:
    with storefront({}) as shop:
        for _ in range(3):
            assert shop.get("/")["name"] == "storefront"
        time.sleep(BUCKET + 1.5)
        shop.stop()
    assert shop.log.count("metrics are not published") == 1
    assert "Traceback" not in shop.log


def test_the_images_health_check_tells_a_running_process_from_a_stopped_one() -> None:
    def check(port: int) -> int:
        command = [sys.executable, *IMAGE.health_command[1:-1], IMAGE.health_command[-1].replace(":8000", f":{port}")]
        return subprocess.run(command, capture_output=True, timeout=10).returncode

    with storefront({}) as shop:
        assert check(shop.port) == 0
        shop.stop()
        assert check(shop.port) != 0


def test_a_task_without_credentials_serves_all_the_same(aws: LocalAws, in_ecs: dict[str, str], tmp_path: Path) -> None:
    no_keys = {name: value for name, value in in_ecs.items() if "KEY" not in name and "TOKEN" not in name}
    with storefront(no_keys | {"HOME": str(tmp_path)}) as shop:
        assert shop.get("/")["name"] == "storefront"
        time.sleep(BUCKET + 2)
        assert shop.get("/")["name"] == "storefront"
        shop.stop()
    assert arrivals(aws) == 0
    assert shop.log.count("metrics are not published") == 1
