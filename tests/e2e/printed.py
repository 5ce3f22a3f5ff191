"""What a run prints while it goes: one line each, with the seconds since the beginning."""

import time

_began = time.monotonic()


def say(text: str) -> None:
    """Prints one line, or several, with the time."""
    stamp = f"{time.monotonic() - _began:6.1f} s  "
    print(stamp + text.rstrip().replace("\n", "\n" + " " * len(stamp)), flush=True)
