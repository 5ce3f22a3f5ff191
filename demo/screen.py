"""The live view: one panel that fits an 80 x 24 terminal."""

import time
from collections.abc import Iterable

from rich.console import Group
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from demo.run import FRAMES_PER_SECOND, Run, Sample

BLOCKS = "▁▂▃▄▅▆▇█"
HISTORY = 56  # Seconds, one character each: what fits beside the labels in 80 columns.
DOTS = 40  # Tasks that are drawn one by one; a larger fleet is given in figures only.
BAR = 30


def panel(run: Run) -> Panel:
    """The view of the run as it is now."""
    now = time.time()
    over = (run.story.load or 0.0) > run.scenario.threshold
    recent = run.samples[::-FRAMES_PER_SECOND][:HISTORY][::-1]
    top_load = run.scenario.surge_load / run.scenario.tasks
    top_tasks = max((sample.desired for sample in run.samples), default=1)
    figures = _grid(
        ("clock", _clock(run, now)),
        ("load", _service_load(run, now)),
        ("", Text()),
        ("load per task", _load_bar(run, top_load, "red" if over else "green")),
        ("tasks", _tasks(run)),
        ("", Text()),
        ("first call", _reaction(run)),
        ("last decision", _decision(run)),
        ("loop", _loop(run, now)),
    )
    history = _grid(
        ("load per task", _loads(recent, top_load, run.scenario.threshold)),
        ("desired", Text(_spark((sample.desired for sample in recent), top_tasks), "cyan")),
        ("running", Text(_spark((sample.running for sample in recent), top_tasks), "green")),
    )
    return Panel(
        Group(figures, Rule(f"the last {len(recent)} s", style="dim"), history),
        title=f"FastScaler demo: {run.scenario.target.key}",
        border_style="red" if over else "green",
    )


def _grid(*rows: tuple[str, Text]) -> Table:
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(width=13, style="dim")
    grid.add_column(ratio=1)
    for label, value in rows:
        grid.add_row(label, value)
    return grid


def _clock(run: Run, now: float) -> Text:
    text = Text(time.strftime("%H:%M:%S", time.localtime(now)), "bold")
    left = f"{run.ends - now:.0f} s left" if run.ends else "the functions are starting"
    return text.append(f"   {left}", "not bold")


def _service_load(run: Run, now: float) -> Text:
    surge_at = run.story.surge_at
    if surge_at is None or now < surge_at:
        coming = f"   surge in {surge_at - now:.0f} s" if surge_at else ""
        return Text(f"{run.offered_load:.0f} requests/s, steady{coming}")
    return Text.assemble(
        (f"{run.offered_load:.0f} requests/s", "bold red"), f"   surged {now - surge_at:.0f} s ago from ",
        f"{run.scenario.steady_load:.0f}",
    )  # fmt: skip


def _load_bar(run: Run, top: float, style: str) -> Text:
    load = run.story.load
    if load is None:
        return Text("no data yet", "dim")
    filled = min(BAR, round(load / top * BAR))
    mark = min(BAR - 1, round(run.scenario.threshold / top * BAR))
    text = Text()
    for n in range(BAR):
        text.append("│" if n == mark else "█" if n < filled else "░", "bold white" if n == mark else style)
    return text.append(f"  {load:.0f}", f"bold {style}").append(f" requests/s, threshold {run.scenario.threshold:.0f}")


def _tasks(run: Run) -> Text:
    sample = run.samples[-1]
    checking, pending = sample.running - sample.healthy, sample.desired - sample.running
    text = Text()
    if sample.desired <= DOTS:
        text.append("●" * sample.healthy, "green").append("◐" * checking, "yellow").append("○" * pending, "cyan")
        text.append("\n")
    text.append(f"desired {sample.desired}, running {sample.running}  ", "bold")
    text.append(f"● {sample.healthy} healthy ", "green").append(f"◐ {checking} checking ", "yellow")
    return text.append(f"○ {pending} pending", "cyan")


def _reaction(run: Run) -> Text:
    first, seconds = run.first_scale_out, run.reaction_seconds
    if first is None or seconds is None:
        return Text("none since the surge" if run.story.surge_at and time.time() > run.story.surge_at else "-", "dim")
    return Text(f"{seconds:.1f} s after the surge", "bold green").append(
        f": {first.before} to {first.after} tasks", "not bold default"
    )


def _decision(run: Run) -> Text:
    if not run.story.decisions:
        return Text(run.story.reason or "none yet", "dim")
    last = run.story.decisions[-1]
    what = f"{last['from']} to {last['to']} tasks" if last["from"] != last["to"] else f"hold {last['to']} tasks"
    return Text(what, "bold").append(f"\n{last['reason']}", "not bold")


def _loop(run: Run, now: float) -> Text:
    if not run.story.takeovers:
        return Text("the first invocation is starting", "dim")
    story = run.story
    return Text(
        f"invocation {story.takeovers[-1].invocation} decides, {story.looks} looks, hand-overs: {story.hand_overs}, "
        f"next in {max(0.0, run.next_beat - now):.0f} s"
    )


def _loads(samples: list[Sample], top: float, threshold: float) -> Text:
    text = Text()
    for sample in samples:
        if sample.load is None:
            text.append("·", "dim")
        else:
            text.append(_spark([sample.load], top), "red" if sample.load > threshold else "green")
    return text


def _spark(values: Iterable[float], top: float) -> str:
    """One character per value, from 0 to `top`."""
    return "".join(BLOCKS[min(len(BLOCKS) - 1, round(value / top * (len(BLOCKS) - 1)))] for value in values)
