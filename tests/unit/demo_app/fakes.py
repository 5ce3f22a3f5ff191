"""A load balancer and processes that do what a test says, in place of HAProxy and of tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from demo.app.haproxy import Target


@dataclass
class FakeBalancer:
    """Slots with a state, open requests, and a socket file each; `healthy` slots have passed their checks."""

    folder: Path
    slots: int
    states: dict[int, str] = field(default_factory=dict)
    healthy: set[int] = field(default_factory=set)
    open_requests: dict[int, int] = field(default_factory=dict)

    def socket(self, slot: int) -> Path:
        return self.folder / f"{slot}.sock"

    def register(self, slot: int) -> None:
        self.states[slot] = "registered"

    def drain(self, slot: int) -> None:
        self.states[slot] = "draining"

    def deregister(self, slot: int) -> None:
        self.states[slot] = "free"
        self.healthy.discard(slot)

    def targets(self) -> dict[int, Target]:
        return {
            slot: Target(
                slot in self.healthy and self.states.get(slot) == "registered", self.open_requests.get(slot, 0)
            )
            for slot in range(1, self.slots + 1)
        }


@dataclass
class FakeProcess:
    """Notes the signals it is sent."""

    signals: list[str] = field(default_factory=list)

    def terminate(self) -> None:
        self.signals.append("SIGTERM")

    def kill(self) -> None:
        self.signals.append("SIGKILL")


@dataclass
class FakeChild:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: FakeProcess = field(default_factory=FakeProcess)
    exit_code: int | None = None

    @property
    def socket(self) -> Path:
        return Path(self.command[3])

    def last_words(self) -> str:
        return "MemoryError"


@dataclass
class FakeChildren:
    """Processes that run until a test ends them."""

    started: list[FakeChild] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> FakeChild:
        self.started.append(FakeChild(name, command, environment))
        return self.started[-1]
