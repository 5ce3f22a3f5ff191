"""What can be wrong with an event, in words for the person who wrote it: the key, the value found, what is allowed."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from fastscaler.errors import Problem

_SHOWN = 60  # Characters of a wrong value that are repeated in the message.


def problem(key: str, value: object, allowed: str) -> Problem:
    """One problem of the event, its value shortened."""
    shown = "(missing)" if value is None else repr(value)
    return Problem("event", "", key, shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...", allowed)


def kind_problem(key: str, event: Mapping[str, object], kinds: Iterable[str]) -> Problem:
    """The problem that `key`, which says what the event is, is missing or none of `kinds`."""
    from fastscaler.document.allowed_values import nearest  # Slow, and only a wrong event needs it.

    misspelt = None if key in event else next((other for other in event if nearest(other, [key])), None)
    if misspelt is not None:
        return problem(misspelt, event[misspelt], f"no such key; did you mean {key}?")
    return problem(key, event.get(key), f"must be one of {', '.join(kinds)}")


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """pydantic's findings in the words of the policy document's problems, one per key."""
    from fastscaler.document.allowed_values import nearest

    keys = model.model_json_schema()["properties"]
    found: dict[str, Problem] = {}
    missing, meant = set(), set()
    for detail in error.errors(include_url=False):
        # The first part is the key, a number the index in a list; the rest names alternatives of a union.
        name, *rest = (part for index, part in enumerate(detail["loc"]) if index == 0 or isinstance(part, int))
        key, schema = f"{name}{''.join(f'[{index}]' for index in rest)}", keys.get(name, {})
        if detail["type"] == "extra_forbidden":
            probably = nearest(str(name), keys)
            meant.add(probably)
            words = f"did you mean {probably}?" if probably else f"allowed here: {', '.join(keys)}"
            found[key] = problem(key, detail["input"], f"no such key; {words}")
        elif detail["type"] == "missing":
            missing.add(key)
            found[key] = problem(key, None, f"is required: {_in_words(schema)}")
        else:
            words = _in_words(schema["items"] if rest else schema)
            found[key] = problem(key, detail["input"], f"must be {words}")
    return [one for key, one in found.items() if key not in missing & meant]


def _in_words(schema: dict[str, Any]) -> str:
    from fastscaler.document.allowed_values import in_words

    if "patternErrorMessage" in schema:
        return in_words(schema)
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    return " or ".join(in_words(option) for option in options)
