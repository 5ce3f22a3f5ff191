"""The fewest and the most tasks that a peer may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """MinCapacity and MaxCapacity, in tasks. Raises ValueError where they are not 0 <= minimum <= maximum."""

    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum:
            raise ValueError(f"minimum = {self.minimum}: must be from 0 to maximum = {self.maximum}")

    def clamp(self, count: int) -> int:
        """The count within the bounds that is nearest to `count`."""
        return min(max(count, self.minimum), self.maximum)
