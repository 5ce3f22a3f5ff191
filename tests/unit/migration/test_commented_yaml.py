"""YAML with comments: what is written reads back, whatever a name in AWS contains."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscaler.document.text import DocumentText
from fastscaler.migration.commented_yaml import ABSENT, Note, Noted, comment, plain, render

TEXT = st.text(max_size=40)
SCALARS = st.one_of(TEXT, st.booleans(), st.integers(-(10**12), 10**12), st.floats(-1e300, 1e300))
# Lists of lists are in no policy document.
LEAVES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3))
BLOCKS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(TEXT, inner, min_size=1, max_size=3),
        st.lists(st.dictionaries(TEXT, inner, min_size=1, max_size=3), max_size=3),
    ),
    max_leaves=8,
)


def read(lines: list[str]) -> Any:
    found = DocumentText("\n".join(lines))
    assert found.findings == []
    return found.data


@settings(max_examples=200)
@given(st.dictionaries(TEXT, BLOCKS, min_size=1, max_size=4))
def test_whatever_is_written_reads_back(block: dict[str, Any]) -> None:
    assert read(render(block)) == block


@settings(max_examples=200)
@given(TEXT, TEXT)
def test_no_comment_reaches_the_data(words: str, value: str) -> None:
    noted = {"Services": [Noted({"Name": Noted(value, [Note(words)])}, [Note(words)]), Noted(ABSENT, [Note(words)])]}
    assert read(render(noted)) == {"Services": [{"Name": value}]} == plain(noted)


@pytest.mark.parametrize(
    "text", ["1e3", "yes", "null", "0x1F", "<<", "a: b", "a #b", "- a", "2026-01-31", "", " a", "=", "~"]
)
def test_text_that_yaml_would_take_for_something_else_stays_text(text: str) -> None:
    assert read(render({"key": text, text: "value"})) == {"key": text, text: "value"}


def test_comments_stand_above_what_they_are_about() -> None:
    document = {
        "Policies": Noted([{"Name": "cpu", "Cooldown": Noted(300, [Note("written out")])}], [Note("all of them")]),
        "Behavior": Noted(ABSENT, [Note("left out")]),
    }
    assert render(document) == [
        "# all of them",
        "Policies:",
        "  - Name: cpu",
        "    # written out",
        "    Cooldown: 300",
        "# left out",
    ]


def test_numbers_are_written_as_a_person_writes_them() -> None:
    assert render({"Threshold": 75.0, "TargetValue": 0.5, "Period": 60}) == [
        "Threshold: 75",
        "TargetValue: 0.5",
        "Period: 60",
    ]


def test_a_long_comment_is_wrapped_and_a_line_break_in_a_name_does_not_end_it() -> None:
    lines = comment("alarm a\nMode: active " + "word " * 40, indent=4)
    assert len(lines) > 1
    assert all(line.startswith("    # ") and len(line) <= 120 for line in lines)
