"""The text of a policy document: what YAML and JSON may say."""

import json
from typing import Any

import pytest

from fastscaler.document.parse import parse_document
from tests.unit.document.documents import SERVICE, changed, metric, problems_of, tracking


def with_head(head: str) -> str:
    return f"{head}\nServices: [{json.dumps(SERVICE)}]\n"


@pytest.mark.parametrize(
    ("text", "source", "key", "allowed"),
    [
        ("Mode: a: b", "policies.yaml:1", "(document)", "mapping values are not allowed"),
        ("Mode: active\nServices:\n\t- 1", "policies.yaml:3", "(document)", "spaces, not tabs"),
        ('Mode: "active', "policies.yaml:1", "(document)", "unexpected end of stream"),
        ('{"Mode": "active"', "policies.yaml:1", "(document)", "column"),
        ("Mode: \x00", "policies.yaml:1", "(document)", "control characters are not allowed"),
        ("Mode: \ud800", "policies.yaml:1", "(document)", "surrogates not allowed"),
        ("[" * 5000 + "]" * 5000, "policies.yaml:1", "(document)", "fewer levels"),
        (with_head("Mode: active\n---"), "policies.yaml:2", "(document)", "one document only"),
        (with_head("Mode: active\nMode: active"), "policies.yaml:2", "Mode", "stands on line 1 already"),
        (with_head("Mode: *nowhere"), "policies.yaml:1", "Mode", "an alias of an earlier anchor"),
        (with_head("Mode: !!python/object/apply:os.getcwd []"), "policies.yaml:1", "Mode", "the value itself"),
        (with_head("Mode: !!bool maybe"), "policies.yaml:1", "Mode", "a value that can be read"),
        (with_head(f"Mode: {'9' * 5000}"), "policies.yaml:1", "Mode", "a value that can be read"),
        (with_head(f"Mode: 0x{'f' * 5000}"), "policies.yaml:1", "Mode", "one of active, observe"),
        (with_head("? [Mode]\n: active"), "policies.yaml:1", "(document)", "plain text, as every key"),
        (with_head("<<: 5"), "policies.yaml:1", "<<", "an alias of a block"),
        # An error that shows only later has the line where it begins, or names it.
        ("Mode: active\nOther:5\nServices: []", "policies.yaml:2", "(document)", "could not find expected ':'"),
        ("Mode: 'active\nServices: []", "policies.yaml:1", "(document)", "unexpected end of stream"),
        ("Mode: 'a\nServices: 'b'\nOther: c", "policies.yaml:2", "(document)", "a block mapping from line 1 on"),
        ("", "policies.yaml:1", "(document)", "a block with the keys Mode, Services"),
        ("- 1", "policies.yaml:1", "(document)", "a block with the keys Mode, Services"),
        ("Services: []", "policies.yaml:1", "Services", "a list of 1 to 1000 items"),
        ("Services: &all [*all]", "policies.yaml:1", "Services[0]", "an alias of an earlier anchor"),
    ],
)
def test_a_text_that_cannot_be_read_is_one_problem_with_its_line(
    text: str, source: str, key: str, allowed: str
) -> None:
    (problem,) = problems_of(text)
    assert (problem.source, problem.service, problem.key) == (source, "", key)
    assert allowed in problem.allowed


def test_anchors_and_merge_keys_are_resolved() -> None:
    text = """
Services:
  - &base
    Cluster: prod
    Service: web
    MinCapacity: 2
    MaxCapacity: 10
    Metrics: {CPU: &cpu {Namespace: AWS/ECS, MetricName: CPUUtilization, Period: 20, Dimensions: {ServiceName: web}}}
    Policies: [{Name: cpu, PolicyType: TargetTracking, Metric: CPU, TargetValue: 60}]
  - <<: *base
    Service: api
    Metrics: {CPU: {<<: *cpu, Dimensions: {ServiceName: api}}}
"""
    web, api = parse_document(text, "policies.yaml").services
    assert (web.key, api.key, api.max_capacity) == ("prod/web", "prod/api", 10)
    assert api.metrics["CPU"].dimensions == {"ServiceName": "api"}
    assert api.metrics["CPU"].period == 20


def test_a_problem_in_a_merged_block_has_the_line_where_it_is_written() -> None:
    text = "Services:\n  - &base\n    Cluster: c\n    MinCapacity: none\n  - <<: *base\n    Service: s\n"
    lines = [problem.source for problem in problems_of(text) if problem.key == "MinCapacity"]
    assert lines == ["policies.yaml:4", "policies.yaml:4"]


def test_numbers_are_read_as_json_has_them_and_names_as_they_are_written() -> None:
    def change(service: dict[str, Any]) -> None:
        tracking(service)["TargetValue"] = "@"
        metric(service)["Dimensions"] = {"404": "@@"}

    text = changed(change).replace('"@"', "1e2").replace('"@@"', "2026-01-31").replace('"404"', "404")
    service = parse_document(text, "policies.yaml").services[0]
    assert service.policies[1].target_value == 100.0  # type: ignore[union-attr]
    assert service.metrics["Requests"].dimensions == {"404": "2026-01-31"}


@pytest.mark.parametrize("written", ["0100", "1:40"])
def test_a_number_that_yaml_1_1_reads_as_another_one_is_refused(written: str) -> None:
    text = changed(lambda service: service.update(MaxCapacity="@")).replace('"@"', written)
    (problem,) = problems_of(text)
    assert (problem.key, problem.value) == ("MaxCapacity", f"'{written}'")


def test_a_dimension_of_digits_that_begin_with_0_is_text() -> None:
    text = changed(lambda service: metric(service).update(Dimensions={"Account": "@"})).replace('"@"', "012345670123")
    assert parse_document(text, "policies.yaml").services[0].metrics["Requests"].dimensions["Account"] == "012345670123"


@pytest.mark.parametrize("text", ["", "# Nothing yet.\n", "---\n"])
def test_an_empty_document_is_called_empty(text: str) -> None:
    (problem,) = problems_of(text)
    assert str(problem) == "policies.yaml:1: (document) = (empty): must be a block with the keys Mode, Services"


def test_json_with_tabs_is_read() -> None:
    assert parse_document(json.dumps({"Services": [SERVICE]}, indent="\t"), "policies.json")
