"""`python -m benchmarks.publisher`: what the middleware costs an application; written to benchmarks/publisher.json.

A trivial Starlette application under `wrk`, one uvicorn process each with and without the middleware, by turns in one
run: once as `pip install uvicorn` serves it, once with what `uvicorn[standard]` adds. The ratio is the median over the
turns, in each of which both were measured one right after the other. Times depend on the machine; compare ratios. Where
it has other work as well, requests/s say little, and processor time a bit more.
"""

import asyncio
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from fastscaler.publisher.asgi import MetricsMiddleware
from fastscaler.publisher.publisher import Publisher

RESULTS = Path(__file__).parent / "publisher.json"
# Many short turns, not few long ones: what else the machine does changes from second to second.
ROUNDS, SECONDS, CONNECTIONS = 30, 2, 32
SERVERS = {
    "uvicorn": ("--loop", "asyncio", "--http", "h11"),
    "uvicorn[standard]": ("--loop", "uvloop", "--http", "httptools"),
}
CALLS, REPEATS = 20_000, 15
APPLICATION = """
import io
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from fastscaler.publisher import EmbeddedMetricSink, Publisher
from fastscaler.publisher.asgi import MetricsMiddleware

async def hello(request):
    return PlainTextResponse("hello")

without = Starlette(routes=[Route("/", hello)])
sink = EmbeddedMetricSink(cluster="bench", service="web", stream=io.StringIO())
with_it = MetricsMiddleware(without, Publisher(sink))
"""
Message = MutableMapping[str, Any]


class Nowhere:
    """A sink that takes everything."""

    destination = "benchmark"

    def send(self, buckets: object) -> None:
        """Take it."""


class Server:
    """One uvicorn process of the application, on a port of its own."""

    def __init__(self, folder: Path, name: str, options: tuple[str, ...]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = ["-m", "uvicorn", "--port", str(self.port), "--log-level", "warning", "--no-access-log", *options]
        self.process = subprocess.Popen([sys.executable, *command, f"trivial:{name}"], cwd=folder)

    def wait(self) -> None:
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("the application does not start")

    def cpu_seconds(self) -> float:
        """Processor time so far. Unlike requests/s it hardly depends on what else the machine does."""
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def under_load(self, seconds: int) -> tuple[float, float]:
        """Requests/s, and microseconds of processor time per request."""
        before = self.cpu_seconds()
        url = f"http://127.0.0.1:{self.port}/"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        cpu = self.cpu_seconds() - before
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
        count = re.search(r"(\d+) requests in", said)
        if not (rate and count) or "Non-2xx" in said or "Socket errors" in said:
            raise SystemExit(f"wrk did not measure: {said}")
        return float(rate[1]), cpu / int(count[1]) * 1e6

    def resident_megabytes(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def throughput(folder: Path, options: tuple[str, ...]) -> dict[str, Any]:
    """Requests/s with and without, by turns; and the memory of both processes after it."""
    (folder / "trivial.py").write_text(APPLICATION)
    servers = {name: Server(folder, name, options) for name in ("without", "with_it")}
    try:
        for server in servers.values():
            server.wait()
            server.under_load(SECONDS)  # Warms up.
        rates: dict[str, list[float]] = {name: [] for name in servers}
        costs: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(ROUNDS):
            for name in sorted(servers, reverse=turn % 2 == 0):
                rate, cost = servers[name].under_load(SECONDS)
                rates[name].append(rate)
                costs[name].append(cost)
        memory = {name: server.resident_megabytes() for name, server in servers.items()}
    finally:
        for server in servers.values():
            server.stop()
    return {
        "requests_per_second": _compared(rates),
        "cpu_microseconds_per_request_of_the_server": _compared(costs),
        "resident_megabytes": {name: round(size, 1) for name, size in memory.items()},
    }


def _compared(measured: dict[str, list[float]]) -> dict[str, float]:
    without, with_it = measured["without"], measured["with_it"]
    ratios = [one / other for one, other in zip(with_it, without, strict=True)]
    return {
        "without": round(median(without), 1),
        "with": round(median(with_it), 1),
        "ratio": round(median(ratios), 3),
        "ratio_lowest": round(min(ratios), 3),
        "ratio_highest": round(max(ratios), 3),
    }


def microseconds_per_request() -> float:
    """What a request costs inside the process: the middleware around an application that answers at once."""

    async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[..., Any]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(*_: object) -> Message:
        return {}

    async def per_call(one: Callable[..., Awaitable[None]]) -> float:
        scope = {"type": "http", "path": "/"}
        begun = time.process_time()
        for _ in range(CALLS):
            await one(scope, nothing, nothing)
        return (time.process_time() - begun) / CALLS * 1e6

    publisher = Publisher(Nowhere(), alone=True)
    wrapped = MetricsMiddleware(app, publisher)

    async def measure() -> float:
        return median([await per_call(wrapped) - await per_call(app) for _ in range(REPEATS)])

    cost = asyncio.run(measure())
    publisher.close()
    return round(cost, 2)


def main() -> None:
    """Measures, prints, keeps."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: install it from the distribution's packages (apt-get install wrk)")
    with TemporaryDirectory() as folder:
        figures = {
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "load_before": round(os.getloadavg()[0], 2),
            "cpu_microseconds_per_request_of_the_middleware": microseconds_per_request(),
            "servers": {name: throughput(Path(folder), options) for name, options in SERVERS.items()},
        }
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
