"""The policy document: text in, `Document` or every problem at once out. Pure: the caller reads the file."""

from collections.abc import Iterator
from math import inf
from typing import Any, TypeGuard

from pydantic import ValidationError

from fastscaler.document.block import Block, Finding, Location, value_at
from fastscaler.document.rules import document_findings
from fastscaler.document.text import DocumentText
from fastscaler.errors import DocumentInvalid, Problem
from fastscaler.scaling.policy import Document

LONGEST_SHOWN = 60  # Characters of a value or a name that a problem repeats.


def parse_document(text: str, source: str) -> Document:
    """The policy document in `text`, which is YAML or JSON.

    `source` is what problems call the file; each adds its line, as in `policies.yaml:12`. Raises DocumentInvalid with
    every problem of the document, in the order of its lines.
    """
    read = DocumentText(text)
    findings = list(read.findings)
    document = None
    if read.data is not None or not findings:  # Otherwise the text gave nothing to look at.
        try:
            document = Document.model_validate(read.data)
        except ValidationError as error:
            findings += _findings_of_readable(error, read)
        findings += document_findings(Block(read.data))
    if document is None or findings:
        raise DocumentInvalid(tuple(_problems(findings, read, source)))
    return document


def _findings_of_readable(error: ValidationError, read: DocumentText) -> Iterator[Finding]:
    from fastscaler.document.model_findings import model_findings  # Slow, and only a wrong document needs it.

    unread = {finding.location for finding in read.findings}
    for finding in model_findings(error, read.data):
        if finding.location not in unread or value_at(read.data, finding.location) is not None:
            yield finding


def _problems(findings: list[Finding], read: DocumentText, source: str) -> Iterator[Problem]:
    placed = [(finding.line or read.line(finding.location), finding) for finding in findings]
    for line, finding in sorted(placed, key=lambda pair: pair[0]):
        service, key = _service_and_key(finding.location, read.data)
        empty = "" if finding.location or read.data is not None else "(empty)"
        value = finding.value or empty or _shown(value_at(read.data, finding.location))
        yield Problem(f"{source}:{line}", service, key, value, _on_one_line(finding.allowed))


def _service_and_key(location: Location, data: Any) -> tuple[str, str]:
    """`cluster/service` (else `Services[3]`) and the key within it; no service for what stands around them."""
    if location[:1] != ("Services",) or len(location) < 3:
        return "", _path(location) or "(document)"
    service = value_at(data, location[:2])
    cluster, name = value_at(service, ("Cluster",)), value_at(service, ("Service",))
    label = f"{cluster}/{name}" if _is_name(cluster) and _is_name(name) else _path(location[:2])
    policy_name = _policy_name(service, location)
    if policy_name is not None:
        return label, f"Policies[{policy_name}]{_path(location[4:], within=True)}"
    return label, _path(location[2:])


def _policy_name(service: Any, location: Location) -> str | None:
    """The name of the policy that `location` lies in, where it has one of its own."""
    policies = value_at(service, ("Policies",))
    if location[2] != "Policies" or not isinstance(policies, list):
        return None
    names = [value_at(policy, ("Name",)) for policy in policies]
    name = value_at(names, location[3:4])
    return name if _is_name(name) and names.count(name) == 1 else None


def _path(location: Location, within: bool = False) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else "." + (_on_one_line(part) or "''") for part in location)
    return path if within else path.removeprefix(".")


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= 256


def _shown(value: object) -> str:
    """A value as YAML would have it; of a list or block only the size."""
    match value:
        case str():
            return repr(value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "...")
        case list() | dict():
            return f"a {'list' if isinstance(value, list) else 'block'} of {len(value)}"
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case int() if value.bit_length() > 64:
            return "a number above 64 bits"
        case int() | float():
            return {inf: ".inf", -inf: "-.inf"}.get(value, ".nan" if value != value else str(value))
    return "(missing)"


def _on_one_line(text: str) -> str:
    """Control characters as escapes: a name from the document must not break a line or colour a terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
