"""The commands of the storefront's README, in their order, in one shell.

The AWS CLI talks to the stand-in. Docker, the SAM CLI and wrk are noted and not run. CloudFormation takes the template
and its parameters as a change set and no further, since moto cannot create all of its resources; so the stack's outputs
are given here, and nobody waits for its deletion. tests/unit/examples has the template itself.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from demo.account import CLUSTER, SERVICE, Account
from demo.local_aws import LocalAws

ROOT = Path(__file__).parents[2]
README = (ROOT / "examples" / "storefront" / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
LOCAL = BLOCKS[:2]  # On this machine: install and serve, then ask.
ACCOUNT = BLOCKS[2:]
LOAD_BALANCER = "app/storef-LoadB-1ABC/0123456789abcdef"
TARGET_GROUP = "targetgroup/storef-Targe-2DEF/fedcba9876543210"
URL = "http://storef-LoadB-1ABC-123.us-east-1.elb.amazonaws.com"
# Commands that cannot run here say so, one a line, on descriptor 3.
NOTED = f"""
set -euo pipefail
exec 3>noted
docker() {{ if [ "$1" = login ]; then cat >/dev/null; fi; echo "docker $*" >&3; }}
sam() {{ echo "sam $*" >&3; }}
wrk() {{ echo "wrk $*" >&3; }}
aws() {{
    echo "aws $*" >&3
    case "$*" in
        *describe-stacks*LoadBalancer*) echo {LOAD_BALANCER} ;;
        *describe-stacks*TargetGroup*) echo {TARGET_GROUP} ;;
        *describe-stacks*Url*) echo {URL} ;;
        "cloudformation wait"*) ;;
        "cloudformation deploy"*) command aws "$@" --no-execute-changeset ;;
        *) command aws "$@" ;;
    esac
}}
"""


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which all commands for the account were typed, and what they printed."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "examples", folder / "examples")
    with LocalAws() as aws:
        Account(aws).create_service(CLUSTER, SERVICE, desired=18)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-c", "\n".join([NOTED, *ACCOUNT])],
            cwd=folder,
            env={**os.environ, **aws.environment, "PATH": path, "AWS_PAGER": ""},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def noted(folder: Path, program: str) -> list[str]:
    """The calls of one program, in their order."""
    return [line for line in (folder / "noted").read_text().splitlines() if line.startswith(f"{program} ")]


def test_two_images_are_built_and_pushed_under_tags_of_their_own(typed: tuple[Path, str]) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/storefront"
    build = "docker build --platform linux/amd64 -f examples/storefront/Dockerfile -t"
    assert noted(typed[0], "docker") == [
        f"docker login --username AWS --password-stdin {image.partition('/')[0]}",
        f"{build} {image}:1 .",
        f"docker push {image}:1",
        f"{build} {image}:2 .",
        f"docker push {image}:2",
    ]


def test_the_policies_name_the_load_balancer_of_the_stack_and_are_valid_at_the_root(typed: tuple[Path, str]) -> None:
    folder, printed = typed
    text = (folder / "policies.yaml").read_text()
    [service] = yaml.safe_load(text)["Services"]
    assert service["LoadBalancer"] == {"LoadBalancer": LOAD_BALANCER, "TargetGroup": TARGET_GROUP}
    assert text.startswith("# yaml-language-server: $schema=./policies.schema.json\n")
    assert "policies.yaml: 1 service, valid" in printed


def test_the_count_is_shown_before_and_after_a_new_version(typed: tuple[Path, str]) -> None:
    assert re.findall(r"^18$", typed[1], flags=re.MULTILINE) == ["18", "18"]


def test_the_drill_asks_the_stack_for_its_address(typed: tuple[Path, str]) -> None:
    assert noted(typed[0], "wrk") == [f"wrk --threads 2 --connections 50 --duration 120s --latency {URL}/"]


def test_the_scaler_is_deployed_after_the_stack_and_removed_before_it(typed: tuple[Path, str]) -> None:
    calls = (typed[0] / "noted").read_text()
    order = ["aws cloudformation deploy", "sam build", "sam deploy", "sam delete", "aws cloudformation delete-stack"]
    assert sorted(order, key=calls.index) == order


def test_what_is_typed_on_this_machine_serves_and_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    [serve] = [line for line in LOCAL[0].splitlines() if "uvicorn" in line]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    server = subprocess.Popen(
        ["bash", "-c", "exec env " + serve.replace("8000", str(port))],
        cwd=ROOT,
        env={**environment, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        pages = [line.split()[1].replace("8000", str(port)) for line in LOCAL[1].splitlines()]
        answers = [_get(page) for page in pages]
    finally:
        server.terminate()
        printed, _ = server.communicate(timeout=30)
    assert '"load":5' in answers[0]
    assert '"requests":1' in answers[1]
    assert "Traceback" not in printed


def _get(url: str) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(url, timeout=30) as response:
                body: bytes = response.read()
                return body.decode()
        except URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
