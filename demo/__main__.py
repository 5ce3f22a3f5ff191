"""`python -m demo`: a surge on a service, answered by FastScaler in real time, with no AWS account."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.live import Live

from demo.core import repeat
from demo.lines import Lines
from demo.report import make_report, summary, write, write_log
from demo.run import FRAMES_PER_SECOND, Run, RunFailed, play
from demo.scenario import Scenario, demo_service
from demo.screen import panel
from demo.signals import interruptible


def main() -> int:
    options = _options()
    if options.core:
        return repeat(options.core, options.seed, options.start_seconds, options.output)
    scenario = Scenario(
        demo_service(),
        start_seconds=options.start_seconds,
        steady_seconds=options.steady_seconds,
        surge_seconds=options.surge_seconds,
        beat_seconds=options.beat_seconds,
        seed=options.seed,
    )
    console = Console()
    try:
        plain = options.plain or not console.is_terminal or console.is_dumb_terminal
        run = _play(scenario, console, plain=plain)
    except RunFailed as failure:
        print(f"The demo failed: {failure}", file=sys.stderr)
        return 1
    return tell(run, options.output)


def _play(scenario: Scenario, console: Console, *, plain: bool) -> Run:
    if plain:
        return play(scenario, Lines().show)
    with Live(console=console, auto_refresh=False, transient=True, refresh_per_second=FRAMES_PER_SECOND) as live:
        return play(scenario, lambda run: live.update(panel(run), refresh=True))


def tell(run: Run, output: Path) -> int:
    """Writes report, chart and log, prints the summary, and returns the exit code."""
    from demo.chart import draw  # matplotlib takes a second to load: not before the run.

    report = make_report(run)
    draw(run, output / "chart.png")
    path = write(report, output)
    write_log(run, output)
    print("\n".join(["", *summary(report), "", f"Chart: {output / 'chart.png'}   all figures: {path}"]))
    return 0 if report["reaction_seconds"] is not None else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    add = parser.add_argument
    add("--start-seconds", type=float, default=30, metavar="S", help="from UpdateService to RUNNING (%(default)s)")
    add("--steady-seconds", type=float, default=20, metavar="S", help="of steady load, then up to 5 more (%(default)s)")
    add("--surge-seconds", type=float, default=55, metavar="S", help="of surge until the end (%(default)s)")
    add("--beat-seconds", type=float, default=60, metavar="S", help="between scheduled invocations (%(default)s)")
    add("--seed", type=int, default=1, metavar="N", help="of the visibility delays and the moment of the surge")
    add("--output", type=Path, default=Path(".demo"), metavar="DIR", help="for report.json and chart.png (%(default)s)")
    add("--plain", action="store_true", help="lines instead of the live view, as without a terminal")
    add("--core", type=int, default=0, metavar="N", help="only the core, N times: median and maximum reaction")
    return parser.parse_args()


if __name__ == "__main__":
    with interruptible():
        sys.exit(main())
