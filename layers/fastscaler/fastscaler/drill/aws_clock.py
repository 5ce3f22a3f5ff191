"""By how much this machine's clock differs from AWS's, which the functions' own times are in."""

from typing import TYPE_CHECKING, Protocol

from fastscaler.ports import Clock

if TYPE_CHECKING:
    from fastscaler.aws.dynamodb import Head

PROBES, PROBE_EVERY = 4, 0.27  # Date headers have whole seconds: a few, at different parts of a second.


class Heads(Protocol):
    """The state table, for AWS's clock."""

    def poll(self) -> "Head":
        """Epoch, directives, and the Date of the answer. Raises AwsError."""


def clock_ahead(table: Heads, clock: Clock) -> float:
    """Seconds by which this machine's clock leads AWS's; 0 where that cannot be told apart. Raises AwsError.

    A Date header has whole seconds. Each answer bounds the difference; a few at different parts of a second bound it
    to a fraction of one.
    """
    lowest, highest = float("-inf"), float("inf")
    for number in range(PROBES):
        if number:
            clock.sleep(PROBE_EVERY)
        sent = clock.now()
        date = table.poll().date
        if date is None:
            return 0.0
        lowest, highest = max(lowest, sent - date - 1), min(highest, clock.now() - date)
    return 0.0 if lowest <= 0 <= highest else (lowest + highest) / 2
