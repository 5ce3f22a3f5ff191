"""docs/simulating.md: its commands are run in their order, and its options are those that there are."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from demo.account import CLUSTER, SERVICE, Account
from demo.local_aws import LocalAws
from fastscaler.aws.request_counts import PERMISSIONS
from fastscaler.cli import app
from simulator.contenders import CONTENDERS
from tests.integration.shop import sdk_of
from tests.integration.test_record_moto import counted, run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulating.md").read_text()


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """The page's service, which had traffic in the last hour."""
    with LocalAws(start_seconds=0) as aws:
        account = Account(aws)
        account.create_service(CLUSTER, SERVICE, desired=4, target_group_arn=account.create_load_balancer())
        with sdk_of(aws):
            counted(aws, dict.fromkeys(range(5, 25), 60 * 300))
            yield aws


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_every_command_of_the_page_runs_in_its_order(aws: LocalAws, tmp_path: Path) -> None:
    shutil.copy(ROOT / "policies.yaml", tmp_path)
    install, *others = commands()
    assert all((ROOT / word.split("[")[0]).is_dir() for word in shlex.split(install)[2:])
    assert {command.split()[1] for command in others} == {"record", "simulate"}
    for command in others:
        done = run(aws, command.removeprefix("fastscaler "), tmp_path)
        assert done.code == 0, f"{command}: {done.err}"
    assert (tmp_path / "simulation.png").exists()


def test_every_option_and_name_of_the_page_exists() -> None:
    shown = CliRunner().invoke(app, ["simulate", "--help"], env={"COLUMNS": "200"}).stdout
    rows = [line for line in PAGE.splitlines() if line.startswith("| `--")]
    options = {option for row in rows for option in re.findall(r"--[a-z-]+", row.split("|")[1])}
    assert {option for option in options if option not in shown} == set()
    [compared] = [row for row in rows if "--compare" in row]
    named = set(re.findall(r"`([a-z0-9-]+)`", compared.split("|")[2])) - {"all"}
    assert named == set(CONTENDERS)


def test_the_page_names_every_permission() -> None:
    named = set(re.findall(r"`([a-z]+:[A-Za-z]+)`", PAGE))
    assert named == set(PERMISSIONS.values())
