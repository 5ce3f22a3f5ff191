"""Numbers in the sentences that people read."""

MOST_WRITTEN_OUT = 1e15  # Above this a float has no digit after the point, and nobody counts them.


def figure(value: float, digits: int = 4) -> str:
    """`value` in `digits` digits, or in as many as its whole part has: 87.46 and 12500, not 1.25e+04."""
    return f"{value:.0f}" if 10 ** (digits - 1) <= abs(value) < MOST_WRITTEN_OUT else f"{value:.{digits}g}"
