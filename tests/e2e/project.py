"""A copy of the project in a temporary folder: what a user has cloned, edited, built and deployed."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.printed import say

ROOT = Path(__file__).parents[2]
COPIED = ("template.yaml", "samconfig.toml", "local-env.json", "policies.yaml", "functions", "layers", "events")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.egg-info", ".cache")

# Commands come from the virtual environments that the Makefile made: aws and python3.13, sam, fastscaler.
PATH = os.pathsep.join(
    [*(str(ROOT / venv / "bin") for venv in (".venv-e2e", ".venv-sam", ".venv")), os.environ["PATH"]]
)

# `sam` reads the section e2e of samconfig.toml. The AWS CLI has an old endpoint of its own for SQS unless given one.
_PRELUDE = """set -euo pipefail
sam() { command sam "$@" --config-env e2e; }
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
"""

# The emulator's CloudFormation refuses an alarm on metric math. There the alarm watches the metric itself;
# tests/unit/test_monitoring.py evaluates it as it is.
_METRIC_MATH = re.compile(r"      Metrics:\n        - Id: filled\n(?: {8,}.*\n)+")
_METRIC_ITSELF = """      Namespace: !Sub FastScaler/${AWS::StackName}
      MetricName: Looks
      Dimensions: [{Name: service, Value: fastscaler}]
      Statistic: Sum
      Period: 60
"""


class Failed(Exception):
    """A command ended with another exit code than 0, and printed this."""


class Project:
    """The copy in `folder`, and the commands that are run in it; `environment` leads to an emulator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        folder.mkdir(parents=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, symlinks=True, ignore=_NOT_COPIED)
            else:
                shutil.copy2(source, folder / name)
        text, found = _METRIC_MATH.subn(_METRIC_ITSELF, (folder / "template.yaml").read_text())
        assert found == 1
        (folder / "template.yaml").write_text(text)

    def edit_policies(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Lets `edit` change the one service of the policy document, as an operator would in an editor."""
        path = self.folder / "policies.yaml"
        document = yaml.safe_load(path.read_text())
        edit(document["Services"][0])
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def event(self, name: str) -> Any:
        """The sample event of this name."""
        return json.loads((self.folder / "events" / name).read_text())

    def shell(self, script: str, *, shown: bool = False) -> str:
        """Runs a shell script in the copy and returns what it printed.

        Raises Failed, with all that was printed.
        """
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-c", _PRELUDE + script],
            cwd=self.folder,
            env=self._variables(),
            input="y\n" * 10,  # To what `sam delete` asks.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        took = time.monotonic() - began
        say("\n".join(f"$ {line}" for line in script.strip().splitlines()) + f"    ({took:.1f} s)")
        if done.returncode:
            raise Failed(f"exit code {done.returncode} of\n{script}\n{done.stdout}")
        if shown:
            say(done.stdout)
        return done.stdout

    def start(self, command: list[str], *, discard: bool = False) -> subprocess.Popen[str]:
        """Starts a command in the copy, in a session of its own; its output is to be read, or discarded."""
        output = subprocess.DEVNULL if discard else subprocess.PIPE
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        )

    def _variables(self) -> dict[str, str]:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        return {**inherited, "PATH": PATH, "SAM_CLI_TELEMETRY": "0", "AWS_PAGER": "", **self.environment}


def base_python() -> str:
    """The interpreter that this virtual environment was made from: Python 3.13 and nothing of ours."""
    base: str = getattr(sys, "_base_executable")  # noqa: B009  # Not in the type stubs; the venv module uses it.
    return base
