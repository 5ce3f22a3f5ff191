"""The metric pipelines: what of the world can be seen, when, and how much of it."""
