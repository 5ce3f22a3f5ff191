"""Why a goal was missed, in words, with the figures behind it. Only what was missed is explained."""

from collections.abc import Sequence
from math import fsum

from benchmarks.ablations import NOTHING
from benchmarks.goals import AWS, FASTSCALER, Goal, Results, geometric_mean
from benchmarks.rows import Row
from benchmarks.sensitivity import SURGES

SERVED = 10.0  # Percent of late or lost requests up to which the peer counts as having served its traffic.
SOONER = "custom metrics visible after 1 s"
SURGE = "surge-5x"
BOOST = "saturation boost, switched on"
DAY = "nasa"  # A day of real requests, and nearly all direction changes.


def explanations(
    missed: Sequence[Goal], results: Results, sensitivity: Sequence[Row], ablations: Sequence[Row]
) -> list[str]:
    """A paragraph for each goal that was missed, as far as there is more to say; only for all the traffic."""
    if DAY not in results.traces:
        return []
    texts = {
        "reaction to a 5x surge, median": _reaction(sensitivity),
        "last late request after a 5x surge, median": _recovery(ablations),
        f"task-hours, against {AWS}": _hours(results),
        "direction changes within 5 minutes, mean over traffic": _turns(results),
        "task-hours on pure noise, against that peer": _noise(results),
        "scale-ins that a scale-out followed within 2 minutes": _regrets(results),
    }
    return [f"- **{goal.what}**: {texts[goal.what]}" for goal in missed if goal.what in texts]


def _reaction(sensitivity: Sequence[Row]) -> str:
    (faster,) = (row["reaction_p50"] for row in sensitivity if (row["variant"], row["trace"]) == (SOONER, SURGES))
    return (
        "publishers spread their calls over a second, so that a fleet's calls do not meet at once; the goal was set"
        f" without that second. Where custom metrics can be read after 1 s instead of 2 s it is {faster:.1f} s."
    )


def _recovery(ablations: Sequence[Row]) -> str:
    found = {row["switched"]: row for row in ablations if row["trace"] == SURGE}
    off, on = found[NOTHING], found[BOOST]
    return (
        "what has queued in the first minute is worked off by the tasks that the load needs, and no more. With the"
        f" saturation boost, which asks for twice as many, one run takes {on['recovery_seconds']:.0f} s instead of"
        f" {off['recovery_seconds']:.0f} s, and {on['task_hours'] / off['task_hours']:.2f} times the task-hours."
    )


def _hours(results: Results) -> str:
    late = results.of(AWS, "late_percent")
    mine, peer = results.of(FASTSCALER, "task_hours"), results.of(AWS, "task_hours")
    served = [trace for trace in results.traces if late[trace] <= SERVED]
    ratio = geometric_mean([mine[trace] / peer[trace] for trace in served])
    total = fsum(mine.values()) / fsum(peer.values())
    lost = ", ".join(f"{trace} {late[trace]:.0f}%" for trace in results.traces if late[trace] > 4 * SERVED)
    return (
        f"a scaler that does not add tasks saves them: that peer's late or lost requests are {lost}. On the"
        f" {len(served)} kinds of traffic of which it answers nine tenths in time, FastScaler takes {ratio:.2f} times"
        f" its task-hours; of all task-hours together it takes {total:.2f} times as many."
    )


def _turns(results: Results) -> str:
    found = results.of(FASTSCALER, "direction_changes_5_minutes")
    others = [value for trace, value in found.items() if trace != DAY]
    oracle = results.of("oracle", "direction_changes_5_minutes")[DAY]
    return (
        f"{DAY} is a day of 24 hours with {found[DAY] / 24:.1f} an hour; the oracle, which follows the need as it is,"
        f" has {oracle / 24:.0f} an hour there. The mean of all other traffic is {fsum(others) / len(others):.1f}."
    )


def _noise(results: Results) -> str:
    mine, peer = (results.of(one, "late_percent")["noise"] for one in (FASTSCALER, AWS))
    return (
        f"a task more is kept through the peaks that an average over 20 s hides: {mine:.2f}% of the requests are late"
        f" or lost instead of {peer:.2f}%."
    )


def _regrets(results: Results) -> str:
    found = results.of(FASTSCALER, "retriggered_scale_ins")
    others = fsum(value for trace, value in found.items() if trace != DAY)
    return (
        f"{found[DAY]:.0f} of them in the 24 hours of {DAY}, whose load jumps by more than the margin of a scale-in;"
        f" {others:.0f} in all other traffic. No window of a few minutes foresees such a jump."
    )
