"""Ctrl-C and SIGTERM end a run in order: functions are stopped, then the stand-in."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130  # What a shell reports for a program that Ctrl-C ended.


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it SIGTERM is like Ctrl-C: everything is cleaned up, and the program ends with one line."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
