"""The text of a policy document as plain data: YAML 1.1 as PyYAML reads it, but for a few of its numbers, and JSON.

It is read from the parser's events, not with PyYAML's constructors: those keep the last of two equal keys in silence,
stop at the first foreign tag, and take three times as long. Only text, numbers, true, false, null,
lists and mappings come out, whatever goes in.
"""

import re
from typing import Any

import yaml

from fastscaler.document.block import Finding, Location, value_at

try:
    from yaml import CSafeLoader as SafeLoader  # About four times as fast.
except ImportError:  # PyYAML built without libyaml.
    from yaml import SafeLoader  # type: ignore[assignment]

TAG = "tag:yaml.org,2002:"
TEXT, LIST, BLOCK, MERGE = TAG + "str", TAG + "seq", TAG + "map", TAG + "merge"
CONSTRUCTED = {TAG + name for name in ("int", "float", "bool", "null")}
NOT_RESOLVED = {TAG + "timestamp", TAG + "value"}  # 2026-01-31 and = are text here.


class _Loader(SafeLoader):
    """PyYAML's safe loader, for its parser and its scalars."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in NOT_RESOLVED]
    for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
}
# YAML 1.1 takes 1e3 for text; in JSON, and to anyone who writes it, it is a number.
_Loader.add_implicit_resolver(TAG + "float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789"))
# YAML 1.1 takes 0100 for 64 and 5:00 for 300, YAML 1.2 and editors do not: text here, so that neither is guessed.
NO_NUMBER = re.compile(r"[-+]?0[\d_]+$|.*:")


class DocumentText:
    """A text once read: `data` is its plain data as far as it goes, `findings` what was wrong with the text itself."""

    def __init__(self, text: str) -> None:
        self.data: Any = None
        self.findings: list[Finding] = []
        self._anchors: dict[str, Any] = {}
        self._lines: dict[int, dict[str | int, int]] = {}  # By id of a list or mapping in `data`: its keys' lines.
        try:
            self._loader = _Loader(text)
            self._read_document()
        except yaml.MarkedYAMLError as error:
            self._reject(*_syntax_error(error, text))
        except (yaml.YAMLError, ValueError) as error:  # Characters that YAML does not allow, or that are none.
            self._reject(f"must be readable YAML or JSON ({' '.join(str(error).split())})", "this text", 1)
        except RecursionError:
            self._reject("must have fewer levels of lists and blocks", "this text", 1)

    def line(self, location: Location) -> int:
        """The line, from 1, of the key or list item at `location`; of the nearest one around it that is there."""
        data, line = self.data, 1
        for element in location:
            line = self._lines.get(id(data), {}).get(element, line)
            data = value_at(data, (element,))
        return line

    def _reject(self, allowed: str, value: str, line: int) -> None:
        """The text cannot be read to its end: nothing of it is looked at."""
        self.data = None
        self.findings.append(Finding((), allowed, value, line))

    def _read_document(self) -> None:
        self._next()  # The stream begins.
        if isinstance(self._next(), yaml.StreamEndEvent):
            return
        self.data = self._value(self._next(), ())
        self._next()  # The document ends.
        after = self._next()
        if isinstance(after, yaml.DocumentStartEvent):
            self._reject("must be one document only", "a second document", _line(after))

    def _next(self) -> Any:
        return self._loader.get_event()

    def _value(self, event: Any, location: Location) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, location)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(event, location)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(event, location)
        else:  # An alias. Nothing contains itself: an anchor is known once its value is complete.
            if event.anchor not in self._anchors:
                self.findings.append(
                    Finding(location, "must be an alias of an earlier anchor", repr(f"*{event.anchor}"))
                )
            return self._anchors.get(event.anchor)
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _list(self, event: yaml.SequenceStartEvent, location: Location) -> list[Any] | None:
        value: list[Any] = []
        lines: dict[str | int, int] = {}
        while not isinstance(item := self._next(), yaml.SequenceEndEvent):
            lines[len(value)] = _line(item)
            value.append(self._value(item, (*location, len(value))))
        self._lines[id(value)] = lines
        return value if self._is_plain(event.tag or LIST, LIST, location) else None

    def _mapping(self, event: yaml.MappingStartEvent, location: Location) -> dict[str, Any] | None:
        value: dict[str, Any] = {}
        lines: dict[str | int, int] = {}
        merged: list[Any] = []
        while not isinstance(key_event := self._next(), yaml.MappingEndEvent):
            line = _line(key_event)
            if not isinstance(key_event, yaml.ScalarEvent):
                self.findings.append(Finding(location, "must be plain text, as every key", "a key that is not", line))
                self._value(key_event, location)
                self._value(self._next(), location)
                continue
            key = key_event.value  # As written: 404 and yes are text where they are keys.
            if key in lines:
                words = f"must stand once; the key stands on line {lines[key]} already"
                self.findings.append(Finding((*location, key), words, line=line))
            lines[key] = line
            inner = self._value(self._next(), (*location, key))
            if key == "<<" and key_event.implicit[0]:
                merged = inner if isinstance(inner, list) else [inner]
            else:
                value[key] = inner
        for block in merged:
            if isinstance(block, dict):
                value = {**block, **value}
                lines = {**self._lines[id(block)], **lines}
            elif block is not None:
                words = "must be an alias of a block, or a list of such aliases"
                self.findings.append(Finding((*location, "<<"), words, "something else", lines["<<"]))
        self._lines[id(value)] = lines
        return value if self._is_plain(event.tag or BLOCK, BLOCK, location) else None

    def _scalar(self, event: yaml.ScalarEvent, location: Location) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
            if tag in CONSTRUCTED and NO_NUMBER.match(event.value):
                return event.value
        if tag == TEXT or tag not in CONSTRUCTED:
            return event.value if self._is_plain(tag, TEXT, location) else None
        try:
            return self._loader.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, LookupError):  # More digits than Python reads, or a tag that its text does not fit.
            self.findings.append(Finding(location, "must be a value that can be read", repr(event.value[:40])))
            return None

    def _is_plain(self, tag: str, expected: str, location: Location) -> bool:
        if tag == expected:
            return True
        words = "must be the value itself; tags, and with them CloudFormation's functions, are not resolved here"
        self.findings.append(Finding(location, words, repr(tag.replace(TAG, "!!"))))
        return False


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str, int]:
    """What was expected, what was found, and on which line."""
    # A key or a quotation that does not end is wrong where it begins.
    scanning = (error.context or "").startswith("while scanning")
    mark = (error.context_mark if scanning else None) or error.problem_mark or error.context_mark
    if mark is None:
        return f"must be readable YAML or JSON ({error.problem})", "this text", 1
    lines = text.splitlines() or [""]
    line = lines[mark.line] if mark.line < len(lines) else ""
    words = "; ".join(part for part in (error.problem, error.context) if part)
    if error.context_mark is not None and error.context_mark.line != mark.line:
        words += f" from line {error.context_mark.line + 1} on"
    if line[mark.column : mark.column + 1] == "\t":
        words = "spaces, not tabs, indent a line"
    found = repr(line.strip()[:40]) if line.strip() else "the end of the text"
    return f"must be readable YAML or JSON ({words}, column {mark.column + 1})", found, min(mark.line + 1, len(lines))
