"""Faults that a test plants: errors in place of answers, and answers or effects that come late."""

from dataclasses import dataclass
from threading import Lock
from typing import Literal

When = Literal["before", "after"]


@dataclass
class Failure:
    """Answer `error_code` with HTTP `status` instead of doing anything; `times` None means until cleared."""

    operation: str
    error_code: str
    status: int
    containing: str
    times: int | None


@dataclass
class Delay:
    """Wait `seconds` before the effect (applied late) or after it (answered late); `times` None: until cleared."""

    operation: str
    seconds: float
    when: When
    containing: str
    times: int | None


class Faults:
    """The planted faults. A fault meets a call of its operation whose body contains the bytes of `containing`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failures: list[Failure] = []
        self._delays: list[Delay] = []

    def fail(self, failure: Failure) -> None:
        with self._lock:
            self._failures.append(failure)

    def delay(self, delay: Delay) -> None:
        with self._lock:
            self._delays.append(delay)

    def clear(self, operation: str | None = None) -> None:
        """Removes the faults of one operation, or all of them."""
        with self._lock:
            self._failures = [f for f in self._failures if operation not in (None, f.operation)]
            self._delays = [d for d in self._delays if operation not in (None, d.operation)]

    def failure(self, operation: str, body: bytes) -> Failure | None:
        """The first failure that meets this call; it is used up by one."""
        with self._lock:
            for failure in self._failures:
                if _meets(failure, operation, body):
                    return failure
            return None

    def seconds(self, operation: str, body: bytes, when: When) -> float:
        """How long this call waits at this point; every delay that meets it is used up by one."""
        with self._lock:
            return sum(d.seconds for d in self._delays if d.when == when and _meets(d, operation, body))


def _meets(fault: Failure | Delay, operation: str, body: bytes) -> bool:
    if fault.operation != operation or fault.times == 0 or fault.containing.encode() not in body:
        return False
    if fault.times is not None:
        fault.times -= 1
    return True
