"""What a run says about a policy, in plain words."""

from collections.abc import Iterator, Sequence

import numpy as np

from simulator.run import Run
from simulator.score.cost import SIZE, TaskSize, control_plane_usd, cost_usd
from simulator.score.late import late_periods
from simulator.score.stability import FLAP_SECONDS, direction_changes, retriggers

MONTH = 720 * 3600  # Seconds, as `fastscaler.cost` has it.
NEGLIGIBLE = 0.005  # Percent of requests, and anything else that would be printed as 0.00.
BEFORE = 60  # Seconds before a period of late requests in which the load is looked at.
MUCH = 1.5  # Times the tasks that were needed; above that there is something to gain.


def usd_a_month(usd: float, run: Run) -> float:
    """What `usd` for this run comes to in a month that is all like it."""
    return usd * MONTH / len(run.load)


def advice(run: Run, others: Sequence[Run] = (), size: TaskSize = SIZE) -> list[str]:
    """Sentences about `run`, the most important first; `others` are what it is compared with."""
    return [
        *_late(run),
        *_surplus(run),
        *_restless(run),
        _cost(run, size),
        *(_compared(run, other, size) for other in others),
    ]


def _late(run: Run) -> Iterator[str]:
    troubled = run.late + run.lost
    percent = 100 * float(troubled.sum()) / float(run.load.sum())
    if percent < NEGLIGIBLE:
        yield "No request was late or lost."
        return
    periods = late_periods(run)
    count = "1 period" if len(periods) == 1 else f"{len(periods)} periods"
    yield f"{percent:.2f}% of the requests ({troubled.sum():,.0f}) were late or lost, in {count}."
    begin, end = max(periods, key=lambda period: float(troubled[period[0] : period[1]].sum()))
    before = float(np.mean(run.load[max(0, begin - BEFORE) : begin])) if begin else float(run.load[0])
    yield (
        f"The worst one began at {_clock(begin)} and lasted {_length(end - begin)}: the load went from {before:,.0f} "
        f"to {run.load[begin:end].max():,.0f} requests/s. {_why(run, begin, end)}"
    )


def _why(run: Run, begin: int, end: int) -> str:
    settings = run.settings
    need = max(settings.need(run.load[begin:end].tolist()))
    if need > settings.maximum:
        return f"{need} tasks were needed, and MaxCapacity is {settings.maximum}: raise it."
    if run.desired[begin] >= need and run.healthy[begin] >= need:
        return "There were tasks enough; what waited from before was worked off."
    raised = next((call for call in run.calls if call.after > call.before and begin <= call.at < end), None)
    if raised is None:
        if run.desired[begin] >= need:
            return "The tasks had been asked for and were still starting: a faster start is what helps."
        return (
            f"Nothing was scaled out meanwhile, though {need} tasks were needed: look at the targets and thresholds. "
            f"A task is late from {settings.busiest_load:g} requests/s."
        )
    enough = np.flatnonzero(run.healthy[begin:end] >= need)
    answer = f"The first call came after {raised.at - begin:.0f} s"
    if not len(enough):
        return f"{answer}; the {need} tasks that were needed were never healthy at once meanwhile."
    waited = begin + int(enough[0]) - raised.at
    return (
        f"{answer}, and enough tasks served {max(0.0, waited):.0f} s later. What is left to gain is a faster start, or "
        "room before it: a lower target, or a pre-warm schedule where the rise is known."
    )


def _surplus(run: Run) -> Iterator[str]:
    need = np.maximum(np.array(run.settings.need(run.load.tolist())), 1)
    billed = float(run.billed.mean())
    ratio = billed / float(need.mean())
    yield f"On average {billed:.1f} tasks were paid for where {need.mean():.1f} were needed, {ratio:.1f} times as many."
    at_minimum = float(np.mean((run.desired == run.settings.minimum) & (need < run.settings.minimum)))
    if ratio > MUCH and at_minimum > 0.5:
        yield f"MinCapacity {run.settings.minimum} was more than the need for {at_minimum:.0%} of the time: lower it."
    elif ratio > MUCH:
        peak, needed = int(run.desired.max()), int(need.max())
        if peak > MUCH * needed:
            yield (
                f"The peak was {peak} tasks where {needed} were needed. If a policy has a TaskCapacity: without it, or "
                "with a smaller SaturationFactor, it overshoots less, and answers large surges in more than one step."
            )
        else:
            yield "A shorter ScaleIn.StabilizationWindowSeconds gives tasks back sooner; so does a higher target."


def _restless(run: Run) -> Iterator[str]:
    turns, regrets = direction_changes(run, FLAP_SECONDS), retriggers(run)
    if turns:
        times = "once" if turns == 1 else f"{turns} times"
        yield (
            f"The count changed its direction {times} within 5 minutes"
            + (f"; {regrets} scale-ins were taken back within 2" if regrets else "")
            + ". A longer ScaleIn.StabilizationWindowSeconds makes it calmer."
        )


def _cost(run: Run, size: TaskSize) -> str:
    total, control = (usd_a_month(usd, run) for usd in (cost_usd(run, size), control_plane_usd(run)))
    return (
        f"A month like this costs about ${total:,.0f}: ${total - control:,.0f} for tasks of {size.vcpu:g} vCPU and "
        f"{size.gigabytes:g} GB, ${control:,.0f} for metrics and scaling."
    )


def _compared(run: Run, other: Run, size: TaskSize) -> str:
    late = 100 * float((other.late + other.lost).sum()) / float(other.load.sum())
    ratio = cost_usd(other, size) / cost_usd(run, size)
    return f"{other.controller}: {late:.2f}% late or lost, {ratio:.2f} times the cost."


def _clock(second: int) -> str:
    return f"{second // 3600}:{second // 60 % 60:02}:{second % 60:02}"


def _length(seconds: int) -> str:
    return f"{seconds} s" if seconds < 600 else f"{seconds / 60:.0f} minutes"
