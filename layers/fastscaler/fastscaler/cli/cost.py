"""The bill of a policy document, as tables and as data."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fastscaler.cli.console import show
from fastscaler.cost import Cost, Item, Range

HEADINGS = {"reads/hour": 10, "billed/month": 13, "USD": 8, "USD busy": 9}  # Each with its width.
NAME_WIDTH = 31  # What is left of 80 columns.
SHARED, TOTAL = "all services together", "total"
ASSUMED = (
    "us-east-1, list prices, 30 days, no free tier.",
    "Busy: load above half of a scale-out threshold all month; late data is reread.",
    "Not included: publishing by your tasks, 5.18 each with PutMetricData every 5 s.",
)


def print_cost(cost: Cost) -> None:
    """Prints the bill."""
    lines: list[RenderableType] = ["", _table(header=True)]
    for service in cost.services:
        lines += _section(service.service, service.items)
    lines += _section(SHARED, cost.shared)
    total = _table()
    total.add_row(TOTAL, "", "", *_usd(cost.total), style="bold")
    show(*lines, total, "", *(Text(line) for line in ASSUMED))


def as_data(cost: Cost) -> dict[str, Any]:
    """The bill as it is printed with --json."""
    return asdict(cost, dict_factory=lambda pairs: {key: _rounded(value) for key, value in pairs})


def _section(heading: str, items: Iterable[Item]) -> Sequence[RenderableType]:
    # The heading stands between tables of equal widths: in one of their columns it would be broken.
    table = _table()
    for item in items:
        read = (_counted(item.reads_per_hour), _counted(item.billed_per_month))
        table.add_row(Padding(Text(item.name), (0, 0, 0, 2)), *read, *_usd(item.usd))
    return Text(heading, style="bold"), table


def _table(*, header: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, show_header=header)
    table.add_column("", width=NAME_WIDTH, overflow="fold")
    for heading, width in HEADINGS.items():
        table.add_column(heading, width=width, justify="right", no_wrap=True)
    return table


def _counted(figures: Range | None) -> str:
    return "" if figures is None else f"{figures.calm:,.0f}"


def _usd(figures: Range) -> tuple[str, str]:
    return f"{figures.calm:,.2f}", f"{figures.busy:,.2f}"


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
