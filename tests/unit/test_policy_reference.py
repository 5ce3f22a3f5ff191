"""docs/policies.md against the models: every key in the section of its block, with its default, and no other."""

import json
import re
from pathlib import Path

import pytest
import yaml
from pydantic.alias_generators import to_pascal

from fastscaler.document.parse import parse_document
from fastscaler.scaling import metric, policy
from fastscaler.scaling.model import Model

REFERENCE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
SECTIONS: dict[type[Model], str] = {
    policy.Document: "The document",
    policy.Service: "Services",
    metric.Metric: "Metrics",
    metric.MetricExpression: "Metrics with Expression",
    policy.LoadBalancer: "LoadBalancer",
    policy.StepScalingPolicy: "Policies: StepScaling",
    policy.StepScalingPolicyConfiguration: "StepScalingPolicyConfiguration",
    policy.StepAdjustment: "StepAdjustments",
    policy.TargetTrackingPolicy: "Policies: TargetTracking",
    policy.Behavior: "Behavior",
    policy.ScaleOutBehavior: "Behavior.ScaleOut",
    policy.ScaleInBehavior: "Behavior.ScaleIn",
    policy.RatePolicy: "Behavior.ScaleOut.Policies, Behavior.ScaleIn.Policies",
}


def documented(model: type[Model]) -> dict[str, str]:
    """The keys of a block in the reference, with the default that is given for each."""
    section = re.search(rf"^## {re.escape(SECTIONS[model])}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/policies.md has no section {SECTIONS[model]!r}"
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\| ([^|]*) \|", section[1], flags=re.MULTILINE)
    return {key: default.strip() for key, default in rows}


def test_every_block_has_a_section() -> None:
    blocks = {one for one in vars(policy).values() if isinstance(one, type) and issubclass(one, Model)}
    assert blocks - {Model} == set(SECTIONS)


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_keys_are_those_of_the_model(model: type[Model]) -> None:
    assert set(documented(model)) == {to_pascal(name) for name in model.model_fields}


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_plain_defaults_are_those_of_the_model(model: type[Model]) -> None:
    for name, field in model.model_fields.items():
        written = documented(model)[to_pascal(name)].strip("`")
        if field.is_required():
            assert written == "required", name
        elif isinstance(field.default, bool):
            assert written == str(field.default).lower(), name
        elif isinstance(field.default, int | float | str):
            assert written == (f"{field.default:g}" if isinstance(field.default, float) else str(field.default)), name


EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: re.search(r"Name: ([\w-]+)", example)[1])
def test_an_example_is_a_valid_service(example: str) -> None:
    service = {"Cluster": "shops", "Service": "shop", "MinCapacity": 1, "MaxCapacity": 9, **yaml.safe_load(example)}
    document = parse_document(json.dumps({"Services": [service]}), "docs/policies.md")
    assert document.services[0].used_metrics


def test_there_are_examples_of_every_kind() -> None:
    assert len(EXAMPLES) >= 5
