"""The image as the Dockerfile describes it. It is not built here; tests/integration runs its commands."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.unit.examples.dockerfile import FOLDER, PATH, Dockerfile
from tests.unit.examples.template import ROOT, STOREFRONT, Stack

IMAGE = Dockerfile.read().image
TASK = Stack(STOREFRONT, ImageTag="1").properties("TaskDefinition")
[CONTAINER] = TASK["ContainerDefinitions"]


def option(name: str) -> str:
    return IMAGE.command[IMAGE.command.index(name) + 1]


def test_hadolint_has_no_finding() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "--no-color", PATH], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_base_is_pinned_to_a_patch_release() -> None:
    for stage in Dockerfile.read().stages:
        assert re.fullmatch(r"python:3\.13\.\d+-slim-bookworm( AS \w+)?", stage.base), stage.base


def test_it_does_not_run_as_root() -> None:
    user, _, group = IMAGE.last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_it_holds_what_it_needs_and_no_build_tools_or_secrets() -> None:
    assert IMAGE.all("RUN") == []
    assert IMAGE.all("COPY") == ["--from=build /app /app"]
    assert set(IMAGE.environment) == {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    for stage in Dockerfile.read().stages:
        assert stage.all("ARG") == []
        assert not re.search(
            r"(?i)secret|password|token|aws_|key_id", "\n".join(text for _, text in stage.instructions)
        )


def test_logs_are_not_held_back() -> None:
    assert IMAGE.environment["PYTHONUNBUFFERED"] == "1"


def test_everything_it_copies_exists_and_is_in_the_build_context() -> None:
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored  # Nothing by default: no .git, no credentials that lie about.
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    for text in Dockerfile.read().stages[0].all("COPY"):
        origin = text.split()[0].rstrip("/")
        assert (ROOT / origin).exists()
        assert any(origin == path or origin.startswith(f"{path}/") for path in allowed), origin
    assert all((ROOT / path).exists() for path in allowed)


def test_the_stop_signal_reaches_the_server_and_leaves_it_time_to_finish() -> None:
    assert IMAGE.last("STOPSIGNAL") == "SIGTERM"
    assert IMAGE.command[0] == "python"  # Exec form: process 1 is the server itself.
    assert int(option("--timeout-graceful-shutdown")) < CONTAINER["StopTimeout"]


def test_idle_connections_outlive_the_load_balancers() -> None:
    attributes = Stack(STOREFRONT, ImageTag="1").properties("LoadBalancer")["LoadBalancerAttributes"]
    [idle] = [one["Value"] for one in attributes if one["Key"] == "idle_timeout.timeout_seconds"]
    assert int(option("--timeout-keep-alive")) > int(idle)


def test_the_port_is_the_one_of_the_task() -> None:
    assert {option("--port"), IMAGE.last("EXPOSE")} == {str(CONTAINER["PortMappings"][0]["ContainerPort"])}
    assert f":{option('--port')}/health" in IMAGE.health_command[-1]
    assert option("--host") == "0.0.0.0"


@pytest.mark.parametrize(
    "line", [line for line in (FOLDER / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
)
def test_what_is_installed_is_what_the_tests_run_with(line: str) -> None:
    requirement = Requirement(line)
    assert requirement.specifier.contains(version(requirement.name))
    assert {one.operator for one in requirement.specifier} == {">=", "<"}
