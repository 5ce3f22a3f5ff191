"""Chance, the same for every controller: what is drawn depends on the seed, the purpose and the place, never on order.

So the tenth task that any controller launches takes as long to start, and the datapoint of the tenth task for a bucket
becomes visible at the same moment (common random numbers): controllers differ by what they do, not by their luck.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SIZE = 1 << 18  # Draws per purpose; a place beyond it meets a draw again, far from where that was used.
STRIDE = 104_729  # Odd, so that it walks through all places.

_PURPOSES = ("starts", "visibility", "jitter", "silence", "beats", "scrapes")
Purpose = Literal["starts", "visibility", "jitter", "silence", "beats", "scrapes"]


class Draws:
    """Draws of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._normal: dict[Purpose, Floats] = {}
        self._uniform: dict[Purpose, Floats] = {}

    def normal(self, purpose: Purpose, number: Integers | int, column: int = 0) -> Floats:
        """Standard normal draws for each `number`; `column` is a second coordinate."""
        if purpose not in self._normal:
            self._normal[purpose] = self._generator(purpose).standard_normal(SIZE)
        return self._normal[purpose][_places(number, column)]

    def uniform(self, purpose: Purpose, number: Integers | int) -> Floats:
        """Draws from 0 to 1 for each `number`."""
        if purpose not in self._uniform:
            self._uniform[purpose] = self._generator(purpose).random(SIZE)
        return self._uniform[purpose][_places(number, 0)]

    def _generator(self, purpose: Purpose) -> np.random.Generator:
        return np.random.default_rng([self._seed, _PURPOSES.index(purpose)])


def _places(number: Integers | int, column: int) -> Integers:
    return np.asarray((number + column * STRIDE) % SIZE)
