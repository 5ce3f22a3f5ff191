"""The demo's core over and over, for the one figure that counts: the reaction.

Each run is a process with a stand-in of its own: `python -m demo.core SEED START_SECONDS REPORT_FOLDER`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from demo.lambdas import REPOSITORY
from demo.report import make_report, write
from demo.run import RunFailed, play
from demo.scenario import Scenario, demo_service
from demo.signals import interruptible

# A short run: the loop has settled before the surge, and there is time to answer it.
STEADY_SECONDS = 15.0
SURGE_SECONDS = 20.0


def repeat(runs: int, seed: int, start_seconds: float, output: Path) -> int:
    """Plays the core with seeds `seed`, `seed` + 1, ... and prints each reaction, their median and their maximum.

    Returns the exit code. The figures are also written to `output`/core.json.
    """
    print(f"{runs} runs, each {STEADY_SECONDS:.0f} s steady and {SURGE_SECONDS:.0f} s of surge", flush=True)
    with tempfile.TemporaryDirectory() as folder, _processes() as processes:
        waiting = list(range(seed, seed + runs))
        while waiting or any(process.poll() is None for process in processes.values()):
            if waiting and sum(process.poll() is None for process in processes.values()) < (os.cpu_count() or 1):
                number = waiting.pop(0)
                processes[number] = _start(number, start_seconds, Path(folder, str(number)))
            time.sleep(0.2)
        reports = [_report(number, processes[number], Path(folder, str(number))) for number in sorted(processes)]
    figures = _figures(reports)
    output.mkdir(parents=True, exist_ok=True)
    (output / "core.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(
        f"answered {figures['answered']} of {runs}, {figures['under_10_seconds']} of them under 10 s; "
        f"median {figures['median_seconds']} s, maximum {figures['max_seconds']} s"
    )
    return 0 if figures["answered"] == runs else 1


def _figures(reports: list[dict[str, Any]]) -> dict[str, Any]:
    reactions = [report["reaction_seconds"] for report in reports if report.get("reaction_seconds") is not None]
    return {
        "runs": len(reports),
        "answered": len(reactions),
        "under_10_seconds": sum(reaction < 10 for reaction in reactions),
        "median_seconds": round(median(reactions), 3) if reactions else None,
        "max_seconds": max(reactions, default=None),
        "reports": reports,
    }


def _start(seed: int, start_seconds: float, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "demo.core", str(seed), str(start_seconds), str(folder)]
    return subprocess.Popen(command, cwd=REPOSITORY)


def _report(seed: int, process: subprocess.Popen[bytes], folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    report: dict[str, Any] = json.loads(path.read_text()) if process.returncode == 0 else {}
    return {"seed": seed} | report


@contextmanager
def _processes() -> Iterator[dict[int, subprocess.Popen[bytes]]]:
    """Runs by seed; those that still run at the end, because of Ctrl-C, are asked to stop and awaited."""
    processes: dict[int, subprocess.Popen[bytes]] = {}
    try:
        yield processes
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def _play_one(seed: int, start_seconds: float, folder: Path) -> int:
    scenario = Scenario(
        demo_service(),
        start_seconds=start_seconds,
        steady_seconds=STEADY_SECONDS,
        surge_seconds=SURGE_SECONDS,
        seed=seed,
    )
    try:
        report = make_report(play(scenario, lambda run: None))
    except RunFailed as failure:
        print(f"seed {seed:3}: {failure}", file=sys.stderr)
        return 1
    write(report, folder)
    reaction = report["reaction_seconds"]
    print(f"seed {seed:3}: {'not answered' if reaction is None else f'{reaction:.2f} s'}", flush=True)
    return 0


if __name__ == "__main__":
    with interruptible():
        sys.exit(_play_one(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))
