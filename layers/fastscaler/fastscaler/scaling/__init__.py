"""The decision: pure functions over immutable data. Nothing here reads a clock, the environment or a network."""
