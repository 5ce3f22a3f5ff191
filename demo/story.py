"""What the functions said in their logs, put in order: who decided when, what, and why."""

from dataclasses import dataclass, field
from typing import Any

from demo.lambdas import Line


@dataclass(frozen=True)
class Takeover:
    """An invocation of the scaler that became the one that decides."""

    invocation: int
    epoch: int


@dataclass
class Story:
    """Grows with every log line of the functions; `service` is "cluster/service". Records it does not know are left."""

    service: str
    surge_at: float | None = None
    load: float | None = None
    looks: int = 0
    reason: str = ""
    decisions: list[dict[str, Any]] = field(default_factory=list)
    ledgers: list[dict[str, Any]] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def hand_overs(self) -> int:
        """How often one invocation of the scaler took over from another."""
        return max(0, len(self.takeovers) - 1)

    def read(self, line: Line) -> None:
        record, invocation = line.record, line.invocation
        self.log.append({"function": invocation.function, "invocation_number": invocation.number, **record})
        if problem := _problem(record):
            self.problems.append(f"{invocation.function}, invocation {invocation.number}: {problem}")
        match record.get("message"):
            case "profile begins":
                self.surge_at = record.get("surge_at")
            case "started":
                self.takeovers.append(Takeover(invocation.number, int(record["epoch"])))
            case "ended":
                self.endings.append(str(record.get("why")))
            case "tick":
                self._looked(record.get("services", {}).get(self.service))
            case "decision" if record.get("service") == self.service:
                self.decisions.append(record)
            case "ledger" if record.get("service") == self.service:
                self._account_for(record)

    def _looked(self, seen: dict[str, Any] | None) -> None:
        self.looks += 1
        if seen:
            self.load = seen.get("load")
            self.reason = str(seen.get("reason", ""))

    def _account_for(self, ledger: dict[str, Any]) -> None:
        """A ledger is told again whenever it gets further; the last telling counts."""
        same = (ledger.get("from"), ledger.get("to"), ledger.get("updated"))
        self.ledgers = [old for old in self.ledgers if (old.get("from"), old.get("to"), old.get("updated")) != same]
        self.ledgers.append(ledger)


def _problem(record: dict[str, Any]) -> str | None:
    """What went wrong, if this record tells of something that did."""
    ending = record.get("invocation")
    if isinstance(ending, dict) and "error" in ending:
        return f"failed: {ending['error']}"
    if record.get("level") not in ("WARNING", "ERROR", "CRITICAL"):
        return None
    details = [str(record[key]) for key in ("error", "what", "reason") if record.get(key)]
    return ": ".join([str(record.get("message")), *details])
