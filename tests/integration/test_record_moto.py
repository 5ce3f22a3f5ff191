"""`fastscaler record` as a user runs it, against the stand-in for AWS. Its answers have one page each: paging is tested
in tests/unit/aws/test_request_counts.py."""

import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.account import CLUSTER, LOAD_BALANCER, SERVICE, TARGET_GROUP, Account
from demo.local_aws import LocalAws
from fastscaler.aws.request_counts import PERMISSIONS
from simulator.traffic import read_traffic

POLICIES = Path(__file__).parents[2] / "policies.yaml"
RECORD = f"record --cluster {CLUSTER} --service {SERVICE}"
DIMENSIONS = {"LoadBalancer": LOAD_BALANCER, "TargetGroup": TARGET_GROUP}


@pytest.fixture
def aws(balanced_aws: LocalAws) -> LocalAws:
    return balanced_aws


@dataclass(frozen=True)
class Done:
    """One run of the command in a process of its own."""

    code: int
    out: str
    err: str


def run(aws: LocalAws, arguments: str, folder: Path, *, without: str = "nothing") -> Done:
    """Runs the command in `folder`, without the environment variables whose names have `without` in them."""
    command = [str(Path(sys.executable).with_name("fastscaler")), *shlex.split(arguments)]
    variables = {name: value for name, value in aws.environment.items() if without not in name}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables, timeout=120, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def counted(aws: LocalAws, requests: Mapping[int, float]) -> None:
    """What the load balancer has counted, by minutes ago; the counter is silent in the others."""
    minute = time.time() // 60 * 60
    for ago, count in requests.items():
        aws.put_aws_metric("AWS/ApplicationELB", "RequestCount", DIMENSIONS, minute - 60 * ago, count)


def test_minutes_are_recorded_and_a_silent_one_between_them_had_no_request(aws: LocalAws, tmp_path: Path) -> None:
    counted(aws, {30: 600, 29: 1234567, 27: 60})
    done = run(aws, f"{RECORD} --hours 2 -o traffic.csv", tmp_path)
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "traffic.csv").read_text() == "minute,requests\n0,600\n1,1234567\n2,0\n3,60\n"
    assert done.err.startswith("fastscaler: traffic.csv: 4 minutes from ")
    assert len(done.err.splitlines()) == 1


def test_what_is_recorded_can_be_simulated(aws: LocalAws, tmp_path: Path) -> None:
    counted(aws, dict.fromkeys(range(5, 15), 60 * 200))
    assert run(aws, f"{RECORD} -o traffic.csv", tmp_path).code == 0
    assert read_traffic(tmp_path / "traffic.csv").load == [200.0] * 600
    done = run(aws, f"simulate {POLICIES} --trace traffic.csv", tmp_path)
    assert done.code == 0, done.err
    assert "No request was late or lost." in done.out


def test_the_newest_minutes_are_not_complete_and_are_left_out(aws: LocalAws, tmp_path: Path) -> None:
    counted(aws, {10: 100, 9: 100, 0: 5})
    assert run(aws, RECORD, tmp_path).out == "minute,requests\n0,100\n1,100\n"


def test_hours_say_how_far_back(aws: LocalAws, tmp_path: Path) -> None:
    counted(aws, {90: 7, 30: 8})
    assert run(aws, f"{RECORD} --hours 1", tmp_path).out == "minute,requests\n0,8\n"
    assert len(run(aws, f"{RECORD} --hours 2", tmp_path).out.splitlines()) == 62


def test_the_load_balancer_of_the_policy_document_needs_no_more_than_its_counter(aws: LocalAws, tmp_path: Path) -> None:
    counted(aws, {10: 100})
    aws.calls.reset()
    done = run(aws, f"{RECORD} --policies {POLICIES}", tmp_path)
    assert done.out == "minute,requests\n0,100\n"
    assert set(aws.calls.counts()) == {"GetMetricData"}


def test_nothing_in_aws_is_changed(aws: LocalAws, tmp_path: Path) -> None:
    counted(aws, {10: 100})
    aws.calls.reset()
    run(aws, RECORD, tmp_path)
    assert set(aws.calls.counts()) == set(PERMISSIONS)


def test_a_file_is_never_overwritten_by_mistake(aws: LocalAws, tmp_path: Path) -> None:
    counted(aws, {10: 100})
    file = tmp_path / "traffic.csv"
    file.write_text("mine")
    done = run(aws, f"{RECORD} -o traffic.csv", tmp_path)
    assert (done.code, done.err) == (2, "fastscaler: traffic.csv is there already: --force overwrites it\n")
    assert file.read_text() == "mine"
    assert run(aws, f"{RECORD} -o traffic.csv --force", tmp_path).code == 0
    assert file.read_text() == "minute,requests\n0,100\n"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (RECORD, 1, "its load balancer has counted no request in 24 hours: try more --hours"),
        (f"record --cluster {CLUSTER} --service other", 1, f"cluster {CLUSTER} has no service other: look at"),
        (f"record --cluster other --service {SERVICE}", 1, "there is no cluster other: look at --cluster"),
        (f"{RECORD} --profile nobody", 1, "The config profile (nobody) could not be found: give another --aws-profile"),
        (f"{RECORD} --hours 0", 2, "--hours 0: must be from 1 to 360"),
        (f"{RECORD} --hours 361", 2, "--hours 361: must be from 1 to 360"),
        (f"record --cluster a:b --service {SERVICE}", 2, "--cluster a:b: must be the name, not the ARN"),
        (f"record --cluster x --service y --policies {POLICIES}", 2, "no service x/y: look at --cluster"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(
    aws: LocalAws, tmp_path: Path, arguments: str, code: int, line: str
) -> None:
    done = run(aws, f"{arguments} -o traffic.csv", tmp_path)
    assert (done.code, done.out) == (code, "")
    assert line in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "traffic.csv").exists()


def test_a_service_without_load_balancer_is_one_line(aws: LocalAws, tmp_path: Path) -> None:
    Account(aws).create_service(CLUSTER, "worker", desired=1)
    done = run(aws, f"record --cluster {CLUSTER} --service worker", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"fastscaler: {CLUSTER}/worker: no Application Load Balancer sends it requests, so none are counted\n"
    )


@pytest.mark.parametrize("operation", PERMISSIONS)
def test_a_missing_permission_is_named(aws: LocalAws, tmp_path: Path, operation: str) -> None:
    counted(aws, {10: 100})
    aws.fail(operation, "AccessDeniedException")
    done = run(aws, RECORD, tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(
        f"{operation} is not allowed (A fault that a test planted): permit {PERMISSIONS[operation]}\n"
    )


def test_without_credentials_it_says_what_to_give(aws: LocalAws, tmp_path: Path) -> None:
    done = run(aws, RECORD, tmp_path, without="ACCESS_KEY")
    assert (done.code, done.out) == (1, "")
    said = "no AWS credentials were found: sign in, or give an --aws-profile that has some"
    assert done.err == f"fastscaler: {CLUSTER}/{SERVICE}: {said}\n"
