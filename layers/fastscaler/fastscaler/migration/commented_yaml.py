"""YAML with comments, written from plain data: what `fastscaler import` leaves for a person to read and edit."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import yaml

from fastscaler.document.step_table_rules import plain_number
from fastscaler.document.text import DocumentText
from fastscaler.one_line import one_line

WIDTH = 116  # Characters of a line of comment.
ABSENT: Final = object()  # In place of a value: only the comments are written.


@dataclass(frozen=True, slots=True)
class Note:
    """One comment. `differs`: it names something that a person has to look at, and is counted."""

    text: str
    differs: bool = True


@dataclass(frozen=True, slots=True)
class Noted:
    """A value of the document with the comments that stand above it."""

    value: Any
    notes: Sequence[Note]


def render(document: Mapping[str, Any]) -> list[str]:
    """The lines of the document in block style: text, numbers, true, false, lists and mappings, each Noted or not."""
    return _block(document, 0)


def comment(text: str, indent: int = 0) -> list[str]:
    """The text as lines of comment; a control character in it must not end the comment."""
    prefix = " " * indent + "# "
    return textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=prefix,
        subsequent_indent=prefix,
        break_long_words=False,
        break_on_hyphens=False,
    )


def plain(value: Any) -> Any:
    """The same data without its comments."""
    value, _ = _unwrapped(value)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items() if _unwrapped(inner)[0] is not ABSENT}
    if isinstance(value, list):
        return [plain(inner) for inner in value if _unwrapped(inner)[0] is not ABSENT]
    return value


def notes_in(value: Any) -> Iterator[Note]:
    """Every comment of the document, in its order."""
    value, notes = _unwrapped(value)
    yield from notes
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for inner in inside:
        yield from notes_in(inner)


def _unwrapped(value: Any) -> tuple[Any, Sequence[Note]]:
    return (value.value, value.notes) if isinstance(value, Noted) else (value, ())


def _comments(notes: Sequence[Note], indent: int) -> list[str]:
    return [line for note in notes for line in comment(note.text, indent)]


def _block(block: Mapping[str, Any], indent: int) -> list[str]:
    lines = []
    for key, entry in block.items():
        value, notes = _unwrapped(entry)
        lines += _comments(notes, indent)
        if value is ABSENT:
            continue
        name = " " * indent + _text(key, "{}: 0", {key: 0}) + ":"
        if isinstance(value, Mapping) and value:
            lines += [name, *_block(value, indent + 2)]
        elif isinstance(value, list) and value:
            lines += [name, *_list(value, indent + 2)]
        else:
            lines.append(f"{name} {_scalar(value)}")
    return lines


def _list(items: list[Any], indent: int) -> list[str]:
    lines = []
    for item in items:
        value, notes = _unwrapped(item)
        lines += _comments(notes, indent)
        if value is ABSENT:
            continue
        if isinstance(value, Mapping):
            inner = _block(value, indent + 2)
            first = next(number for number, line in enumerate(inner) if not line.lstrip().startswith("#"))
            inner[first] = " " * indent + "- " + inner[first].lstrip()
            lines += inner
        else:
            lines.append(" " * indent + f"- {_scalar(value)}")
    return lines


def _scalar(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return plain_number(value)
        case str():
            return _text(value, "key: {}", {"key": value})
    return "[]" if isinstance(value, list) else "{}"


def _text(text: str, place: str, expected: object) -> str:
    """The text as it is where the document's own reader finds it again in its `place`, else in quotes."""
    read = DocumentText(place.format(text))
    if text == text.strip() and not read.findings and read.data == expected:
        return text
    quoted: str = yaml.dump(text, Dumper=yaml.SafeDumper, default_style='"', width=inf, allow_unicode=True)
    return quoted.strip()
