"""docs/policies.md against the models: every key in the section of its block, with its default, and no other."""

import re
from pathlib import Path

import pytest
from pydantic.alias_generators import to_pascal

from fastscaler.scaling import policy

REFERENCE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
SECTIONS: dict[type[policy.Model], str] = {
    policy.Document: "The document",
    policy.Service: "Services",
    policy.Metric: "Metrics",
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


def documented(model: type[policy.Model]) -> dict[str, str]:
    """The keys of a block in the reference, with the default that is given for each."""
    section = re.search(rf"^## {re.escape(SECTIONS[model])}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert section, f"docs/policies.md has no section {SECTIONS[model]!r}"
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\| ([^|]*) \|", section[1], flags=re.MULTILINE)
    return {key: default.strip() for key, default in rows}


def test_every_block_has_a_section() -> None:
    blocks = {one for one in vars(policy).values() if isinstance(one, type) and issubclass(one, policy.Model)}
    assert blocks - {policy.Model} == set(SECTIONS)


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_keys_are_those_of_the_model(model: type[policy.Model]) -> None:
    assert set(documented(model)) == {to_pascal(name) for name in model.model_fields}


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_plain_defaults_are_those_of_the_model(model: type[policy.Model]) -> None:
    for name, field in model.model_fields.items():
        written = documented(model)[to_pascal(name)].strip("`")
        if field.is_required():
            assert written == "required", name
        elif isinstance(field.default, bool):
            assert written == str(field.default).lower(), name
        elif isinstance(field.default, int | float | str):
            assert written == (f"{field.default:g}" if isinstance(field.default, float) else str(field.default)), name
