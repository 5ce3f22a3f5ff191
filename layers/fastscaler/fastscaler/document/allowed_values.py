"""What may stand at a place in the document, in plain words, from the JSON Schema of the models.

Imported only once something is wrong: making the schema costs tens of milliseconds that a cold start should not pay.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from fastscaler.document.block import Location
from fastscaler.scaling.policy import Document, StepScalingPolicy, TargetTrackingPolicy

Schema = dict[str, Any]

POLICY_MODELS: dict[str, type[StepScalingPolicy | TargetTrackingPolicy]] = {
    "StepScaling": StepScalingPolicy,
    "TargetTracking": TargetTrackingPolicy,
}


class AllowedValues:
    """Answers for one document; `data` tells which kind of policy stands where."""

    def __init__(self, data: object) -> None:
        self._data = data
        self._schema: Schema = Document.model_json_schema()

    def at(self, location: Location) -> str:
        """What is allowed at `location`."""
        return in_words(self._find(location))

    def name_in(self, location: Location) -> str:
        """What a name is allowed to be in the block of names at `location`."""
        names = self._find(location).get("propertyNames", {})
        return f"a name{_size_in_words(names, 'minLength', 'maxLength', 'characters')}"

    def instead_of_unknown(self, location: Location) -> tuple[str, str | None]:
        """What to write instead of the unknown key that ends `location`, and the key that was probably meant."""
        keys = self._find(location[:-1]).get("properties", {})
        meant = nearest(str(location[-1]), keys)
        if meant is not None:
            return f"no such key; did you mean {meant}?", meant
        return f"no such key; allowed here: {', '.join(keys)}", None

    def _find(self, location: Location) -> Schema:
        """The schema at `location`, empty where the document has no such place."""
        schema, data = self._schema, self._data
        for element in location:
            if isinstance(element, int):
                schema = schema.get("items", {})
                data = data[element] if isinstance(data, list) and element < len(data) else None
            else:
                schema = schema.get("properties", {}).get(element) or _named(schema)
                data = data.get(element) if isinstance(data, dict) else None
            schema = self._resolve(schema, data)
        return schema

    def _resolve(self, schema: Schema, data: object) -> Schema:
        if "anyOf" in schema:  # Only ever "this or nothing": an optional key.
            schema = next(option for option in schema["anyOf"] if option != {"type": "null"})
        if "oneOf" in schema and "discriminator" not in schema:
            kind = "MetricExpression" if isinstance(data, dict) and "Expression" in data else "Metric"
            schema = {"$ref": kind}
        elif "oneOf" in schema:
            policy_type = likely_policy_type(data)
            if policy_type is None:
                return {"type": "object", "properties": {key: {} for key in ("Name", "PolicyType", "Metric", "...")}}
            schema = {"$ref": schema["discriminator"]["mapping"][policy_type]}
        if "$ref" in schema:
            schema = self._schema["$defs"][schema["$ref"].rpartition("/")[2]]
        return schema


def likely_policy_type(policy: object) -> str | None:
    """The type of a policy: what it says, or else what its keys look like."""
    if not isinstance(policy, dict):
        return None
    looks = {"StepScalingPolicyConfiguration": "StepScaling", "TargetValue": "TargetTracking"}
    looks["TargetTrackingScalingPolicyConfiguration"] = "TargetTracking"  # CloudFormation's.
    by_keys = next((policy_type for key, policy_type in looks.items() if key in policy), None)
    policy_type = policy.get("PolicyType")
    if not isinstance(policy_type, str):
        return by_keys
    return policy_type if policy_type in POLICY_MODELS else by_keys or nearest(policy_type, POLICY_MODELS)


def _named(schema: Schema) -> Schema:
    """The schema of every value in a block whose names are free."""
    patterns = schema.get("patternProperties", {})
    return next(iter(patterns.values()), None) or schema.get("additionalProperties") or {}


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that was probably meant, whatever its capitals, hyphens and underscores."""
    simplified = {_simplified(candidate): candidate for candidate in allowed}
    found = get_close_matches(_simplified(word), simplified, n=1, cutoff=0.75)
    return simplified[found[0]] if found else None


def _simplified(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")


def one_of(words: list[str]) -> str:
    """A choice of words; of one alone, the word."""
    return f"one of {', '.join(words)}" if len(words) > 1 else words[0]


def in_words(schema: Schema) -> str:
    """One schema as an operator would say it."""
    if "patternErrorMessage" in schema:
        return str(schema["patternErrorMessage"])
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if choices:
        return one_of([str(choice) for choice in choices])
    match schema.get("type"):
        case "integer":
            return f"a whole number{_range_in_words(schema)}"
        case "number":
            return f"a number{_range_in_words(schema)}"
        case "boolean":
            return "true or false"
        case "string":
            return f"text{_size_in_words(schema, 'minLength', 'maxLength', 'characters')}"
        case "array":
            return f"a list{_size_in_words(schema, 'minItems', 'maxItems', 'items')}"
        case "object" if "properties" in schema:
            return f"a block with the keys {', '.join(schema['properties'])}"
        case "object":
            return f"a block{_size_in_words(schema, 'minProperties', 'maxProperties', 'names and values')}"
    return "nothing"


def _range_in_words(schema: Schema) -> str:
    limits = [
        f"{words} {schema[key]:g}"
        for key, words in (
            ("exclusiveMinimum", "above"),
            ("minimum", "from"),
            ("maximum", "to"),
            ("exclusiveMaximum", "to below"),
        )
        if key in schema
    ]
    return f" {' '.join(limits)}" if limits else ""


def _size_in_words(schema: Schema, least: str, most: str, unit: str) -> str:
    if most in schema:
        return f" of {schema.get(least, 0)} to {schema[most]} {unit}"
    return f" of at least {schema[least]} {unit}" if least in schema else ""
