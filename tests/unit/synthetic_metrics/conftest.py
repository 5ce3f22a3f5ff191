"""Puts the function's folder on the path for the test modules beside this file."""

from tests.unit.synthetic_metrics.loading import add_to_path

add_to_path()
