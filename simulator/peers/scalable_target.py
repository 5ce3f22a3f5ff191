"""What Application Auto Scaling does with the count that a policy asks for: bounds and cooldowns.

Source: Application Auto Scaling user guide, "Cooldown period" of step scaling and of target tracking policies. During a
scale-out cooldown only a larger scale-out acts, and what the previous one added counts as part of it. A scale-in waits
for the scale-in cooldown to end; a scale-out does not, and ends it.
"""

from simulator.peers.bounds import Bounds


class ScalableTarget:
    """One ECS service's desired count, between a minimum and a maximum."""

    def __init__(self, minimum: int, maximum: int, scale_out_cooldown: float, scale_in_cooldown: float) -> None:
        """Cooldowns in seconds.

        Raises ValueError where the bounds are not 0 <= minimum <= maximum.
        """
        self._bounds = Bounds(minimum, maximum)
        self._scale_out_cooldown = scale_out_cooldown
        self._scale_in_cooldown = scale_in_cooldown
        self._scaled_out: tuple[float, int] | None = None  # When, and by how many tasks.
        self._scaled_in_at: float | None = None

    def scale_out(self, now: float, running: int, desired: int, wanted: int) -> int | None:
        """The new desired count for a policy that wants `wanted` tasks where `running` are; None: no activity."""
        size = wanted - running
        if self._scaled_out is not None and now - self._scaled_out[0] < self._scale_out_cooldown:
            wanted = desired + size - self._scaled_out[1]
        count = self._bounds.clamp(wanted)
        if count <= desired:
            return None
        self._scaled_out = (now, size)
        self._scaled_in_at = None
        return count

    def scale_in(self, now: float, desired: int, wanted: int) -> int | None:
        """The new desired count for a policy that wants no more than `wanted` tasks; None: no activity."""
        if self._scaled_in_at is not None and now - self._scaled_in_at < self._scale_in_cooldown:
            return None
        count = self._bounds.clamp(wanted)
        if count >= desired:
            return None
        self._scaled_in_at = now
        self._scaled_out = None
        return count
