"""What pydantic found wrong with a document, as findings in plain words.

Imported only once something is wrong: see `allowed_values.py`.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fastscaler.document.allowed_values import POLICY_MODELS, AllowedValues, likely_policy_type, one_of
from fastscaler.document.block import MISSING, Finding, Location, value_at


def model_findings(error: ValidationError, data: Any) -> list[Finding]:
    """One finding per error, at its place in the document; `data` is what was validated."""
    allowed = AllowedValues(data)
    findings: list[Finding] = []
    required: list[Finding] = []
    meant: set[Location] = set()
    for location, detail in _errors(error, data):
        kind = detail["type"]
        if kind.startswith("union_tag"):
            findings.append(Finding((*location, "PolicyType"), f"must be {one_of(list(POLICY_MODELS))}"))
        elif kind == "extra_forbidden":
            words, key = allowed.instead_of_unknown(location)
            findings.append(Finding(location, words))
            meant.add((*location[:-1], key or ""))
        elif kind == "missing":
            required.append(Finding(location, f"is required: {allowed.at(location)}"))
        elif location[-1:] == ("[key]",) and value_at(data, location) is MISSING:  # pydantic's mark for a wrong name.
            findings.append(Finding(location[:-1], f"must be {allowed.name_in(location[:-2])}", "the name"))
        elif kind != "too_short" or len(value_at(data, location)) < detail["ctx"]["min_length"]:
            # Else a list is only short of its wrong items, which have errors of their own.
            quotes = "; put it in quotes" if kind == "string_type" and isinstance(detail["input"], int | float) else ""
            findings.append(Finding(location, f"must be {allowed.at(location)}{quotes}"))
    return findings + [finding for finding in required if finding.location not in meant]


def _errors(error: ValidationError, data: Any) -> Iterator[tuple[Location, ErrorDetails]]:
    """Every error with its location in the document, from which pydantic's own additions are removed."""
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        # A policy's type stands behind its index, a metric's kind behind its key.
        if location[2:3] in (("Policies",), ("Metrics",)) and len(location) > 4 and location[4] != "[key]":
            location = (*location[:4], *location[5:])
        yield location, detail
        if detail["type"].startswith("union_tag"):
            yield from _errors_of_likely_type(location, value_at(data, location))


def _errors_of_likely_type(location: Location, policy: dict[str, Any]) -> Iterator[tuple[Location, ErrorDetails]]:
    """What else is wrong in a policy of unknown type, none of which pydantic has looked at."""
    policy_type = likely_policy_type(policy)
    if policy_type is None:
        return
    try:
        POLICY_MODELS[policy_type].model_validate({**policy, "PolicyType": policy_type})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            yield (*location, *detail["loc"]), detail
