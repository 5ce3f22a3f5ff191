"""`python -m demo.app`: a surge of real requests on a web application, answered by FastScaler, with no AWS account."""

import argparse
import sys
from pathlib import Path
from random import randrange

from demo.app.lines import AppLines
from demo.app.packages import PackagesMissing, find_programs
from demo.app.report import make_report, summary, write
from demo.app.run import AppRun, play
from demo.app.scenario import app_scenario
from demo.run import RunFailed
from demo.signals import interruptible


def main() -> int:
    options = vars(_options())
    output: Path = options.pop("output")
    try:
        run = play(app_scenario(**options), find_programs(), AppLines().show)
    except (PackagesMissing, RunFailed) as failure:
        print(f"The demo failed: {failure}", file=sys.stderr)
        return 1
    return tell(run, output)


def tell(run: AppRun, output: Path) -> int:
    """Writes report, chart and log, prints the summary, and returns the exit code."""
    from demo.app.chart import draw  # matplotlib takes a second to load: not before the run.

    report = make_report(run)
    chart = output / "app_chart.png"
    draw(run, chart)
    path = write(report, run, output)
    print("\n".join(["", *summary(report), "", f"Chart: {chart}   all figures: {path}"]))
    return 0 if report["reaction_seconds"] is not None else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.app", description=__doc__)
    add, scenario = parser.add_argument, app_scenario()

    def seconds(name: str, words: str) -> None:
        default = getattr(scenario, name)
        add(f"--{name.replace('_', '-')}", type=float, default=default, metavar="S", help=f"{words} (%(default)g)")

    seconds("steady_seconds", "of steady load, then up to 5 more")
    seconds("surge_seconds", "of surge")
    seconds("calm_seconds", "of steady load again")
    seconds("task_seconds", "from UpdateService until a new task runs")
    words = "of the visibility delays and the moment of the surge (at random)"
    add("--seed", type=int, default=randrange(1000), metavar="N", help=words)
    add("--output", type=Path, default=Path(".demo"), metavar="DIR", help="for app_report.json and app_chart.png")
    return parser.parse_args()


if __name__ == "__main__":
    with interruptible():
        sys.exit(main())
