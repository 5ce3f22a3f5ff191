"""The JSON Schema that editors complete and check policies.yaml with, and the policies.yaml that is shipped."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, ValidationError
from typer.testing import CliRunner

from fastscaler.cli import app
from fastscaler.document.parse import parse_document
from tests.unit.document.documents import SERVICE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "policies.schema.json").read_text()
SCHEMA: dict[str, Any] = json.loads(TEXT)
SHIPPED = (ROOT / "policies.yaml").read_text()
# `#` without a space behind it is a setting that is switched off.
SWITCHED_ON = re.sub(r"(?m)^( *)#(?=[^ \n])", r"\1", SHIPPED)


def blocks() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "document", SCHEMA
    yield from SCHEMA["$defs"].items()


def test_the_checked_in_schema_is_what_the_models_say() -> None:
    assert CliRunner().invoke(app, ["schema"]).stdout == TEXT, "run: make schema"


def test_the_schema_is_a_schema_of_the_draft_that_it_names() -> None:
    assert SCHEMA["$schema"] == Draft7Validator.META_SCHEMA["$id"]
    Draft7Validator.check_schema(SCHEMA)


def test_every_key_is_explained() -> None:
    silent = [
        f"{block}.{key}"
        for block, schema in blocks()
        for key, value in schema["properties"].items()
        if not value.get("description") and "#/$defs/" not in json.dumps(value)
    ]
    assert silent == []
    assert [block for block, schema in blocks() if not schema.get("description")] == []


def test_no_block_takes_unknown_keys() -> None:
    assert [block for block, schema in blocks() if schema["additionalProperties"] is not False] == []


@pytest.mark.parametrize("text", [SHIPPED, SWITCHED_ON], ids=["shipped", "all switched on"])
def test_the_shipped_document_is_valid_for_the_parser_and_for_editors(text: str) -> None:
    document = parse_document(text, "policies.yaml")
    Draft7Validator(SCHEMA).validate(yaml.safe_load(text))
    assert [service.key for service in document.services] == ["fast-scaling-cluster/fast-scaling-service"]


def test_the_shipped_document_uses_every_metric_that_it_pays_for() -> None:
    for text in (SHIPPED, SWITCHED_ON):
        for service in parse_document(text, "policies.yaml").services:
            assert {policy.metric for policy in service.policies} == set(service.metrics)


def test_editors_find_the_schema() -> None:
    assert SHIPPED.splitlines()[0] == "# yaml-language-server: $schema=./policies.schema.json"


@pytest.mark.parametrize(
    "service",
    [
        {**SERVICE, "MinCapacty": 2},
        {**SERVICE, "MinCapacity": "2"},
        {**SERVICE, "MinCapacity": 0},
        {**SERVICE, "Metrics": {"Requests": {**SERVICE["Metrics"]["Requests"], "Period": 7}}},
        {**SERVICE, "Policies": [{**SERVICE["Policies"][0], "PolicyType": "Step"}]},
        {**SERVICE, "Policies": [{**SERVICE["Policies"][0], "TargetValue": 5}]},
        {key: value for key, value in SERVICE.items() if key != "MaxCapacity"},
    ],
)
def test_editors_mark_what_the_parser_refuses(service: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Draft7Validator(SCHEMA).validate({"Services": [service]})
