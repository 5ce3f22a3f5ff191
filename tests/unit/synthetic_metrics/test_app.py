"""The handler refuses what it cannot do before it calls anything."""

import subprocess
import sys
from typing import Any

import pytest

from fastscaler.errors import EventInvalid
from tests.unit.synthetic_metrics.loading import FOLDER, load_app

CONSTANT = {
    "Profile": "constant",
    "Cluster": "shop",
    "Service": "web",
    "BaseRequestsPerSecond": 10,
    "DurationSeconds": 5,
    "Tasks": 2,
}


def invoke(event: dict[str, Any]) -> Any:
    return load_app().handler(event, None)


def test_without_a_namespace_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METRIC_NAMESPACE", raising=False)
    with pytest.raises(RuntimeError, match="METRIC_NAMESPACE is not set"):
        invoke(CONSTANT)


def test_a_bad_event_fails_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRIC_NAMESPACE", "Shop/Web")
    with pytest.raises(EventInvalid, match="must be one of constant, step"):
        invoke(CONSTANT | {"Profile": "sawtooth"})


def test_importing_it_needs_no_environment_and_makes_no_client() -> None:
    program = "import app, boto3; print(boto3.DEFAULT_SESSION)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=FOLDER, env={"PATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "None\n"
