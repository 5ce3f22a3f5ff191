"""What makes a request expensive: CPU time, and memory. Both run in a thread, never on the event loop."""

import mmap
import time
from hashlib import pbkdf2_hmac
from pathlib import Path

CPU_MILLISECONDS = 10  # CPU time of `/load/1`: 25 of them a second fill a quarter of a vCPU.
MEGABYTE = 1024 * 1024

# About half a millisecond in one call, so what is used is at most that much more than what was asked for.
_ROUNDS = 2000


def use_cpu(milliseconds: float) -> float:
    """Uses this much CPU time of the calling thread and returns what it used, both in milliseconds.

    CPU time, not time on the clock: on a busy task the same work takes longer. Key derivation holds no GIL, so the
    event loop and other threads run meanwhile; a loop in Python would keep them waiting for 5 ms at every turn.
    """
    start = time.thread_time()
    while (used := (time.thread_time() - start) * 1000) < milliseconds:
        pbkdf2_hmac("sha256", b"storefront", b"salt", _ROUNDS)
    return used


def allocate(megabytes: int) -> mmap.mmap:
    """Memory that really is there: every page is written to, since an untouched one costs nothing.

    A mapping of its own, because closing it gives the memory back at once. A heap may keep it.
    """
    block = mmap.mmap(-1, megabytes * MEGABYTE)
    for page in range(0, len(block), mmap.PAGESIZE):
        block[page] = 1
    return block


def resident_megabytes() -> float | None:
    """Memory of this process that is in RAM; None where there is no /proc to say so (macOS)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return round(pages * mmap.PAGESIZE / MEGABYTE, 1)
