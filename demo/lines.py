"""The run as plain lines, for logs and terminals that cannot redraw: one per event, and one every five seconds."""

import time
from dataclasses import dataclass

from demo.run import Run

EVERY = 5.0


@dataclass
class Lines:
    """Prints what is new since it was last called."""

    decisions: int = 0
    takeovers: int = 0
    problems: int = 0
    surged: bool = False
    last: float = 0.0

    def show(self, run: Run) -> None:
        now, story = time.time(), run.story
        for takeover in story.takeovers[self.takeovers :]:
            what = "takes over" if takeover is not story.takeovers[0] else "begins"
            _say(run, f"loop      invocation {takeover.invocation} {what} (epoch {takeover.epoch})")
        if story.surge_at and now >= story.surge_at and not self.surged:
            self.surged = True
            _say(run, f"SURGE     {run.scenario.steady_load:.0f} to {run.scenario.surge_load:.0f} requests/s")
        for decision in story.decisions[self.decisions :]:
            held = decision["from"] == decision["to"]
            what = f"hold {decision['to']}" if held else f"{decision['from']} to {decision['to']} tasks"
            _say(run, f"decision  {what}: {decision['reason']}")
        for problem in story.problems[self.problems :]:
            _say(run, f"problem   {problem}")
        self.decisions, self.takeovers, self.problems = len(story.decisions), len(story.takeovers), len(story.problems)
        if now - self.last >= EVERY:
            self.last = now
            _say(run, f"state     {_state(run)}")


def _state(run: Run) -> str:
    sample = run.samples[-1]
    load = "no data" if sample.load is None else f"{sample.load:.0f} requests/s"
    return f"load per task {load}, desired {sample.desired}, running {sample.running}, healthy {sample.healthy}"


def _say(run: Run, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {time.time() - run.began:5.1f} s  {text}", flush=True)
