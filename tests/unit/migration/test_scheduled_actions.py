"""Scheduled actions: for how long their minimum holds, and the schedules that they become in template.yaml."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from fastscaler.directives import Prewarm, parse_directive
from tests.unit.migration.existing import Result, action, imported, target, tracking

TEMPLATE = (Path(__file__).parents[3] / "template.yaml").read_text()
DAY = action("business hours", "cron(30 8 ? * MON-FRI *)", 10)
NIGHT = action("night", "cron(0 22 ? * MON-FRI *)", 2)


def with_actions(*actions: dict[str, Any], **keys: Any) -> Result:
    return imported(tracking("cpu"), scheduled_actions=actions, **keys)


def blocks(result: Result) -> list[str]:
    """The commented-out blocks, as a person uncomments them."""
    return [line[2:] for line in result.text.splitlines() if line.startswith("# " + " " * 8)]


def deployed(result: Result) -> dict[str, dict[str, Any]]:
    """The schedules that a stack has once the blocks are copied to template.yaml, without the samples of it."""
    place = "        WeekdayPrewarm:"
    assert TEMPLATE.count(place) == 1
    template = yaml_parse(TEMPLATE.replace(place, "\n".join([*blocks(result), place])))
    for resource in template["Resources"].values():
        for key in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][key] = "s3://bucket/key"
    samples = set(yaml_parse(TEMPLATE)["Resources"]["ScalerFunction"]["Properties"]["Events"])
    translated = Translator({}, Parser(), boto_session=boto3.Session(region_name="eu-central-1")).translate(
        template, {}
    )
    return {
        name.removeprefix("ScalerFunction"): one["Properties"]
        for name, one in translated["Resources"].items()
        if one["Type"] == "AWS::Scheduler::Schedule" and name.removeprefix("ScalerFunction") not in samples
    }


def sent(schedule: dict[str, Any]) -> Prewarm:
    """The directive that a schedule sends."""
    text = schedule["Target"]["Input"]["Fn::Sub"]
    assert not re.search(r"\$\{(?!!)", text)
    event = text.replace("${!", "${").replace("<aws.scheduler.scheduled-time>", "2026-11-23T08:30:00Z")
    request = parse_directive(json.loads(event))
    assert isinstance(request, Prewarm)
    return request


def minutes(result: Result) -> dict[str, int]:
    """For how many minutes each floor holds, by its owner."""
    found = re.findall(r'"Owner": "([^"]+)", "MinCapacity": \d+, "DurationMinutes": (\w+)', result.text)
    return {owner: int(text) for owner, text in found if text.isdigit()}


def test_a_minimum_by_day_becomes_a_schedule_that_the_template_takes() -> None:
    result = with_actions(DAY, NIGHT)
    schedules = deployed(result)
    assert list(schedules) == ["WebBusinessHoursPrewarm"]
    schedule = schedules["WebBusinessHoursPrewarm"]
    assert schedule["ScheduleExpression"] == "cron(30 8 ? * MON-FRI *)"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert schedule["State"] == {"Ref": "PrewarmState"}
    directive = sent(schedule)
    assert (directive.key, directive.owner) == ("shop/web", "business-hours")
    assert (directive.min_capacity, directive.duration_minutes) == (10, 810)
    assert result.service.min_capacity == 2


def test_a_schedule_has_everything_that_the_templates_own_have() -> None:
    events = yaml_parse(TEMPLATE)["Resources"]["ScalerFunction"]["Properties"]["Events"]
    [block] = yaml_parse("\n".join(blocks(with_actions(DAY, NIGHT)))).values()
    assert block["Properties"].keys() == events["WeekdayPrewarm"]["Properties"].keys()
    assert block["Properties"]["DeadLetterConfig"] == events["WeekdayPrewarm"]["Properties"]["DeadLetterConfig"]


def test_a_time_zone_and_the_time_in_which_an_action_is_valid_are_carried_over() -> None:
    until = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
    peak = {**DAY, "Timezone": "Europe/Berlin", "StartTime": datetime(2026, 12, 1, tzinfo=UTC), "EndTime": until}
    text = "\n".join(blocks(with_actions(peak))).replace("FILL_IN_MINUTES", "60")
    [block] = yaml_parse(text).values()
    assert block["Properties"]["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert block["Properties"]["StartDate"] == "2026-12-01T00:00:00Z"
    assert block["Properties"]["EndDate"] == "2027-01-31T12:00:00Z"


def test_names_in_aws_may_be_anything() -> None:
    odd = 'München ${AWS::Region} "x" 100% {now} 日本'
    actions = [{**DAY, "ScheduledActionName": name} for name in (odd, "🚀", "business hours", "business-hours")]
    schedules = deployed(with_actions(*actions, NIGHT))
    directives = [sent(one) for one in schedules.values()]
    assert len(schedules) == len({directive.owner for directive in directives}) == 4
    assert f"scheduled action {odd}" in {directive.reason for directive in directives}


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        # Every day to the next morning's action.
        ((action("up", "cron(0 20 * * ? *)", 9), action("down", "cron(0 6 * * ? *)", 2)), {"up": 600}),
        # Days as numbers: Sunday is 1.
        ((action("up", "cron(0 8 ? * 2-6 *)", 9), action("down", "cron(30 9 ? * MON-FRI *)", 2)), {"up": 90}),
        # Over the end of the week.
        ((action("up", "cron(0 18 ? * SAT *)", 9), action("down", "cron(0 6 ? * SUN *)", 2)), {"up": 720}),
        # Three floors in a row: each ends where the next begins.
        (
            (
                action("a", "cron(0 8 * * ? *)", 5),
                action("b", "cron(0 12 * * ? *)", 9),
                action("c", "cron(0 18 * * ? *)", 2),
            ),
            {"a": 240, "b": 360},
        ),
        # Once, until another one-off.
        ((action("up", "at(2026-12-24T08:00:00)", 9), action("down", "at(2026-12-24T20:30:00)", 2)), {"up": 750}),
        # Once, until the daily action.
        ((action("up", "at(2026-12-24T08:00:00)", 9), action("down", "cron(0 6 * * ? *)", 2)), {"up": 22 * 60}),
        # Once, over the night in which Berlin's clocks go forward: an hour less than the clock says.
        (
            (
                action("up", "at(2027-03-27T22:00:00)", 9, Timezone="Europe/Berlin"),
                action("down", "at(2027-03-28T06:00:00)", 2, Timezone="Europe/Berlin"),
            ),
            {"up": 7 * 60},
        ),
        # An action that sets only the maximum ends no minimum.
        (
            (
                action("up", "cron(0 8 * * ? *)", 9),
                action("cap", "cron(0 9 * * ? *)", None, 50),
                action("down", "cron(0 10 * * ? *)", 2),
            ),
            {"up": 120},
        ),
    ],
)
def test_a_floor_holds_until_the_next_action_where_that_is_exact(
    actions: tuple[dict[str, Any], ...], expected: dict[str, int]
) -> None:
    result = with_actions(*actions)
    assert minutes(result) == expected
    assert "FILL_IN" not in result.text


@pytest.mark.parametrize(
    "actions",
    [
        (action("up", "cron(0 8 * * ? *)", 9), action("down", "cron(0 20 ? * FRI *)", 2)),  # Not the same every day.
        (action("up", "cron(0 8 1 * ? *)", 9), action("down", "cron(0 20 1 * ? *)", 2)),  # A month is not a month.
        (action("up", "cron(0/30 8 * * ? *)", 9), action("down", "cron(0 20 * * ? *)", 2)),
        (action("up", "cron(0 8 ? * 2#1 *)", 9), action("down", "cron(0 20 ? * 2#1 *)", 2)),
        (action("up", "rate(1 day)", 9), action("down", "cron(0 20 * * ? *)", 2)),
        (action("up", "cron(0 8 * * ? *)", 9), action("down", "cron(0 20 * * ? *)", 2, Timezone="Asia/Tokyo")),
        (action("up", "at(2026-12-24T08:00:00)", 9),),  # Nothing ends it.
        (action("up", "at(2026-12-24T08:00:00)", 9, Timezone="Mars/Olympus"), action("down", "cron(0 9 * * ? *)", 2)),
        (action("up", "at(2026-12-24T08:00:00)", 9), action("down", "at(2027-12-24T08:00:00)", 2)),  # Above a month.
    ],
)
def test_otherwise_a_person_says_for_how_long(actions: tuple[dict[str, Any], ...]) -> None:
    result = with_actions(*actions)
    assert minutes(result) == {}
    assert '"Owner": "up", "MinCapacity": 9, "DurationMinutes": FILL_IN_MINUTES,' in result.text
    assert "in place of FILL_IN_MINUTES" in result.comments
    text = "\n".join(blocks(result)).partition("!Sub |\n")[2]
    with pytest.raises(json.JSONDecodeError):  # Deployed as it is, the floor would be refused, not guessed.
        json.loads(text)


def test_a_floor_over_night_is_said_to_shift_with_the_clocks() -> None:
    berlin = {"Timezone": "Europe/Berlin"}
    night = (action("up", "cron(0 20 * * ? *)", 9, **berlin), action("down", "cron(0 6 * * ? *)", 2, **berlin))
    assert "an hour early or late" in with_actions(*night).comments
    day = ({**DAY, **berlin}, {**NIGHT, **berlin})
    assert "an hour early or late" not in with_actions(*day).comments


def test_an_action_that_sets_the_lowest_minimum_needs_no_schedule() -> None:
    result = with_actions(NIGHT, target=target(2, 20))
    assert blocks(result) == []
    assert (
        "night, cron(0 22 ? * MON-FRI *) UTC: minimum 2. MinCapacity is that: it needs no schedule." in result.comments
    )


def test_suspended_schedules_are_named() -> None:
    result = with_actions(DAY, NIGHT, target=target(ScheduledScalingSuspended=True))
    assert "none of them fires there now" in result.comments


def test_an_action_whose_time_is_over_is_left_out() -> None:
    ended = {**DAY, "EndTime": datetime(2026, 6, 30, tzinfo=UTC)}
    result = with_actions(ended, action("opening", "at(2026-11-21T11:59:00)", 40))
    assert blocks(result) == []
    assert result.service.min_capacity == 2
    assert "Left out, since they will not fire again: business hours, opening." in result.comments


def test_without_scheduled_actions_the_document_says_nothing_of_them() -> None:
    assert "chedule" not in with_actions().text.partition("Services:")[2]
