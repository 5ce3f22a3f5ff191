"""Which policy document an invocation runs: its own, or the last good one where its own is invalid."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from fastscaler.document.parse import parse_document
from fastscaler.errors import DocumentInvalid, NotFound, Problem
from fastscaler.scaling.policy import Document

LAST_GOOD = "the last good document"


class DocumentStore(Protocol):
    """Where the last good document is kept."""

    def load_document(self) -> str | None:
        """The last good document's text; None where there is none. Raises AwsError."""


@dataclass(frozen=True, slots=True)
class Policies:
    """The document to run, and its text."""

    document: Document
    text: str


def load(path: str) -> Policies:
    """The document at `path`. Raises DocumentInvalid where that is missing or invalid."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(path, "", "(file)", type(error).__name__, "must be a readable UTF-8 file")
        raise DocumentInvalid((problem,)) from error
    return Policies(_parse(text, path), text)


def load_last_good(store: DocumentStore) -> Policies | None:
    """The last good document; None where there is none. Raises AwsError."""
    try:
        text = store.load_document()
        return None if text is None else Policies(_parse(text, LAST_GOOD), text)
    except (DocumentInvalid, NotFound):  # Good for an older version of this library, or there is no table yet.
        return None


@lru_cache(maxsize=4)
def _parse(text: str, source: str) -> Document:
    """A warm sandbox is invoked again with the same document, which is not worth parsing twice."""
    return parse_document(text, source)
