"""The machine's clock, behind the port `Clock`."""

import time


class SystemClock:
    """Wall-clock time: buckets are aligned to it, and AWS stamps datapoints with it."""

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Waits; not at all for zero or less."""
        if seconds > 0:
            time.sleep(seconds)
