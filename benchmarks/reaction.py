"""Reaction to a 5x surge, over repeated runs of the demo's core, and what GetMetricData bills for meanwhile."""

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from demo.core import repeat


def reaction(runs: int) -> dict[str, Any]:
    """Seconds from the surge to the return of UpdateService."""
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            repeat(runs, seed=1, start_seconds=30.0, output=Path(folder))
        figures: dict[str, Any] = json.loads(Path(folder, "core.json").read_text())
    del figures["reports"]
    return figures
