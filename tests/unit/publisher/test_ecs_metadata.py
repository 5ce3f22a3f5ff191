"""Cluster and service from the ECS task metadata endpoint, served here by a local web server."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fastscaler.publisher.ecs_metadata import Task, TaskUnknown, meeting_point, this_task


class Endpoint(HTTPServer):
    """Answers /v4/some-id/task with `answer`."""

    answer: bytes = b"{}"

    @property
    def environment(self) -> dict[str, str]:
        return {"ECS_CONTAINER_METADATA_URI_V4": f"http://127.0.0.1:{self.server_port}/v4/some-id"}


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        found = self.path == "/v4/some-id/task"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_names_come_from_the_metadata_whether_the_cluster_is_an_arn_or_a_name(endpoint: Endpoint) -> None:
    for cluster in ("arn:aws:ecs:us-east-1:111122223333:cluster/shop", "shop"):
        endpoint.answer = json.dumps({"Cluster": cluster, "ServiceName": "web", "Family": "web-task"}).encode()
        assert this_task(environment=endpoint.environment) == Task("shop", "web")


def test_a_given_name_wins_over_the_metadata(endpoint: Endpoint) -> None:
    endpoint.answer = json.dumps({"Cluster": "shop", "ServiceName": "web"}).encode()
    assert this_task(service="web-canary", environment=endpoint.environment) == Task("shop", "web-canary")


def test_with_both_names_given_nothing_is_asked() -> None:
    assert this_task("shop", "web", environment={}) == Task("shop", "web")


def test_outside_of_ecs_the_error_says_what_to_give() -> None:
    with pytest.raises(TaskUnknown, match="give cluster and service") as caught:
        this_task(environment={})
    assert not caught.value.temporary


def test_a_task_without_a_service_cannot_guess_one(endpoint: Endpoint) -> None:
    endpoint.answer = json.dumps({"Cluster": "shop"}).encode()
    with pytest.raises(TaskUnknown, match="no cluster or no service") as caught:
        this_task(environment=endpoint.environment)
    assert not caught.value.temporary


@pytest.mark.parametrize("answer", [b"", b"<html>"])
def test_an_endpoint_that_answers_nonsense_is_asked_again_later(endpoint: Endpoint, answer: bytes) -> None:
    endpoint.answer = answer
    with pytest.raises(TaskUnknown) as caught:
        this_task(environment=endpoint.environment)
    assert caught.value.temporary


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="worker processes meet on Linux only")
def test_workers_meet_where_they_publish_the_same_for_the_same_task_and_nowhere_else(endpoint: Endpoint) -> None:
    def met(task: str, destination: str = "cloudwatch Shop", seconds: int = 5) -> str | None:
        endpoint.answer = json.dumps({"TaskARN": f"arn:aws:ecs:us-east-1:111122223333:task/shop/{task}"}).encode()
        return meeting_point(destination, seconds, endpoint.environment)

    here = met("a")
    assert met("a") == here
    assert (
        len({here, met("b"), met("a", "log Shop"), met("a", seconds=10), meeting_point("cloudwatch Shop", 5, {})}) == 5
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="worker processes meet on Linux only")
def test_workers_meet_even_if_the_task_cannot_be_told(endpoint: Endpoint) -> None:
    endpoint.answer = b"<html>"
    pauses: list[float] = []
    met = {meeting_point("cloudwatch Shop", 5, endpoint.environment, pauses.append) for _ in range(2)}
    assert len(met) == 1
    assert None not in met
    assert sum(pauses) < 3
