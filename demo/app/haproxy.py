"""HAProxy as the load balancer: its configuration, its runtime API, and its access log.

Every task has a slot, a server that is there from the beginning and in maintenance until it is registered: that needs
no reload, and works with every HAProxy since 1.8.
"""

import csv
import io
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from demo.app.access_log import FORMAT, Request
from demo.app.children import Child, Children

CHECK_SECONDS = 1  # Between health checks. Two in a row decide, as in the storefront's target group, where it is 5 s.
_START_PATIENCE = 20.0
_CONFIGURATION = """
global
    maxconn 4000
    # With several threads HAProxy drops log lines that two of them would write at once.
    nbthread 1
    log stdout format raw local0
    stats socket {control} level admin
defaults
    mode http
    # wrk begins with a connection that it does not use; it is no request.
    option http-ignore-probes
    # A request that fails, fails: the load balancer of the template does not send it to another task either.
    retries 0
    timeout connect 5s
    timeout check 4s
    timeout client 60s
    timeout server 60s
frontend load-balancer
    bind fd@{descriptor}
    log global
    log-format "{format}"
    default_backend tasks
backend tasks
    balance roundrobin
    option httpchk GET /health
    default-server check inter {check_seconds}s rise 2 fall 2 disabled
"""


class LoadBalancerFailed(Exception):
    """HAProxy does not run, or does not do what it was told; the message has its own words."""


@dataclass(frozen=True)
class Target:
    """One slot: whether it takes requests, and how many it has open."""

    healthy: bool
    open_requests: int


class HAProxy:
    """A running load balancer on a free port of loopback, with `slots` slots. `children` ends it."""

    def __init__(self, program: str, children: Children, folder: Path, slots: int) -> None:
        self.requests: list[Request] = []
        self._folder = folder
        self._control = folder / "haproxy.sock"
        configuration = folder / "haproxy.cfg"
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            text = _CONFIGURATION.format(
                control=self._control, descriptor=listener.fileno(), format=FORMAT, check_seconds=CHECK_SECONDS
            )
            text += "".join(f"    server {slot} unix@{self.socket(slot)}\n" for slot in range(1, slots + 1))
            configuration.write_text(text)
            command = [program, "-db", "-f", str(configuration)]
            self._child = children.start_tethered("haproxy", command, read_output=True, descriptors=[listener.fileno()])
        self._reader = Thread(target=self._read_log, args=(self._child,), daemon=True)
        self._reader.start()
        self._wait_until_it_answers()

    def socket(self, slot: int) -> Path:
        """Where the task in this slot listens."""
        return self._folder / f"task-{slot}.sock"

    def register(self, slot: int) -> None:
        """Health checks begin; the slot takes requests once two of them have passed."""
        # A server that leaves maintenance counts as healthy at once. So it leaves it with no weight, and as failed.
        self._set(slot, "weight 0%", "state ready", "health down", "weight 100%")

    def drain(self, slot: int) -> None:
        """No new requests; those that are open go on."""
        self._set(slot, "state drain")

    def deregister(self, slot: int) -> None:
        """The slot is free again."""
        self._set(slot, "state maint")

    def targets(self) -> dict[int, Target]:
        """All slots as they are now."""
        return {
            int(row["svname"]): Target(row["status"].startswith("UP"), int(row["scur"])) for row in self._statistics(4)
        }

    def stop(self) -> None:
        """Ends it and reads the last lines of its log."""
        self._child.process.terminate()
        self._child.process.wait()
        self._reader.join()

    def check(self) -> None:
        """Raises LoadBalancerFailed if it has ended."""
        if self._child.exit_code is not None:
            raise LoadBalancerFailed(f"HAProxy has ended:\n{self._child.last_words()}")

    @property
    def answered(self) -> int:
        """Requests that it has counted itself, its log aside."""
        [row] = self._statistics(1)
        return int(row["req_tot"])

    def _read_log(self, child: Child) -> None:
        assert child.process.stdout
        for line in child.process.stdout:
            if request := Request.read(line):
                self.requests.append(request)

    def _set(self, slot: int, *changes: str) -> None:
        answer = self._ask("; ".join(f"set server tasks/{slot} {change}" for change in changes))
        if answer.strip():
            raise LoadBalancerFailed(f"HAProxy refused a change of slot {slot}: {answer.strip()}")

    def _statistics(self, kind: int) -> list[dict[str, str]]:
        """Rows of `show stat`; `kind` is 1 for frontends, 4 for servers."""
        return list(csv.DictReader(io.StringIO(self._ask(f"show stat -1 {kind} -1").removeprefix("# "))))

    def _ask(self, command: str) -> str:
        self.check()
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(5)
            control.connect(os.fspath(self._control))
            control.sendall(f"{command}\n".encode())
            answer = b""
            while part := control.recv(65536):
                answer += part
        return answer.decode()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_PATIENCE
        while True:
            try:
                self.targets()
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LoadBalancerFailed(f"HAProxy does not answer: {error}") from error
                time.sleep(0.05)
