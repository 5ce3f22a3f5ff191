"""Which services the role may scale: the parameter `ServiceArns`, from the `samconfig.toml` beside a document."""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fastscaler.scaling.policy import Document

SAMCONFIG = "samconfig.toml"


def not_permitted(document: Document, file: Path) -> Iterator[str]:
    """A line for each service of `document`, which is in `file`, that no `ServiceArns` covers.

    No line where there is no samconfig.toml, or none that says. A service that was forgotten is noticed at its first
    surge otherwise: in observe mode UpdateService is not called, so nothing fails.
    """
    arns = _service_arns(file.parent / SAMCONFIG)
    names = [arn.partition(":service/")[2] for arn in arns]
    for service in document.services:
        if names and not any(fnmatchcase(service.key, name) for name in names):
            yield f"{service.key}: ServiceArns in {SAMCONFIG} does not name it, so the role may not scale it"


def _service_arns(samconfig: Path) -> list[str]:
    """Those of all sections: which of them is deployed is not known here."""
    try:
        config = tomllib.loads(samconfig.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # SAM itself says what is wrong with it.
        return []
    found = (re.search(r"(?:^|\s)ServiceArns=[\"']?([^\s\"']+)", override) for override in _overrides(config))
    return [arn for match in found if match for arn in match[1].split(",")]


def _overrides(config: dict[str, Any]) -> Iterator[str]:
    """Every `parameter_overrides`, at whatever depth, which is a list of texts or one text."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _overrides(value)
        elif key == "parameter_overrides":
            yield from [value] if isinstance(value, str) else map(str, value if isinstance(value, list) else ())
