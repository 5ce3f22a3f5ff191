"""Work beside the drill: an invocation that takes a minute."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Protocol


class Job(Protocol):
    """Something that goes on."""

    def done(self) -> bool:
        """Whether it has ended."""

    def result(self) -> Any:
        """What came of it, once it is done; raises what it raised."""


class Background:
    """A job in a thread that does not keep the program alive: an invocation goes on without whoever waits for it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call, self._ended = call, Event()
        self._answer: Any = None
        self._error: BaseException | None = None
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._answer = self._call()
        except BaseException as error:
            self._error = error
        self._ended.set()

    def done(self) -> bool:
        """Whether the call has returned."""
        return self._ended.is_set()

    def result(self) -> Any:
        """What it returned; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._answer
