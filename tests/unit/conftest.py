"""Settings of all property tests."""

from hypothesis import settings

# No deadline for one example: the machines that test are busy, and no property here is about time.
settings.register_profile("fastscaler", deadline=None)
settings.load_profile("fastscaler")
