"""Servers with several worker processes: one sample per task and bucket, and not one request too many or too few.

Real servers, real sockets, real signals. What they published is compared with what was really answered.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="worker processes meet on Linux only")

_HERE = Path(__file__).parent
_PATIENCE = 30.0  # Seconds for what takes one or two; machines that test are busy.

GUNICORN = ["gunicorn", "--workers", "4", "--bind", "127.0.0.1:{port}", "--no-control-socket"]
SERVERS = {
    "gunicorn, uvicorn workers": [*GUNICORN, "-k", "uvicorn.workers.UvicornWorker", "publisher_apps:asgi_app"],
    "gunicorn, own ASGI workers": [*GUNICORN, "-k", "asgi", "publisher_apps:asgi_app"],
    "gunicorn, sync WSGI workers": [*GUNICORN, "publisher_apps:wsgi_app"],
    "gunicorn, preloaded WSGI workers": [*GUNICORN, "--preload", "publisher_apps:wsgi_app"],
    "gunicorn, threaded WSGI workers": [*GUNICORN, "--threads", "4", "publisher_apps:wsgi_app"],
    "uvicorn, workers": ["uvicorn", "--workers", "4", "--port", "{port}", "publisher_apps:asgi_app"],
    "uvicorn, no lifespan": ["uvicorn", "--lifespan", "off", "--port", "{port}", "publisher_apps:asgi_app"],
}


class Task:
    """A server with its workers. `answered` counts what they answered, by process id."""

    def __init__(self, command: list[str], output: Path) -> None:
        self.answered: Counter[int] = Counter()
        self.output = output
        self._lock = threading.Lock()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        program, *arguments = (part.format(port=self.port) for part in command)
        environment = {**os.environ, "SERVICE": uuid4().hex, "PYTHONPATH": str(_HERE)}
        environment.pop("ECS_CONTAINER_METADATA_URI_V4", None)
        with output.open("w") as stdout, output.with_suffix(".log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", program, *arguments], stdout=stdout, stderr=log, env=environment
            )

    def get(self) -> None:
        """One request, on a connection of its own, so that any worker may take it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/")
            pid = int(connection.getresponse().read())
        finally:
            connection.close()
        with self._lock:
            self.answered[pid] += 1

    def serve(self, requests: int, *, patient: bool = False) -> None:
        """So many answered requests, eight at a time; `patient` tries again where a worker that was killed took one."""

        def client() -> None:
            for _ in range(requests // 8):
                while True:
                    try:
                        self.get()
                        break
                    except OSError:
                        assert patient

        clients = [threading.Thread(target=client) for _ in range(8)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()

    def wait_until_it_answers(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.log
            try:
                self.get()
            except OSError:
                return False
            return True

        wait_for(answers)

    def terminate(self) -> None:
        """As ECS does."""
        self.process.send_signal(signal.SIGTERM)
        # gunicorn kills a worker 30 s after a SIGTERM that came before the worker was ready to hear it.
        self.process.wait(2 * _PATIENCE)

    @property
    def log(self) -> str:
        return self.output.with_suffix(".log").read_text()

    @property
    def lines(self) -> list[dict[str, object]]:
        """Every bucket that was published; other output is none of it."""
        return [json.loads(line) for line in self.output.read_text().splitlines() if line.startswith('{"_aws"')]

    @property
    def published(self) -> int:
        """Requests in all buckets, which are 1 s long."""
        return round(sum(line["RequestsPerSecond"] for line in self.lines))  # type: ignore[misc]

    @property
    def starts(self) -> list[int]:
        """Start of every bucket published, in epoch milliseconds."""
        return [line["_aws"]["Timestamp"] for line in self.lines]  # type: ignore[index]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def leader(server: int) -> int | None:
    """The worker of this server that holds the name under which workers meet, if any does now."""
    listening = _meeting(r"00010000 \S+ \S+")
    for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split():
        if listening & _sockets(int(pid)):
            return int(pid)
    return None


def followers(server: int) -> int:
    """How many workers have found the leader."""
    found = leader(server)
    return len(_meeting(r"00000000 \S+ 03") & _sockets(found)) if found else 0


def _meeting(state: str) -> set[str]:
    """The inodes of all sockets by which workers meet that are in this state."""
    names = Path("/proc/net/unix").read_text()
    return set(re.findall(rf"(?m)^\S+ \S+ \S+ {state} +(\d+) @fastscaler-publisher-", names))


def _sockets(pid: int) -> set[str]:
    try:
        files = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # It is just ending.
        return set()
    return {found[1] for file in files if (found := re.fullmatch(r"socket:\[(\d+)\]", file))}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[list[str]], Task]]:
    tasks: list[Task] = []

    def start_one(command: list[str]) -> Task:
        tasks.append(Task(command, tmp_path / f"{len(tasks)}.out"))
        tasks[-1].wait_until_it_answers()
        return tasks[-1]

    yield start_one
    for task in tasks:
        if task.process.poll() is None:
            task.terminate()


@pytest.mark.parametrize("server", SERVERS)
def test_the_sum_over_all_workers_is_what_was_answered_one_sample_per_bucket(
    server: str, start: Callable[[list[str]], Task]
) -> None:
    task = start(SERVERS[server])
    for _ in range(3):  # Over several buckets.
        task.serve(400)
        time.sleep(0.7)
    task.serve(160)  # And right before the end.
    task.terminate()
    assert task.published == task.answered.total(), task.log
    assert len(set(task.starts)) == len(task.starts)
    assert "metrics" not in task.log


@pytest.mark.parametrize("server", ["gunicorn, uvicorn workers", "gunicorn, sync WSGI workers", "uvicorn, workers"])
def test_a_leader_that_is_killed_takes_only_what_it_had_not_published_of_its_own(
    server: str, start: Callable[[list[str]], Task]
) -> None:
    task = start(SERVERS[server])
    wait_for(lambda: leader(task.process.pid) is not None)
    task.serve(80)
    wait_for(lambda: task.published == task.answered.total())
    killed = leader(task.process.pid)
    assert killed is not None
    before = task.answered[killed]
    task.serve(400)
    os.kill(killed, signal.SIGKILL)
    died = time.time()
    lost_at_most = task.answered[killed] - before
    task.serve(400, patient=True)
    wait_for(lambda: leader(task.process.pid) not in (None, killed))
    wait_for(lambda: task.starts[-1] / 1000 > died)
    task.terminate()
    assert task.answered.total() - lost_at_most <= task.published <= task.answered.total(), task.log
    assert len(set(task.starts)) == len(task.starts)


def test_a_leader_that_ends_hands_over_what_it_has(start: Callable[[list[str]], Task]) -> None:
    task = start(SERVERS["gunicorn, sync WSGI workers"])

    def have_met() -> bool:
        task.serve(8)  # A worker looks for the others when its first request comes.
        return followers(task.process.pid) == 3

    wait_for(have_met)  # To one that comes when the only one has gone nobody can tell which buckets have left.
    for _ in range(3):
        ending = leader(task.process.pid)
        assert ending is not None
        task.serve(160)
        os.kill(ending, signal.SIGTERM)  # gunicorn starts another one in its place.
        task.serve(160, patient=True)
        wait_for(lambda ended=ending: leader(task.process.pid) not in (None, ended))
    task.terminate()
    assert task.published == task.answered.total(), task.log
    assert len(set(task.starts)) == len(task.starts)


def test_workers_that_are_replaced_all_the_time_lose_nothing(start: Callable[[list[str]], Task]) -> None:
    task = start([*GUNICORN, "--max-requests", "50", "publisher_apps:wsgi_app"])
    for _ in range(3):
        task.serve(400, patient=True)
        time.sleep(0.4)
    task.terminate()
    assert len(task.answered) >= 12  # Processes.
    assert task.published == task.answered.total(), task.log
