"""`python -m benchmarks.figures`: the figures of the loop, measured on this machine; written to figures.json.

Medians of repeated runs. Times depend on the machine, so compare ratios; calls, billed metrics and sizes do not.
"""

import json
import platform
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.billing import billed_per_hour
from benchmarks.cold_import import cold_import
from benchmarks.decision import decide_thousand_services_seconds, decision_microseconds
from benchmarks.look import looks_of_many_services
from benchmarks.reaction import reaction
from benchmarks.rows import FOLDER

FIGURES = FOLDER / "figures.json"
REACTIONS = 20  # Runs of the demo's core. They take real time: 40 s, two at once.


def measure() -> None:
    """Measures everything, prints it, and keeps it."""
    figures: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "decide_microseconds": decision_microseconds(),
        "decide_1000_services_seconds": decide_thousand_services_seconds(),
        "cold_import_milliseconds": cold_import(),
        "look_of_100_services": looks_of_many_services(100),
        "billed_per_hour": billed_per_hour(),
        "reaction": reaction(REACTIONS),
    }
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    table = Table("figure", "value", title=f"FastScaler on Python {figures['python']}")
    for name, value in _flat(figures):
        table.add_row(name, str(value))
    Console().print(table)


def _flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in figures.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


if __name__ == "__main__":
    measure()
