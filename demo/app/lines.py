"""The run as lines of a terminal: one per event, and one every five seconds."""

import textwrap
import time
from dataclasses import dataclass

from demo.app.run import AppRun

EVERY = 5.0
_WIDTH = 80


@dataclass
class AppLines:
    """Prints what is new since it was last called."""

    decisions: int = 0
    problems: int = 0
    told: frozenset[str] = frozenset()
    last: float = 0.0

    def show(self, run: AppRun) -> None:
        now, story, scenario = time.time(), run.story, run.scenario
        begun = bool(story.takeovers)
        self._once(run, "start", True, "start", f"{scenario.tasks} tasks, then the loop")
        self._once(run, "loop", begun, "loop", "the scaler decides from here on")
        customers = scenario.customers(scenario.steady_load)
        self._once(run, "load", bool(run.loaded_at), "load", f"{customers} customers, {_rate(scenario.steady_load)}")
        more, surged = scenario.customers(scenario.surge_load), story.surge_at is not None
        self._once(run, "surge", surged, "SURGE", f"{more} customers, {_rate(scenario.surge_load)} if answered at once")
        gone = run.load_gone_at is not None and now >= run.load_gone_at
        self._once(run, "gone", gone, "load", f"{customers} customers again")
        for decision in story.decisions[self.decisions :]:
            if decision["from"] != decision["to"]:
                _say(run, "decision", decision["reason"])
        for problem in story.problems[self.problems :]:
            _say(run, "problem", problem)
        self.decisions, self.problems = len(story.decisions), len(story.problems)
        if now - self.last >= EVERY and run.samples:
            self.last = now
            _say(run, "state", _state(run))

    def _once(self, run: AppRun, key: str, due: bool, word: str, text: str) -> None:
        if due and key not in self.told:
            self.told |= {key}
            _say(run, word, text)


def _rate(load: float) -> str:
    return f"{load:.0f} requests/s"


def _state(run: AppRun) -> str:
    sample = run.samples[-1]
    load = "no data" if sample.load is None else f"{sample.load:.0f}"
    return f"requests/s per task {load}, desired {sample.desired}, healthy {sample.healthy}"


def _say(run: AppRun, word: str, text: str) -> None:
    head = f"{time.time() - run.began:5.1f} s  {word:<9} "
    print(textwrap.fill(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head)), flush=True)
