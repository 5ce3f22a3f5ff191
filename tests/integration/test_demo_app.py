"""One short run of the demo with real requests: are its figures those of what happened, and is nothing left behind?"""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from demo.app.__main__ import tell
from demo.app.access_log import Figures
from demo.app.lines import AppLines
from demo.app.packages import PackagesMissing, Programs, find_programs
from demo.app.run import AppRun, play
from demo.app.scenario import app_scenario
from demo.run import RunFailed
from demo.scenario import SCALER

ROOT = Path(__file__).parents[2]
SCENARIO = app_scenario(steady_seconds=5, surge_seconds=24, calm_seconds=3, task_seconds=4)

try:
    PROGRAMS = find_programs()
except PackagesMissing as missing:
    pytest.skip(str(missing), allow_module_level=True)


@dataclass(frozen=True)
class Played:
    run: AppRun
    report: dict[str, Any]
    output: Path
    exit_code: int
    printed: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    output = tmp_path_factory.mktemp("demo-app")
    with pytest.MonkeyPatch.context() as patch, open(output / "printed.txt", "w") as printed:
        patch.setattr(sys, "stdout", printed)
        run = play(SCENARIO, PROGRAMS, AppLines().show)
        exit_code = tell(run, output)
    report = json.loads((output / "app_report.json").read_text())
    return Played(run, report, output, exit_code, (output / "printed.txt").read_text())


def test_the_surge_is_answered_and_the_exit_code_says_so(played: Played) -> None:
    assert played.exit_code == 0
    assert 0 < played.report["reaction_seconds"] < SCENARIO.surge_seconds
    assert played.report["calls_before_surge"] == 0
    assert played.report["problems"] == []


def test_reaction_is_from_the_first_new_customer_to_the_call_that_the_stand_in_recorded(played: Played) -> None:
    surge_at = played.report["surge_at"]
    [first, *_] = [one for one in played.run.aws.calls.of("UpdateService", SCALER.name) if one.finished > surge_at]
    assert played.report["reaction_seconds"] == pytest.approx(first.finished - surge_at, abs=0.001)
    # What the load balancer saw: the steady load until then, and at once much more.
    before = [one for one in played.run.requests if surge_at - 3 <= one.arrived < surge_at]
    after = [one for one in played.run.requests if surge_at <= one.arrived < surge_at + 3]
    assert len(after) > 2 * len(before)


def test_every_request_is_counted_by_the_load_balancer_and_published_by_a_task_once(played: Played) -> None:
    requests = played.report["requests"]
    assert requests["load_balancer_has_logged"] == requests["load_balancer_has_counted"] > 1000
    assert requests["tasks_have_published"] == requests["load_balancer_has_logged"]
    # wrk does not wait for the last answers: at most one for each customer.
    customers = SCENARIO.customers(SCENARIO.surge_load)
    unread = requests["load_balancer_has_logged"] - requests["load_generator_has_answers_of"]
    assert 0 <= unread <= customers


def test_no_request_fails(played: Played) -> None:
    assert played.report["errors"] == 0
    assert played.report["requests"]["load_generator_errors"] == 0


def test_new_processes_take_requests_and_response_times_fall(played: Played) -> None:
    assert max(sample.healthy for sample in played.run.samples) > SCENARIO.tasks
    phases = played.report["phases"]
    # The first tasks alone have a line in front of them; each phase is judged by the same log.
    assert phases["during"]["p50"] > 5 * phases["before"]["p50"]
    surge_at = played.report["surge_at"]
    last = [one for one in played.run.requests if surge_at + 22 <= one.arrived < surge_at + 24]
    worst = [one for one in played.run.requests if surge_at + 5 <= one.arrived < surge_at + 9]
    assert (Figures.of(last).p50 or 9) < (Figures.of(worst).p50 or 0)
    # More is served than the first tasks can take.
    assert len(last) / 2 > SCENARIO.tasks * SCENARIO.task_capacity


def test_the_report_has_the_figures_of_each_phase(played: Played) -> None:
    assert {"before", "during", "load_gone"} <= played.report["phases"].keys()
    for phase in played.report["phases"].values():
        assert phase["requests"] > 0
        assert 0 < phase["p50"] <= phase["p99"]
    surge_at = played.report["surge_at"]
    assert sum(phase["requests"] for phase in played.report["phases"].values()) == pytest.approx(
        sum(played.run.loaded_at <= one.arrived < surge_at + 27 for one in played.run.requests), abs=5
    )


def test_the_chart_is_a_picture_with_something_in_it(played: Played) -> None:
    picture = imread(played.output / "app_chart.png")
    height, width, _ = picture.shape
    assert width >= 800
    assert height >= 500
    ink = (picture[:, :, :3].min(axis=2) < 0.9).mean()
    assert 0.02 < ink < 0.6


def test_the_lines_tell_the_story_and_fit_a_small_terminal(played: Played) -> None:
    for expected in ("SURGE     720 customers", "decision  requests-per-task", "reaction", "steady load", "published"):
        assert expected in played.printed
    story = [line for line in played.printed.splitlines() if not line.startswith("Chart:")]
    assert [line for line in story if len(line) > 80] == []


def test_a_load_balancer_that_does_not_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    broken = tmp_path / "haproxy"
    broken.write_text("#!/bin/sh\necho 'out of memory' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(RunFailed, match="HAProxy has ended:\nout of memory"):
        play(SCENARIO, Programs(str(broken), PROGRAMS.wrk), AppLines().show)


@pytest.mark.skipif(not shutil.which("ps"), reason="the processes of this machine are listed with ps")
@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGKILL])
def test_however_it_ends_no_process_is_left(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "demo.app", "--output", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if "customers" in line:
                break
        while not any("wrk" in command for command in _descendants(demo.pid).values()):
            time.sleep(0.1)
        started = _descendants(demo.pid)
        names = {Path(word).name for command in started.values() for word in command.split()}
        assert {"haproxy", "wrk", "demo.app.task", "demo.invoke"} <= names
        demo.send_signal(how)
        _, said = demo.communicate(timeout=30)
    assert demo.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    assert said == ("" if how is signal.SIGKILL else "stopped\n")
    deadline = time.time() + 20
    while (left := started.keys() & _processes().keys()) and time.time() < deadline:
        time.sleep(0.1)
    assert not left


def _processes() -> dict[int, tuple[int, str]]:
    """Running processes: their parents and their command lines."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = (line.split(None, 3) for line in listed.splitlines())
    return {int(row[0]): (int(row[1]), row[-1]) for row in rows if not row[2].startswith("Z")}


def _descendants(pid: int) -> dict[int, str]:
    """The processes that this one has started, they and so on, with their command lines."""
    processes = _processes()
    found: dict[int, str] = {}
    parents = {pid}
    while parents:
        children = {child: command for child, (parent, command) in processes.items() if parent in parents}
        found |= children
        parents = set(children)
    return found
