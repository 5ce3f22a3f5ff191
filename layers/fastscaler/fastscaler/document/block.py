"""A block of a document that may still be wrong, and what is found wrong in it.

The rules that span several keys have to look at documents whose single keys are not all valid, so that one run reports
everything. They read plain data through `Block`, which never fails: what is absent or of another type is None.
"""

from dataclasses import dataclass
from typing import Any, Final

Location = tuple[str | int, ...]

MISSING: Final = object()  # Where a document has nothing at all, which null is not.


def value_at(data: Any, location: Location) -> Any:
    """What stands at `location` in plain data; MISSING where there is nothing."""
    for element in location:
        inside = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if element not in inside:
            return MISSING
        data = data[element]
    return data


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at `location`, and in plain words what must stand there.

    `value` is given where it is not simply what stands at the location, `line` where it is not the location's own.
    """

    location: Location
    allowed: str
    value: str | None = None
    line: int | None = None


class Block:
    """One mapping of the document; of anything else, an empty one that is not `readable`."""

    def __init__(self, data: object, location: Location = ()) -> None:
        self._data = data if isinstance(data, dict) else {}
        self.readable = isinstance(data, dict)
        self.location = location

    def text(self, key: str, default: str | None = None) -> str | None:
        """The text at `key`, `default` where there is nothing, None where there is something else."""
        value = self._data.get(key)
        if value is None:
            return default
        return value if isinstance(value, str) else None

    def flag(self, key: str) -> bool | None:
        """The true or false at `key`, False where there is nothing, None where there is something else."""
        value = self._data.get(key)
        return value if isinstance(value, bool) else False if value is None else None

    def number(self, key: str, default: float | None = None) -> float | None:
        """The number at `key`, `default` where there is nothing, None where there is something else.

        NaN, infinities and integers too large for a float are something else: rules calculate with what they get.
        """
        value = self._data.get(key)
        if value is None:
            return default
        usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
        return value if usable else None

    def block(self, key: str) -> "Block":
        """The block at `key`."""
        return Block(self._data.get(key), (*self.location, key))

    def listed(self, key: str) -> list["Block"]:
        """The blocks of the list at `key`, in order."""
        values = self._data.get(key)
        if not isinstance(values, list):
            return []
        return [Block(value, (*self.location, key, index)) for index, value in enumerate(values)]

    def named(self, key: str) -> dict[str, "Block"]:
        """The blocks of the mapping at `key`, by name."""
        inner = self.block(key)
        return {name: inner.block(name) for name in inner._data}

    def finding(self, key: str, allowed: str) -> Finding:
        """What is wrong with the value of `key`."""
        return Finding((*self.location, key), allowed)
