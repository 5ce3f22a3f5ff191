"""Files of results: a list of rows, one a line, so that a change of one figure is a change of one line."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]

FOLDER = Path(__file__).parent


def write(file: Path, rows: Iterable[Row]) -> None:
    """Writes `rows`."""
    file.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def read(file: Path) -> list[Row]:
    """What `write` has written."""
    rows: list[Row] = json.loads(file.read_text())
    return rows
