"""The elasticity metrics of SPEC's research group.

Source: Herbst, Krebs, Oikonomou, Kousiouris, Evangelinou, Iosup, Kounev: Ready for Rain? A View from SPEC Research on
the Future of Cloud Metrics (SPEC RG Cloud Working Group, 2016), normalised by the demand. Over-provisioning is divided
by the demand, as under-provisioning is; some authors divide it by the supply, which makes it smaller.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from simulator.run import Run


@dataclass(frozen=True, slots=True)
class Elasticity:
    """Percent. Accuracies are mean shares of the demand; 0 is best in all of them."""

    under_accuracy: float  # Tasks that lacked.
    over_accuracy: float  # Tasks too many.
    under_share: float  # Of the time in which tasks lacked.
    over_share: float  # Of the time with tasks too many.
    instability: float  # Of the time in which supply and demand did not move in the same direction.


def elasticity(run: Run) -> Elasticity:
    """Demand is the fewest tasks that meet the objective, and at least the minimum; supply are the healthy tasks."""
    demand = np.maximum(np.array(run.settings.need(run.load.tolist())), run.settings.minimum)
    supply = run.healthy
    moves = np.sign(np.diff(demand)) != np.sign(np.diff(supply))
    return Elasticity(
        under_accuracy=100 * float(np.mean(np.maximum(demand - supply, 0) / demand)),
        over_accuracy=100 * float(np.mean(np.maximum(supply - demand, 0) / demand)),
        under_share=100 * float(np.mean(demand > supply)),
        over_share=100 * float(np.mean(supply > demand)),
        instability=100 * float(np.mean(moves)) if len(moves) else 0.0,
    )


def speedup(scaled: Elasticity, unscaled: Elasticity) -> float | None:
    """Elastic speed-up: how many times better than without scaling, the geometric mean over four of the metrics.

    None where one of the eight is 0: then it is not defined.
    """
    names = ("under_accuracy", "over_accuracy", "under_share", "over_share")
    pairs = [(getattr(unscaled, name), getattr(scaled, name)) for name in names]
    if any(not before or not after for before, after in pairs):
        return None
    return float(prod(before / after for before, after in pairs) ** (1 / len(pairs)))
