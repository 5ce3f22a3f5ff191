"""The screens in docs/commands.md, as the commands print them of the accounts of these tests.

`python -m tests.unit.operate.screens` writes them into the page.
"""

import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from fastscaler.cli.drill_report import plan_lines, report_lines, warning
from fastscaler.cli.status import print_status
from fastscaler.cli.status_lines import page
from fastscaler.cli.watch import changes, readings_of
from fastscaler.drill.run import Drill
from fastscaler.scaling.observation import Pause, ServiceState
from fastscaler.status_reader import StatusReader
from tests.unit.operate.build import NOW, WEB, Account, FakeClock, a_busy_shop
from tests.unit.operate.fake_drill import FakeAccount, document_of, plan
from tests.unit.operate.test_directives import Stack

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"
SCREEN = re.compile(r"(?<=<!-- screen: )(?P<name>[a-z ]+) -->\n```text\n(?P<text>.*?)```", re.DOTALL)
WIDTH = 80
PAUSE = {"Directive": "pause", "Direction": "Both", "Reason": "incident"}
PREWARM = {"Directive": "prewarm", "Owner": "sale", "MinCapacity": 20, "DurationMinutes": 90}
RELEASE = PREWARM | {"MinCapacity": 1, "DurationMinutes": 0}


def screens() -> dict[str, list[str]]:
    """What each screen shows after each of its commands, by name."""
    with in_utc():
        return {name: [printed(show) for show in shows] for name, shows in _shows().items()}


@contextmanager
def in_utc() -> Iterator[None]:
    """Local times are those of UTC meanwhile."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


def printed(show: Callable[[], None]) -> str:
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output), suppress(typer.Exit):
        show()
    return output.getvalue()


def _shows() -> dict[str, list[Callable[[], None]]]:
    stack, paused = Stack(), Stack()
    paused.functions.holds[WEB, "ScaleOut"] = Pause(WEB, "ScaleOut", inf, "incident")
    everything = [service["service"] for service in _keys(stack)]
    return {
        "status": [lambda: _status(a_busy_shop())],
        "piped": [lambda: print_status(_read(a_busy_shop()), Console(file=io.StringIO()))],
        "silent": [lambda: _status(_silent())],
        "watch": [_watch],
        "pause": [
            lambda: stack.send(PAUSE, *everything),
            lambda: stack.send(PAUSE | {"Direction": "ScaleIn", "DurationMinutes": 30, "Reason": "deploy"}),
            lambda: stack.send({"Directive": "resume", "Direction": "Both"}),
        ],
        "prewarm": [
            lambda: stack.send(PREWARM | {"Reason": "sale opens at 10:00"}),
            lambda: stack.send(RELEASE | {"Owner": "sael"}),
            lambda: stack.send(RELEASE),
            lambda: stack.send(PREWARM | {"MinCapacity": 500}),
        ],
        "prewarm while paused": [
            lambda: paused.send(PREWARM),
        ],
        "safe drill": [lambda: _drill(live=False)],
        "live drill": [lambda: _drill(live=True)],
    }


def _keys(stack: Stack) -> list[dict[str, Any]]:
    return [{"service": service.key} for service in document_of(stack.table.document).services]


def _read(account: Account) -> Any:
    return StatusReader(account, FakeClock()).read()


def _status(account: Account) -> None:
    print("\n".join(line.plain for line in page(_read(account), WIDTH)))


def _silent() -> Account:
    account = Account(WEB)
    account.log.records = []
    return account


def _watch() -> None:
    account, clock = Account(WEB), FakeClock()

    def tasks_start(now: float) -> None:
        if now >= NOW + 40:
            account.ecs.states[WEB] = ServiceState(4, 3)

    clock.on_sleep = tasks_start
    print("\n".join(changes(islice(readings_of(StatusReader(account, clock), clock, 5.0), 60), as_json=False)))


def _drill(*, live: bool) -> None:
    account = FakeAccount(plan(document_of(Account(WEB).table.document), live=live))
    outcome = Drill(account.plan, account.world(), lambda before, after: 420).run()
    warned = [warning(account.plan)] if live else []
    print("\n".join([*plan_lines(account.plan), *warned, *account.said, *report_lines(outcome)]))


def filled(text: str) -> str:
    """The page with every screen as it is printed now."""
    found = screens()

    def fill(match: re.Match[str]) -> str:
        commands = [line for line in match["text"].splitlines() if line.startswith("$ ")]
        shown = [f"{command}\n{output}" for command, output in zip(commands, found[match["name"]], strict=True)]
        return f"{match['name']} -->\n```text\n{''.join(shown)}```"

    return SCREEN.sub(fill, text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
