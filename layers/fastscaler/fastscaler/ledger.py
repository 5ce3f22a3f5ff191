"""The latency ledger: when each stage of a scale-out was reached, up to healthy targets."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from fastscaler.scaling.memory import Ledger, Memory
from fastscaler.scaling.observation import ServiceState
from fastscaler.scaling.policy import Service

PATIENCE = 60.0  # Seconds after TaskStartTimeout at which a ledger is closed with the stages it has.


def close_call(memory: Memory, returned: float) -> Memory:
    """Memory in which the ledger of a call that took effect says when its answer was there."""
    ledgers = tuple(replace(one, updated=returned) if one.updated is None else one for one in memory.ledgers)
    return replace(memory, ledgers=ledgers) if ledgers != memory.ledgers else memory


def follow(
    service: Service, state: ServiceState, memory: Memory, healthy: Callable[[], int], now: float
) -> tuple[Memory, list[Ledger]]:
    """Takes the open ledgers of a service as far as they are at `now` (epoch seconds).

    Returns the memory with those still open, and the ledgers that got further. `healthy` tells the healthy targets; it
    is called only between RUNNING and healthy. A ledger is closed at its last stage, when its time is over, and when
    the count it was for has been lowered.
    """
    before = memory.ledgers
    if memory.intent is None:  # Where a call's answer was lost, its effect has been seen.
        memory = close_call(memory, now)
    still_open, progressed = [], []
    for ledger, further in zip(before, memory.ledgers, strict=True):
        if further.updated is not None and further.running is None and state.running >= further.desired:
            further = replace(further, running=now)
        if further.running is not None and state.target_groups and healthy() >= further.desired:
            further = replace(further, healthy=now)
        if further is not ledger:
            progressed.append(further)
        complete = further.healthy is not None or (further.running is not None and not state.target_groups)
        # Not ECS's count, which is from before the call in the look that made it.
        lowered = memory.desired is not None and memory.desired < further.desired
        expired = lowered or now - further.decided > service.task_start_timeout + PATIENCE
        if not complete and not (expired and further.updated is not None):
            still_open.append(further)
    ledgers = tuple(still_open)
    return (replace(memory, ledgers=ledgers) if ledgers != memory.ledgers else memory), progressed


def stages(ledger: Ledger) -> dict[str, float]:
    """Seconds that each stage took, as far as the ledger goes, and their `total`. The stages add up to the total."""
    names = ("bucket_end", "read", "decided", "updated", "running", "healthy")
    times = [(name, time) for name in names if (time := getattr(ledger, name)) is not None]
    seconds = {
        f"{before}_to_{after}": round(later - earlier, 3) for (before, earlier), (after, later) in pairwise(times)
    }
    return {**seconds, "total": round(times[-1][1] - times[0][1], 3)}
