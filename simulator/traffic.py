"""Traffic from a CSV file: `second,rps` or `minute,requests`.

The header is needed: it is what tells seconds from minutes. Rows follow one another without a gap, from any number on;
a second without traffic is a row with 0, because a row that is missing may as well be one that was lost.
"""

import csv
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path

from simulator.run import Trace

MINUTE = 60
HEADERS: Mapping[tuple[str, ...], int] = {("second", "rps"): 1, ("minute", "requests"): MINUTE}
ALLOWED = " or ".join(",".join(header) for header in HEADERS)
LONGEST = 31 * 86_400  # Seconds. A month takes minutes to simulate, per controller.


class TrafficInvalid(ValueError):
    """A file that is no traffic; the message names file, line, what was found and what is allowed."""


def read_traffic(file: Path) -> Trace:
    """The traffic in `file`, named after it. Requests of a minute are spread evenly over its seconds.

    Raises TrafficInvalid, and OSError for a file that cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            load = list(_load(file, csv.reader(lines, strict=True)))
    except UnicodeDecodeError as error:
        raise TrafficInvalid(f"{file}: not UTF-8 text (byte {error.start}): must be a CSV file") from None
    except csv.Error as error:
        raise TrafficInvalid(f"{file}: not CSV ({error}): must have the columns {ALLOWED}") from None
    if not load:
        raise TrafficInvalid(f"{file}: no row of traffic: must have one row per second or minute")
    if not any(load):
        raise TrafficInvalid(f"{file}: no request in all of it: must have traffic")
    return Trace(file.stem, load)


def _load(file: Path, rows: Iterator[list[str]]) -> Iterator[float]:
    header = next(rows, [])
    seconds = HEADERS.get(tuple(name.strip().lower() for name in header), 0)
    if not seconds:
        raise TrafficInvalid(f"{file}, line 1: {','.join(header) or 'nothing'}: must be the header {ALLOWED}")
    unit = header[0].strip().lower()
    expected, count = None, 0
    for line, row in enumerate(rows, start=2):
        where = f"{file}, line {line}"
        if not row:
            continue  # An empty line, as many programs leave one at the end.
        if len(row) != len(header):
            raise TrafficInvalid(f"{where}: {','.join(row)}: must be two columns, as in the header")
        place = _place(where, unit, row[0])
        if expected is not None and place != expected:
            raise TrafficInvalid(f"{where}: {unit} {place}: must be {unit} {expected}; write one without traffic as 0")
        expected = place + 1
        requests = _requests(where, header[1], row[1])
        count += seconds
        if count > LONGEST:
            raise TrafficInvalid(f"{where}: longer than {LONGEST // 86_400} days: give a shorter part of it")
        yield from [requests / seconds] * seconds


def _place(where: str, unit: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise TrafficInvalid(f"{where}: {unit} {text!r}: must be a whole number") from None


def _requests(where: str, name: str, text: str) -> float:
    try:
        requests = float(text)
    except ValueError:
        requests = -1.0
    if not (isfinite(requests) and requests >= 0):
        raise TrafficInvalid(f"{where}: {name.strip()} {text!r}: must be a number of at least 0")
    return requests
