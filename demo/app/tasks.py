"""ECS and Fargate for the demo: a process for every task of a service, and its place behind the load balancer."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from demo.app.children import Child, Children
from demo.app.haproxy import HAProxy
from demo.fleet import Fleet, Task
from demo.lambdas import REPOSITORY

DEREGISTRATION_SECONDS = 10.0  # At most, for requests that are open: as in the storefront's target group.
STOP_SECONDS = 30.0  # From SIGTERM to SIGKILL: as in the storefront's task definition.
_PYTHONPATH = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "examples" / "storefront")])


class TaskFailed(Exception):
    """A task has ended without being asked to, or badly; the message has its own words."""


@dataclass
class _Process:
    """`leaving_since`: when it stopped taking requests. `stopped_at`: when it was sent SIGTERM. Epoch seconds."""

    child: Child
    slot: int
    ready_at: float
    registered: bool = False
    leaving_since: float | None = None
    stopped_at: float | None = None


class Tasks:
    """Starts a process for every task that the service has, and stops it when the service has it no more.

    `environment` is that of a task, by its address. `seconds` is from UpdateService to RUNNING, `per_second` how many
    requests a task can serve, and `slots` how many processes there can be at most.
    """

    def __init__(
        self,
        fleet: Fleet,
        balancer: HAProxy,
        children: Children,
        environment: Callable[[str], dict[str, str]],
        *,
        seconds: float,
        per_second: float,
        slots: int,
    ) -> None:
        self.healthy = 0
        self._fleet = fleet
        self._balancer = balancer
        self._children = children
        self._environment = environment
        self._seconds = seconds
        self._per_second = per_second
        self._free_slots = list(range(slots, 0, -1))
        self._processes: dict[str, _Process] = {}
        # The tasks that the service began with; they run without delay.
        self._first = {task.address for task in fleet.tasks}
        self._ready_at: dict[str, float] = {}

    def follow(self, now: float) -> None:
        """One step: starts, registers, looks at, drains and stops what has to be. Raises TaskFailed."""
        wanted = {task.address: task for task in self._fleet.tasks}
        targets = self._balancer.targets()
        for address, process in list(self._processes.items()):
            if process.child.exit_code is not None:
                self._ended(address, process)
            elif address in wanted and process.leaving_since is None:
                self._look(wanted[address], process, healthy=targets[process.slot].healthy, now=now)
            else:
                self._leave(process, open_requests=targets[process.slot].open_requests, now=now)
        staying = [process for process in self._processes.values() if process.leaving_since is None]
        self.healthy = sum(targets[process.slot].healthy for process in staying)
        for address in wanted:
            self._ready_at.setdefault(address, now if address in self._first else now + self._seconds)
            if address not in self._processes:
                self._fleet.observe(address, now, running=False, healthy=False)
        # One after the other: to load takes a second of CPU, and a dozen at once would take it from those that serve.
        if not any(self._loading(process) for process in self._processes.values()):
            self._start_next(wanted, now)

    def stop(self) -> None:
        """Takes all from the load balancer and stops them as ECS does; returns when the last one has ended."""
        now = time.time()
        for process in self._processes.values():
            if process.stopped_at is None:
                self._balancer.deregister(process.slot)
                process.child.process.terminate()
                process.leaving_since = process.stopped_at = now
        while self._processes:
            self._follow_leaving(time.time())
            time.sleep(0.05)

    def _follow_leaving(self, now: float) -> None:
        """The part of `follow` for tasks that have been told to stop."""
        for address, process in list(self._processes.items()):
            if process.child.exit_code is not None:
                self._ended(address, process)
            else:
                self._leave(process, open_requests=0, now=now)

    def _start_next(self, wanted: dict[str, Task], now: float) -> None:
        for address in wanted:
            if address in self._processes or not self._free_slots:
                continue
            slot, ready_at = self._free_slots.pop(), self._ready_at[address]
            socket = self._balancer.socket(slot)
            socket.unlink(missing_ok=True)
            command = [sys.executable, "-m", "demo.app.task", str(socket), str(ready_at), str(self._per_second)]
            environment = {"PYTHONPATH": _PYTHONPATH, **self._environment(address)}
            child = self._children.start(f"task-{address}", command, environment)
            self._processes[address] = _Process(child, slot, ready_at)
            return

    def _loading(self, process: _Process) -> bool:
        return process.stopped_at is None and not self._balancer.socket(process.slot).exists()

    def _look(self, task: Task, process: _Process, *, healthy: bool, now: float) -> None:
        running = now >= process.ready_at and not self._loading(process)
        if running and not process.registered:
            self._balancer.register(process.slot)
            process.registered = True
        self._fleet.observe(task.address, now, running=running, healthy=healthy)

    def _leave(self, process: _Process, *, open_requests: int, now: float) -> None:
        if process.leaving_since is None:
            self._balancer.drain(process.slot)
            process.leaving_since = now
        elif process.stopped_at is None:
            if not open_requests or now - process.leaving_since > DEREGISTRATION_SECONDS:
                self._balancer.deregister(process.slot)
                process.child.process.terminate()
                process.stopped_at = now
        elif now - process.stopped_at > STOP_SECONDS:
            process.child.process.kill()

    def _ended(self, address: str, process: _Process) -> None:
        if process.stopped_at is None:
            raise TaskFailed(f"task {address} has ended by itself:\n{process.child.last_words()}")
        del self._processes[address]
        self._free_slots.append(process.slot)
