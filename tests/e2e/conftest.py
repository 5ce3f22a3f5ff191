"""Fixtures of the end to end tests: the built project, and emulators to deploy it into.

Run them with `make e2e` and its siblings, which install what they need. Elsewhere they are not collected.
"""

import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

collect_ignore_glob = [] if find_spec("ministack") else ["test_*.py"]

# So that a run which is told to end still stops what it has started.
signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for this run, removed after it."""
    with TemporaryDirectory(prefix="fastscaler-e2e-") as folder:
        yield Path(folder)
