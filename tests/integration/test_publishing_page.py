"""docs/publishing.md, as its reader uses it: each example runs under its command, and CloudWatch has the load.

moto stands in for CloudWatch, a local web server for the ECS task metadata endpoint.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

PAGE = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
SITES = {found[1]: block for block in BLOCKS if (found := re.match(r"# (\w+)\.py\n", block))}
LINES = re.findall(r"^    ((?:uvicorn|gunicorn) .*)$", PAGE, flags=re.MULTILINE)
COMMANDS = {site: line for line in LINES for site in SITES if site in line}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
REQUESTS = 23


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Metadata(BaseHTTPRequestHandler):
    """The metadata endpoint of one task per service; the service is in the path."""

    def do_GET(self) -> None:
        service = self.path.split("/")[1]
        task = {"Cluster": "shop", "ServiceName": service, "TaskARN": f"arn:aws:ecs:us-east-1:1:task/shop/{service}"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(task).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def metadata() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def published(aws: str, service: str) -> list[tuple[float, float]]:
    """(sum, number of samples) of RequestsPerSecond in each bucket."""
    client = boto3.client(
        "cloudwatch", endpoint_url=aws, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    now = datetime.fromtimestamp(time.time() // 60 * 60 + 60, UTC)
    answer = client.get_metric_statistics(
        Namespace="FastScaling/Application",
        MetricName="RequestsPerSecond",
        Dimensions=[{"Name": "Cluster", "Value": "shop"}, {"Name": "Service", "Value": service}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now,
        Period=5,
        Statistics=["Sum", "SampleCount"],
    )
    return [(point["Sum"], point["SampleCount"]) for point in answer["Datapoints"]]


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        return str(response.read().decode())


def wait_until_it_answers(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("site", SITES)
def test_the_example_publishes_what_it_answered(site: str, aws: str, metadata: str, tmp_path: Path) -> None:
    (tmp_path / f"{site}.py").write_text(SITES[site])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program, *arguments = COMMANDS[site].split()
    bind = ["--port", str(port)] if program == "uvicorn" else ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    service = site.replace("_", "-")
    environment = os.environ | CREDENTIALS
    environment |= {"AWS_ENDPOINT_URL": aws, "ECS_CONTAINER_METADATA_URI_V4": f"{metadata}/{service}"}
    log = tmp_path / "log"
    with log.open("w") as output:
        command = [sys.executable, "-m", program, *arguments, *bind]
        server = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output, env=environment)
    try:
        wait_until_it_answers(server, port, log)
        assert all("hello" in get(port, "/") for _ in range(REQUESTS))
    finally:
        server.terminate()
        try:
            # A worker that gunicorn has only just forked does not hear SIGTERM, and is killed after 30 s.
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            raise AssertionError(f"it does not end:\n{log.read_text()}") from None
    buckets = published(aws, service)
    assert round(sum(total for total, _ in buckets) * 5) == REQUESTS, log.read_text()
    assert {samples for _, samples in buckets} == {1}


def test_there_is_an_example_for_each_framework_named() -> None:
    assert {"shop_fastapi", "shop_flask", "shop_django"} == set(SITES) == set(COMMANDS)


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.startswith("#")])
def test_the_other_examples_run(block: str) -> None:
    names: dict[str, object] = {}
    exec(compile(block, "publishing.md", "exec"), names)  # The page's own lines.
    assert type(names["app"]).__name__ == "MetricsMiddleware"
