"""The end of the process, and its forks, as a publisher has to know of them.

A publisher is closed when the interpreter exits, and when SIGTERM comes (ECS sends it 30 s before SIGKILL). A handler
that the application or the server has set is never replaced, only preceded.
"""

import atexit
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol
from weakref import WeakSet

_CLOSE = 5.0  # Seconds that the process waits at its end for the last bucket to be sent.


class _Publisher(Protocol):
    def close(self, timeout: float = ...) -> None: ...

    def close_soon(self) -> None: ...

    def forked(self) -> None: ...


_publishers: "WeakSet[_Publisher]" = WeakSet()


def attend(publisher: _Publisher) -> None:
    """Close this publisher when the process ends, and tell it when it finds itself in a forked child."""
    _publishers.add(publisher)


def handle_sigterm(*, before_others: bool) -> None:
    """Close publishers at SIGTERM where nothing else handles it, and `before_others` also where something does.

    Only the main thread can set a handler; called in another one, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    current = signal.getsignal(signal.SIGTERM)
    if current is signal.SIG_DFL or (before_others and callable(current) and not isinstance(current, _OnSigterm)):
        try:
            signal.signal(signal.SIGTERM, _OnSigterm(current))
        except ValueError:
            return  # Not the main interpreter.


class _OnSigterm:
    """The handler, in front of the one that was there."""

    def __init__(self, previous: "Callable[[int, FrameType | None], Any] | int") -> None:
        self._previous = previous

    def __call__(self, number: int, frame: FrameType | None) -> None:
        # Nothing waits in here: the main thread may hold the very lock that the publishing thread needs.
        for publisher in list(_publishers):
            publisher.close_soon()
        if callable(self._previous):
            self._previous(number, frame)
            return
        signal.signal(number, signal.SIG_DFL)
        try:
            threading.Thread(target=_end, args=(number,), name="fastscaler-publisher-end", daemon=True).start()
        except RuntimeError:  # No thread is to be had, or the interpreter shuts down and has closed the publishers.
            os.kill(os.getpid(), number)


def _end(number: int) -> None:
    _close_all()
    os.kill(os.getpid(), number)


@atexit.register
def _close_all() -> None:
    for publisher in list(_publishers):
        publisher.close(_CLOSE)


def _forked() -> None:
    for publisher in list(_publishers):
        publisher.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
