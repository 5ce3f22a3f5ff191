"""The workflows for GitHub: sound, pinned, without stored keys, and with no more rights than each job needs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent


def workflow(file: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(file.read_text())
    return loaded


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{file.stem}.{name}", job) for file in FILES for name, job in workflow(file)["jobs"].items()]


def steps() -> list[dict[str, Any]]:
    return [step for _, job in jobs() for step in job["steps"]]


@pytest.mark.parametrize(
    "linter", [["actionlint"], ["zizmor", "--offline", "--quiet", ".github/workflows"]], ids=" ".join
)
def test_the_linters_have_nothing_to_say(linter: list[str]) -> None:
    done = subprocess.run([BIN / linter[0], *linter[1:]], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pull_requests_are_validated_and_main_is_deployed() -> None:
    # YAML 1.1 reads the key `on` as true.
    triggers = {file.stem: set(workflow(file)[True]) for file in FILES}
    assert triggers == {"validate": {"pull_request"}, "deploy": {"push", "workflow_dispatch"}}
    assert workflow(ROOT / ".github/workflows/deploy.yml")[True]["push"]["branches"] == ["main"]


def test_every_action_is_pinned_to_a_commit_with_its_version() -> None:
    lines = [line for file in FILES for line in file.read_text().splitlines() if "uses:" in line]
    assert len(lines) == len([step for step in steps() if "uses" in step]) >= 8
    assert [line for line in lines if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


def test_no_key_is_stored_and_roles_are_assumed_by_identity() -> None:
    assert [file.name for file in FILES if "secrets." in file.read_text() or "ACCESS_KEY" in file.read_text()] == []
    given = [step["with"] for step in steps() if "configure-aws-credentials" in step.get("uses", "")]
    assert len(given) == 2
    assert all(set(one) == {"role-to-assume", "aws-region"} for one in given)


def test_a_job_may_do_what_it_must_and_no_more() -> None:
    assert [workflow(file)["permissions"] for file in FILES] == [{}] * len(FILES)
    assert {name: job["permissions"] for name, job in jobs()} == {
        "validate.validate": {"contents": "read"},
        "deploy.deploy": {"contents": "read", "id-token": "write"},
        "deploy.drill": {"contents": "read", "id-token": "write"},
    }
    # Who may have the role's identity waits for the environment's reviewers.
    assert {job.get("environment") for _, job in jobs() if "id-token" in job["permissions"]} == {"production"}


def test_the_application_is_built_with_the_functions_own_python() -> None:
    runtime = yaml.safe_load(re.sub(r"!\w+", "", (ROOT / "template.yaml").read_text()))["Globals"]["Function"][
        "Runtime"
    ]
    found = {step["with"]["python-version"] for step in steps() if "setup-python" in step.get("uses", "")}
    assert {f"python{version}" for version in found} == {runtime}


def test_the_guide_names_every_variable_that_has_to_be_set() -> None:
    guide = (ROOT / "docs" / "deploying.md").read_text()
    variables = {name for file in FILES for name in re.findall(r"vars\.(\w+)", file.read_text())}
    assert len(variables) == 4
    assert [name for name in variables if f"`{name}`" not in guide] == []
