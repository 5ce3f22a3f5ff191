"""How busy this machine is: a load that is meant for the tasks must not fill the machine instead."""

from pathlib import Path

_STAT = Path("/proc/stat")


class Machine:
    """Shares of all CPUs that were busy, with whatever; None where the system does not say (macOS)."""

    def __init__(self) -> None:
        self._before = _times()

    def busy(self) -> float | None:
        """The share since the last call or since this was made, 0 to 1."""
        now = _times()
        if now is None or self._before is None or now[1] == self._before[1]:
            return None
        idle, total = now[0] - self._before[0], now[1] - self._before[1]
        self._before = now
        return 1 - idle / total


def _times() -> tuple[int, int] | None:
    """Idle and all CPU time since the start, in ticks. Waiting for a disk is idle too (proc(5), /proc/stat)."""
    if not _STAT.exists():
        return None
    times = [int(text) for text in _STAT.read_text().splitlines()[0].split()[1:9]]
    return times[3] + times[4], sum(times)
