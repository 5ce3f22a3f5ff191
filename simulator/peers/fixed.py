"""No scaling: the count that was set stays."""


class NoScaling:
    """Keeps one count; the base line of the SPEC elastic speed-up."""

    name = "no-scaling"
    interval = 60.0

    def __init__(self, count: int) -> None:
        """`count` in tasks."""
        self._count = count

    def step(self, now: float) -> int:
        """The count, at any time."""
        return self._count
