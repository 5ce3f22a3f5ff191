"""The synthetic function's own check of its events, which a drill's have to pass."""

from typing import Any

import pytest

from tests.unit.synthetic_metrics.loading import load_app


@pytest.fixture
def synthetic() -> Any:
    return load_app()
