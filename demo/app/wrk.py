"""Load from wrk: so many customers, each of whom asks, reads the answer, thinks for a while, and asks again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.app.children import Child, Children

# `delay` is called before every request, the first one of a connection included.
_SCRIPT = """
function init(args) math.randomseed({seed}) end
function delay() return math.random(0, {longest_pause}) end
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('{{"requests": %d, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\\n',
        summary.requests, e.connect, e.read, e.write, e.status, e.timeout))
end
"""
_TIMEOUT = 60  # Seconds until wrk counts an answer as missing: as long as the load balancer waits for one.


class LoadFailed(Exception):
    """wrk could not put the service under load; the message has its own words."""


@dataclass(frozen=True)
class Sent:
    """What wrk says of its own requests: answers that it read in full, and what went wrong."""

    answers: int
    errors: int


class Load:
    """A running wrk with `customers` connections that think for up to `longest_pause` seconds, half of it on average.

    An answer that takes longer makes its customer ask less often: a service that is full is asked for what it can
    serve, and not for more, as real customers would.
    """

    def __init__(
        self,
        program: str,
        children: Children,
        folder: Path,
        name: str,
        url: str,
        *,
        customers: int,
        longest_pause: float,
        seconds: float,
        seed: int,
    ) -> None:
        script = folder / f"{name}.lua"
        script.write_text(_SCRIPT.format(seed=seed, longest_pause=round(longest_pause * 1000)))
        command = [program, "--threads", "1", "--connections", str(customers), "--duration", f"{round(seconds)}s"]
        command += ["--timeout", f"{_TIMEOUT}s", "--script", str(script), url]
        self._child: Child = children.start_tethered(name, command, read_output=True)

    def check(self) -> None:
        """Raises LoadFailed if it has ended with an error."""
        if self._child.exit_code:
            raise LoadFailed(f"wrk failed:\n{self._child.last_words()}")

    def sent(self) -> Sent:
        """Waits for the end, and returns what wrk has counted. Raises LoadFailed."""
        assert self._child.process.stdout
        printed = self._child.process.stdout.read().splitlines()
        self._child.process.wait()
        self.check()
        if not printed or not printed[-1].startswith("{"):
            raise LoadFailed(f"wrk printed no figures:\n{self._child.last_words()}")
        found: dict[str, Any] = json.loads(printed[-1])
        return Sent(found.pop("requests"), sum(found.values()))
