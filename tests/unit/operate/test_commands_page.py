"""docs/commands.md: its screens are what the commands print, its permissions are what they need."""

import json
import re

from typer.main import get_command

from fastscaler.cli import app
from fastscaler.cli.stack_options import PERMISSIONS
from tests.unit.operate.screens import PAGE, SCREEN, filled, screens

TEXT = PAGE.read_text()
COMMANDS = ("status", "watch", "pause", "resume", "prewarm", "drill")


def test_every_screen_is_what_is_printed() -> None:
    """`python -m tests.unit.operate.screens` writes them anew."""
    assert filled(TEXT) == TEXT
    assert {match["name"] for match in SCREEN.finditer(TEXT)} == set(screens())


def test_every_option_that_the_page_names_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    options = {option for name in COMMANDS for one in commands[name].params for option in one.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) <= options


def test_every_command_takes_a_stack_a_region_a_profile_and_json() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name in COMMANDS:
        options = {option for one in commands[name].params for option in one.opts}
        assert {"--stack", "--region", "--profile", "--json"} <= options


def test_its_permissions_are_those_that_are_asked_for() -> None:
    table = TEXT.partition("## Permissions")[2].partition("```json")[0]
    named = set(re.findall(r"`([a-z]+:[A-Z]\w+)`", table))
    policy = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[0])
    actions = [one["Action"] for one in policy["Statement"]]
    allowed = {action for one in actions for action in ([one] if isinstance(one, str) else one)}
    assert named == allowed == set(PERMISSIONS.values())
