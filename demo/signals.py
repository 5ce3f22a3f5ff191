"""Ctrl-C and SIGTERM end a run in order: functions first, then the stand-in. However it ends, nothing is left."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130  # What a shell reports for a program that Ctrl-C ended.


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it SIGTERM, and SIGHUP of a terminal that is closed, are like Ctrl-C: everything is cleaned up, and the
    program ends with one line.
    """
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_parent() -> None:
    """Ends this process when stdin does. The parent holds its other end: however that one ended, this one ends too."""
    wait_for_parent()
    os._exit(1)


def wait_for_parent() -> None:
    """Returns when stdin has ended. Not by sys.stdin, whose lock would be held when the interpreter shuts down."""
    while os.read(0, 4096):
        pass


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
