"""One short run of the demo: does its report say what the stand-in recorded, and does it leave nothing behind?"""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread
from rich.console import Console

from demo.__main__ import tell
from demo.lines import Lines
from demo.run import Run, play
from demo.scenario import SCALER, Scenario, demo_service
from demo.screen import panel

# Tasks start, a hand-over happens and the new tasks take their share of the load, all within 40 s.
SCENARIO = Scenario(
    demo_service(), start_seconds=2, health_seconds=1, steady_seconds=6, surge_seconds=24, beat_seconds=15
)


@dataclass(frozen=True)
class Played:
    run: Run
    report: dict[str, Any]
    output: Path
    exit_code: int
    printed: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    output = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch, open(output / "printed.txt", "w") as printed:
        patch.setattr(sys, "stdout", printed)
        run = play(SCENARIO, Lines().show)
        exit_code = tell(run, output)
    report = json.loads((output / "report.json").read_text())
    return Played(run, report, output, exit_code, (output / "printed.txt").read_text())


def test_the_surge_is_answered_and_the_exit_code_says_so(played: Played) -> None:
    assert played.exit_code == 0
    assert 0 < played.report["reaction_seconds"] < SCENARIO.surge_seconds
    assert played.report["calls_before_surge"] == 0
    assert played.report["problems"] == []


def test_reaction_is_from_the_jump_of_the_load_to_the_call_that_the_stand_in_recorded(played: Played) -> None:
    surge_at = played.report["surge_at"]
    (first, *_) = played.run.aws.calls.of("UpdateService", SCALER.name)
    assert played.report["reaction_seconds"] == pytest.approx(first.finished - surge_at, abs=0.001)
    # The jump, found in what was published: the first bucket above the steady load holds it, and its mean says where.
    start, load = next(point for point in played.run.buckets if point[1] > SCENARIO.steady_load / SCENARIO.tasks + 0.01)
    steady, surge = SCENARIO.steady_load / SCENARIO.tasks, SCENARIO.surge_load / SCENARIO.tasks
    assert surge_at == pytest.approx(start + 5 * (1 - (load - steady) / (surge - steady)), abs=0.01)
    # Nobody can have known of it before that bucket was over.
    assert first.started > start + 5


def test_the_ledger_adds_up_to_the_reaction(played: Played) -> None:
    stages = played.report["stages"]
    until_updated = [seconds for name, seconds in stages.items() if not name.startswith(("updated", "running"))]
    assert all(seconds is not None and seconds >= 0 for seconds in until_updated)
    # The scaler and the stand-in each read their own clock around the same call.
    assert sum(until_updated) == pytest.approx(played.report["reaction_seconds"], abs=0.2)
    assert stages["updated_to_running"] >= SCENARIO.start_seconds - 0.1


def test_desired_counts_are_those_of_the_service_and_carry_the_load(played: Played) -> None:
    changes = played.run.fleet.changes
    assert played.report["desired_before"] == changes[0].before == SCENARIO.tasks
    assert played.report["desired_after"] == changes[-1].after == played.run.fleet.desired
    assert played.report["desired_after"] * SCENARIO.threshold >= SCENARIO.surge_load
    assert played.report["scale_out_calls"] == sum(change.after > change.before for change in changes)


def test_new_tasks_take_their_share_of_the_load(played: Played) -> None:
    _, load = played.run.buckets[-1]
    ran = {sample.running for sample in played.run.samples if sample.running > SCENARIO.tasks}
    assert any(load == pytest.approx(SCENARIO.surge_load / tasks) for tasks in ran)
    assert played.run.samples[-1].running == played.run.fleet.desired


def test_one_invocation_hands_over_to_the_next_and_only_one_decides(played: Played) -> None:
    # The run may end while the newest invocation is still starting, or before the one it replaces has noticed.
    takeovers, beats = played.run.story.takeovers, played.run.beats
    assert len(takeovers) in (beats - 1, beats)
    assert played.report["hand_overs"] == len(takeovers) - 1 >= 1
    assert [takeover.epoch for takeover in takeovers] == list(range(1, len(takeovers) + 1))
    assert set(played.run.story.endings) == {"superseded"}


def test_calls_are_as_many_as_the_stand_in_counted_and_no_more_than_a_look_needs(played: Played) -> None:
    report, calls = played.report, played.run.aws.calls
    assert report["api_calls"] == calls.counts()
    of_scaler = report["api_calls_of_scaler"]
    assert of_scaler["UpdateService"] == len(played.run.fleet.changes)
    # A look that the end of the run, or of an invocation, cut short is not in the log.
    most = report["looks"] + played.run.beats
    assert 0 < of_scaler["GetMetricData"] <= most
    assert of_scaler["DescribeServices"] <= most
    assert report["billed_metrics"] == calls.billed_metrics >= of_scaler["GetMetricData"]


def test_the_chart_is_a_picture_with_something_in_it(played: Played) -> None:
    picture = imread(played.output / "chart.png")
    height, width, _ = picture.shape
    assert width >= 800
    assert height >= 500
    colours = {tuple(pixel) for row in (picture[::4, ::4] * 15).astype(int).tolist() for pixel in row}
    assert len(colours) > 20
    ink = (picture[:, :, :3].min(axis=2) < 0.9).mean()
    assert 0.02 < ink < 0.6


def test_plain_lines_tell_the_story(played: Played) -> None:
    for expected in ("SURGE     240 to 1200 requests/s", "decision  4 to", "takes over (epoch 2)", "reaction"):
        assert expected in played.printed


def test_the_live_view_fits_a_small_terminal(played: Played) -> None:
    console = Console(width=80, height=24, record=True, file=StringIO())
    console.print(panel(played.run))
    lines = console.export_text().splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    assert any("after the surge: 4 to" in line for line in lines)


def test_without_a_scale_out_the_demo_fails_and_says_so(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(played.run.fleet, "changes", [])
    assert tell(played.run, tmp_path) == 1
    assert "NOT answered" in capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("ps"), reason="the processes of this machine are listed with ps")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_no_function_keeps_running(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "demo", "--plain", "--output", str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if "begins" in line:
                break
        functions = _children(demo.pid)
        assert len(functions) == 2
        demo.send_signal(how)
        demo.communicate(timeout=20)
    assert demo.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    deadline = time.time() + 10
    while (left := functions & _processes().keys()) and time.time() < deadline:
        time.sleep(0.1)
    assert not left


def _processes() -> dict[int, int]:
    """Running processes and their parents."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def _children(pid: int) -> set[int]:
    return {child for child, parent in _processes().items() if parent == pid}
