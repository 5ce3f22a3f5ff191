"""What can be wrong with an event, in words for the person who wrote it: the key, the value found, what is allowed."""

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_pascal

from fastscaler.errors import Problem

# A key whose pattern is not that of ECS's names has its own words in `patternErrorMessage`, as policies have.
_ECS_NAME = "1 to 255 letters, digits, hyphens or underscores: the name, not the ARN"
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a key of this event; allowed are {keys}",
    "string_pattern_mismatch": "must be {pattern}",
}
_SHOWN = 60  # Characters of a wrong value that are repeated in the message.


def problem(key: str, value: object, allowed: str) -> Problem:
    """One problem of the event, its value shortened."""
    shown = "(missing)" if value is None else repr(value)
    return Problem("event", "", key, shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...", allowed)


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """pydantic's findings, one problem per key: alternatives of the same key become one sentence."""
    keys = {to_pascal(name): field for name, field in model.model_fields.items()}
    found: dict[str, tuple[object, list[str]]] = {}
    for detail in error.errors(include_url=False):
        # The first part is the key, a number the index in a list; the rest names alternatives of a union.
        key = str(detail["loc"][0]) + "".join(f"[{part}]" for part in detail["loc"][1:] if isinstance(part, int))
        value = None if detail["type"] == "missing" else detail["input"]
        allowed = _WORDS.get(detail["type"]) or detail["msg"].replace("Input should be", "must be")
        extra = keys[key].json_schema_extra if key in keys else None
        pattern = str(extra.get("patternErrorMessage", _ECS_NAME)) if isinstance(extra, dict) else _ECS_NAME
        allowed = allowed.replace("{keys}", ", ".join(keys)).replace("{pattern}", pattern)
        found.setdefault(key, (value, []))[1].append(allowed)
    return [problem(key, value, " or ".join(dict.fromkeys(allowed))) for key, (value, allowed) in found.items()]
