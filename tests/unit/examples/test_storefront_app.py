"""The storefront's pages, and what it says of itself."""

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from storefront.app import create_app
from storefront.counters import Counters
from storefront.work import use_cpu


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app()) as client:
        yield client


def metrics(client: TestClient) -> dict[str, float]:
    found: dict[str, float] = client.get("/metrics").json()
    return found


def test_the_pages_are_there(client: TestClient) -> None:
    assert client.get("/").json()["name"] == "storefront"
    assert client.get("/health").json() == {"status": "ok"}


# --- Expensive requests


@pytest.mark.parametrize("amount", [1, 3, 10])
def test_load_uses_ten_milliseconds_of_cpu_for_each(client: TestClient, amount: int) -> None:
    before = time.process_time()
    answer = client.get(f"/load/{amount}").json()
    used = (time.process_time() - before) * 1000
    assert answer["load"] == amount
    assert 10 * amount <= answer["cpu_milliseconds"] <= 10 * amount + 10
    assert used >= 10 * amount  # Not a sleep.


def test_expensive_requests_leave_the_interpreter_to_others() -> None:
    """With threads that give way only when they want to, a loop in Python would let nobody else run until its end."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        busy = threading.Thread(target=use_cpu, args=[300])
        busy.start()
        turns = 0
        while busy.is_alive():
            time.sleep(0.001)
            turns += 1
    finally:
        sys.setswitchinterval(before)
    assert turns > 10


def test_memory_is_really_there_for_the_request_and_no_longer(client: TestClient) -> None:
    before = metrics(client)["memory_megabytes"]
    answer = client.get("/memory/300").json()
    assert answer["megabytes"] == 300
    # This process has the other tests' memory too, and may give some of it back meanwhile.
    assert answer["memory_megabytes"] >= before + 200
    assert metrics(client)["memory_megabytes"] <= answer["memory_megabytes"] - 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        *(
            (f"/load/{bad}", "1 to 10")
            for bad in ("0", "11", "-1", "1.5", "ten", "%201", "1_0", "%EF%BC%91", "9" * 5000)
        ),
        *((f"/memory/{bad}", "1 to 500") for bad in ("0", "501", "-1", "1e2", "")),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(client: TestClient, path: str, allowed: str) -> None:
    answer = client.get(path)
    if path.endswith("/"):
        assert answer.status_code == 404  # No value at all is another page.
        return
    assert answer.status_code == 422
    assert answer.json()["error"].endswith(f"must be a whole number from {allowed}")
    assert len(answer.json()["error"]) < 100


def test_what_is_not_there_is_an_error_of_one_line_too(client: TestClient) -> None:
    assert (client.get("/nothing").status_code, client.get("/nothing").json()) == (404, {"error": "Not Found"})
    assert client.post("/").status_code == 405


# --- Websocket


def test_the_websocket_sends_back_what_it_is_sent(client: TestClient) -> None:
    with client.websocket_connect("/echo") as socket:
        socket.send_text("hello")
        socket.send_bytes(b"\x00\xff")
        socket.send_text("")
        assert socket.receive_text() == "hello"
        assert socket.receive_bytes() == b"\x00\xff"
        assert socket.receive_text() == ""


# --- What it says of itself


def test_every_customers_request_counts_and_no_check(client: TestClient) -> None:
    for path in ("/", "/load/1", "/load/11", "/nothing"):
        client.get(path)
    for _ in range(20):
        client.get("/health")
        found = metrics(client)
    assert found["requests"] == 4
    assert found["active_connections"] == 0
    assert found["mean_response_time_seconds"] >= 0.010 / 4
    assert found["uptime_seconds"] >= 0


def test_an_open_websocket_is_an_active_connection_until_it_closes(client: TestClient) -> None:
    with client.websocket_connect("/echo"), client.websocket_connect("/echo"):
        assert metrics(client)["active_connections"] == 2
    for _ in range(50):
        if metrics(client)["active_connections"] == 0:
            return
        time.sleep(0.02)  # The server learns of a close a little later.
    pytest.fail("closed websockets are still active")


class Clock:
    """Stands still until it is moved; seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestCounters:
    def test_the_rate_is_that_of_the_last_ten_seconds(self) -> None:
        clock = Clock()
        counters = Counters(clock)
        for second in range(60):
            clock.now = 1000.0 + second
            for _ in range(2 if second < 30 else 50):
                with counters.open():
                    pass
        clock.now = 1060.0
        assert counters.summary()["requests_per_second"] == 50
        assert counters.summary()["requests"] == 30 * 2 + 30 * 50

    def test_the_rate_is_right_in_the_first_seconds(self) -> None:
        clock = Clock()
        counters = Counters(clock)
        for _ in range(12):
            with counters.open():
                pass
        clock.now += 4
        assert counters.summary()["requests_per_second"] == 3

    def test_an_idle_process_shows_no_rate_and_no_response_time(self) -> None:
        clock = Clock()
        counters = Counters(clock)
        with counters.open() as answered:
            answered()
        clock.now += 3600
        found = counters.summary()
        assert found["requests_per_second"] == 0
        assert found["mean_response_time_seconds"] is None
        assert found["uptime_seconds"] == 3600

    def test_the_response_time_is_the_mean_until_answers_begin(self) -> None:
        clock = Clock()
        counters = Counters(clock)
        for seconds in (0.1, 0.3):
            with counters.open() as answered:
                clock.now += seconds
                answered()
                clock.now += 2  # A slow reader is not a slow server.
        assert counters.summary()["mean_response_time_seconds"] == pytest.approx(0.2)

    def test_a_request_that_fails_is_over(self) -> None:
        counters = Counters(Clock())
        with pytest.raises(RuntimeError), counters.open():
            raise RuntimeError
        found = counters.summary()
        assert (found["requests"], found["active_connections"]) == (1, 0)
        assert found["mean_response_time_seconds"] is None

    def test_a_month_of_requests_takes_no_memory(self) -> None:
        clock = Clock()
        counters = Counters(clock)
        for _ in range(1000):
            clock.now += 2592
            with counters.open() as answered:
                answered()
        assert len(counters._seconds) <= 11
