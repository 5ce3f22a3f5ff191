"""What all peers have in common; the arguments of `step` are each peer's own."""

from typing import Protocol


class Peer(Protocol):
    """An autoscaler that can be driven in simulated time."""

    @property
    def name(self) -> str:
        """What results call it."""

    @property
    def interval(self) -> float:
        """Seconds between two steps."""
