"""docs/operations.md against what there is: its alarms, metrics and headings. A reader at night must not be misled."""

import re
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.unit.emitted import DeployedScaler
from tests.unit.template import ROOT, SOURCE, STACK, of_type, stack
from tests.unit.test_monitoring import OF_THE_LOOP, everything_sent

GUIDE = (ROOT / "docs" / "operations.md").read_text()
SYMPTOMS = ("does not scale out", "scales too late", "too many tasks", "flaps", "costs too much")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def section(heading: str) -> str:
    """The text under a heading of the second level."""
    return GUIDE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alarm_has_its_section_and_every_section_its_alarm() -> None:
    sections = re.findall(r"^### (.+)$", section("The alarms"), flags=re.MULTILINE)
    alarms = [alarm["AlarmName"].removeprefix(f"{STACK}-") for alarm in of_type("AWS::CloudWatch::Alarm").values()]
    assert sections == alarms


def test_every_section_of_an_alarm_has_a_command() -> None:
    _, *sections = re.split(r"^### .+$", section("The alarms"), flags=re.MULTILINE)
    assert [text for text in sections if "```sh\n" not in text.replace("   ```sh", "```sh")] == []


def test_the_metrics_are_those_that_are_sent_in_the_units_in_which_they_are(tmp_path: Path) -> None:
    kinds = {"Seconds": "s", "Percent": "percent"}
    sent = everything_sent(DeployedScaler(tmp_path))
    counts = {"tasks", "looks", "calls", "metrics", "services", "times"}
    tables = section("The metrics").split("About the loop")
    for table, of_services in zip(tables, (True, False), strict=True):
        rows = re.findall(r"^\| (`.+?) \| (.+?) \|", table, flags=re.MULTILINE)
        told = {name: unit for names, unit in rows for name in re.findall(r"`(\w+)`", names)}
        units = {one.name: one.unit for one in sent if (one.dimensions != OF_THE_LOOP) == of_services}
        assert set(told) == set(units)
        for name, unit in told.items():
            assert unit == kinds.get(units[name], unit), name
            assert (unit in counts) == (units[name] == "Count"), name


def test_who_is_on_call_is_told_the_rights_that_the_commands_need() -> None:
    """`aws sqs purge-queue` needs sqs:PurgeQueue; `aws logs tail` calls FilterLogEvents."""
    (rights,) = re.findall(r"^\| is on call: .+", GUIDE, flags=re.MULTILINE)
    commands = re.findall(r"aws ([a-z-]+) ([a-z-]+) (?=[-/Y])", GUIDE.partition("## The first hour")[2])
    called = {(service, "filter-log-events" if operation == "tail" else operation) for service, operation in commands}
    needed = {f"{service}:{operation.title().replace('-', '')}" for service, operation in called}
    assert len(needed) >= 8
    assert needed == set(re.findall(r"`([a-z-]+:\w+)`", rights))


def test_every_symptom_begins_with_a_command() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", section("Symptoms"), flags=re.MULTILINE)[1:]
    assert tuple(symptom for symptom, _ in rows if symptom != "---") == SYMPTOMS
    assert all(re.fullmatch(r"`fastscaler .+`", command) for symptom, command in rows if symptom != "---")


def test_resources_that_are_named_are_in_the_template() -> None:
    named = re.findall(r"--logical-resource-id (\w+)", GUIDE)
    assert named
    assert set(named) <= set(stack())
    outputs = yaml_parse(SOURCE)["Outputs"]
    assert set(re.findall(r"OutputKey=='(\w+)'", GUIDE)) == {"FailedEventsQueueUrl", "UndeliveredSchedulesQueueUrl"}
    assert set(re.findall(r"OutputKey=='(\w+)'", GUIDE)) <= set(outputs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    links = re.findall(r"\]\(([\w./-]*)#([^)]+)\)", page.read_text())
    targets = {(page.parent / file if file else page, anchor) for file, anchor in links}
    assert [(str(target), anchor) for target, anchor in targets if anchor not in anchors(target)] == []
