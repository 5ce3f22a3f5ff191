"""Guards that watch for longer than one look: launches that fail, and another scaler of the same service.

`remember` watches launches, `learn_of_competitor` takes in an answer about the other scaler, and `restrain` holds the
count back. A guard begins and ends by what AWS has said: where it could not be asked, the guard stays as it was.
"""

from dataclasses import replace

from fastscaler.scaling.memory import Launch, Memory
from fastscaler.scaling.observation import LaunchCheck, Observation, ServiceState
from fastscaler.scaling.policy import Service
from fastscaler.scaling.scale_in import Step

# Seconds after the last failed launch at which the guard gives up. ECS goes on trying, at intervals of up to 27 minutes
# (ECS Developer Guide, service throttle logic), and is asked every five minutes; a guard that ended between two tries
# would begin again after the next.
QUIET = 2100.0
REMEDY = "deregister the scalable target, suspend it, or set OnConflict"


def remember(
    service: Service, observation: Observation, memory: Memory, current: int, now: float
) -> tuple[Memory, str]:
    """Memory with the launches as they are at `now` (epoch seconds), and a note where that guard begins or ends.

    `current` is the desired count to decide from. A conflict that is to be ignored is forgotten.
    """
    launch, note = _watch(memory.launch, observation, current, now)
    conflict = None if service.on_conflict == "Ignore" else memory.conflict
    if launch == memory.launch and conflict == memory.conflict:
        return memory, note
    return replace(memory, launch=launch, conflict=conflict), note


def learn_of_competitor(memory: Memory, found: str) -> tuple[Memory, str]:
    """Memory with what another scaler may do to the service, empty for nothing; and a note where that has changed."""
    if found == memory.conflict:
        return memory, ""
    note = ""
    if found:
        note = f"conflict: Application Auto Scaling acts on this service too ({found}): {REMEDY}"
    elif memory.conflict:
        note = "the conflict is over: Application Auto Scaling does not act on this service any more"
    return replace(memory, conflict=found), note


def restrain(service: Service, memory: Memory, current: int, desired: int) -> list[Step]:
    """The steps from `desired` to what the guards allow; none where they do not object.

    While launches fail nothing is added, whoever asks for it; only MinCapacity still counts, since it is one fixed
    count and cannot fill a broken service. `Yield` leaves the service to the other scaler, below MinCapacity too.
    """
    steps = []
    launch = memory.launch
    allowed = max(current, service.min_capacity)
    if launch is not None and launch.failed and desired > allowed:
        desired = allowed
        steps.append(Step("launch failures", _failures(launch), desired))
    if memory.conflict and desired != current and (service.on_conflict == "Yield" or desired < current):
        kept = "nothing is changed" if service.on_conflict == "Yield" else "nothing is taken away"
        steps.append(Step("conflict", f"{kept}: Application Auto Scaling acts too ({memory.conflict})", current))
    return steps


def _watch(launch: Launch | None, observation: Observation, current: int, now: float) -> tuple[Launch | None, str]:
    """The tasks that are waited for, and a note where the guard begins or ends.

    A task that comes to run proves that launches work, and a new deployment that something was changed; both begin the
    watch anew, and so do 35 minutes without a failure, so that no guard lasts for ever.
    """
    state = observation.state
    ended = "" if launch is None else _ended(launch, state, current, now)
    if launch is None or ended:
        note = f"scale-out goes on: {ended}" if launch is not None and launch.failed else ""
        return _begin(state, current, now), note
    held = launch.failed
    launch = replace(launch, running=state.running) if state.running < launch.running else launch
    launch = _take_in(launch, observation.launches)
    return launch, f"scale-out stops: {_failures(launch)}" if launch.failed and not held else ""


def _begin(state: ServiceState, current: int, now: float) -> Launch | None:
    return Launch(now, state.running, state.deployment) if state.running < current else None


def _ended(launch: Launch, state: ServiceState, current: int, now: float) -> str:
    """Why the watch is over; empty while it goes on."""
    if state.deployment and state.deployment != launch.deployment:
        return "a new deployment began"
    if state.running > launch.running:
        return "a task came to run"
    if state.running >= current:
        return "no task is waited for any more"
    if launch.failed and now - launch.failed_at >= QUIET:
        return f"no launch has failed for {QUIET / 60:g} minutes"
    return ""


def _take_in(launch: Launch, check: LaunchCheck | None) -> Launch:
    """The watch with the failures of a check that it does not know yet."""
    if check is None or check.at <= launch.asked:
        return launch
    launch = replace(launch, asked=check.at)
    failed = [one for one in check.failed or () if one.stopped_at > launch.since]
    if not failed:
        return launch
    newest = max(failed, key=lambda one: one.stopped_at)
    return replace(launch, failed=len(failed), failed_at=newest.stopped_at, reason=newest.reason)


def _failures(launch: Launch) -> str:
    tasks = "1 task" if launch.failed == 1 else f"{launch.failed} tasks"
    return f"{tasks} stopped before RUNNING: {launch.reason}"
