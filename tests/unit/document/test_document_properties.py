"""Whatever comes in: a document or its problems come out, never another exception."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from fastscaler.document.parse import parse_document
from fastscaler.errors import DocumentInvalid
from fastscaler.scaling.policy import Document
from tests.unit.document.documents import SERVICE

SCHEMA = Draft7Validator(Document.model_json_schema())

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from(["Services", "Policies", "Metrics", "Name", "PolicyType", "Period", "StepAdjustments", "<<"])
ANYTHING = st.recursive(
    SCALARS | st.just("TargetTracking") | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def parsed_or_explained(text: str) -> None:
    try:
        found: object = parse_document(text, "policies.yaml").services
    except DocumentInvalid as error:
        found = error.problems
        # One line each, with nothing in it that a terminal would obey.
        unclear = [one for one in error.problems if not str(one).isprintable() or not (one.key and one.allowed)]
        assert unclear == []
    assert found


@given(ANYTHING)
def test_any_data_is_parsed_or_explained(data: object) -> None:
    parsed_or_explained(json.dumps(data))


@given(st.text() | st.text(alphabet="[]{}:,-?&*!<>|%@#'\" \n\tab01"))
def test_any_text_is_parsed_or_explained(text: str) -> None:
    parsed_or_explained(text)


def places(data: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document, outermost first."""
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at, *(place for key, child in children for place in places(child, (*at, key)))]


@st.composite
def nearly_valid_documents(draw: st.DrawFn) -> Any:
    """A valid document with one to three values replaced, removed, renamed or copied to another key."""
    document: Any = {"Services": [deepcopy(SERVICE), {**deepcopy(SERVICE), "Service": "api"}]}
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(document)[1:] or [("Services",)]))
        parent = document
        for element in place[:-1]:
            parent = parent[element]
        action = draw(st.sampled_from(["replace", "remove", "rename", "copy"]))
        if action == "replace" or not isinstance(parent, dict) or place[-1] not in parent:
            parent[place[-1]] = draw(ANYTHING)
        elif action == "remove":
            del parent[place[-1]]
        else:
            value = parent[place[-1]] if action == "copy" else parent.pop(place[-1])
            parent[draw(NAMES | st.text(max_size=5))] = value
    return document


@given(nearly_valid_documents())
def test_a_valid_document_changed_anywhere_is_parsed_or_explained(document: Any) -> None:
    parsed_or_explained(json.dumps(document))


@given(nearly_valid_documents())
def test_what_the_parser_accepts_the_editors_schema_accepts(document: Any) -> None:
    try:
        parse_document(json.dumps(document), "policies.yaml")
    except DocumentInvalid:
        return
    SCHEMA.validate(document)
