"""The event of the function: one load profile on one service. Every key is documented in events/README.md."""

from collections.abc import Mapping
from typing import Annotated, Literal

from event_rules import order_problems
from load_profile import Constant, LoadProfile, Ramp, Sine, Spike, Step, Trace
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from fastscaler.errors import EventInvalid
from fastscaler.event_problems import kind_problem, problem, problems_of
from fastscaler.scaling.model import EcsName

# The upper limits are far beyond any service; they keep every figure that follows from them finite.
Rate = Annotated[float, Field(ge=0, le=1e9)]  # Requests per second.
Moment = Annotated[float, Field(ge=0, le=900)]  # Seconds after the profile begins.
Length = Annotated[float, Field(ge=0.1, le=86_400)]  # Seconds.


_PREFIX = {"patternErrorMessage": "up to 32 letters or digits"}


class _SharedKeys(BaseModel):
    """What all profiles have in common. Rates are the whole service's arrivals in requests per second."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_pascal)

    profile: str
    cluster: EcsName
    service: EcsName
    duration_seconds: Annotated[int, Field(ge=5, le=900)]  # 900 s is as long as a Lambda function can run.
    tasks: Literal["running"] | Annotated[int, Field(ge=1, le=5000)] = "running"
    task_capacity: Annotated[float, Field(ge=0.01, le=1e9)] = 140.0
    base_response_time_seconds: Annotated[float, Field(ge=0.001, le=60)] = 0.05
    spread: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    seed: int = 0
    metric_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{0,32}$", json_schema_extra=_PREFIX)] = ""
    rest_seconds: Annotated[int, Field(ge=0, le=895)] = 0

    @property
    def rest_load(self) -> float:
        """The whole service's arrivals at rest, requests/s."""
        return 0.0


class _BaseEvent(_SharedKeys):
    base_requests_per_second: Rate

    @property
    def rest_load(self) -> float:
        return self.base_requests_per_second


class _ConstantEvent(_BaseEvent):
    def load(self) -> LoadProfile:
        return Constant(self.base_requests_per_second)


class _PeakEvent(_BaseEvent):
    peak_requests_per_second: Rate


class _StepEvent(_PeakEvent):
    step_at_seconds: Moment

    def load(self) -> LoadProfile:
        return Step(self.base_requests_per_second, self.peak_requests_per_second, self.step_at_seconds)


class _RampEvent(_PeakEvent):
    ramp_at_seconds: Moment
    ramp_seconds: Length

    def load(self) -> LoadProfile:
        base, peak = self.base_requests_per_second, self.peak_requests_per_second
        return Ramp(base, peak, self.ramp_at_seconds, self.ramp_seconds)


class _SpikeEvent(_PeakEvent):
    spike_at_seconds: Moment
    decay_seconds: Length

    def load(self) -> LoadProfile:
        base, peak = self.base_requests_per_second, self.peak_requests_per_second
        return Spike(base, peak, self.spike_at_seconds, self.decay_seconds)


class _SineEvent(_PeakEvent):
    period_seconds: Length

    def load(self) -> LoadProfile:
        return Sine(self.base_requests_per_second, self.peak_requests_per_second, self.period_seconds)


class _TraceEvent(_SharedKeys):
    requests_per_second: Annotated[list[Rate], Field(min_length=1, max_length=1000)]
    interval_seconds: Length

    def load(self) -> LoadProfile:
        return Trace(tuple(self.requests_per_second), self.interval_seconds)


SyntheticEvent = _ConstantEvent | _StepEvent | _RampEvent | _SpikeEvent | _SineEvent | _TraceEvent

_EVENTS: dict[str, type[SyntheticEvent]] = {
    "constant": _ConstantEvent,
    "step": _StepEvent,
    "ramp": _RampEvent,
    "spike": _SpikeEvent,
    "sine": _SineEvent,
    "trace": _TraceEvent,
}
_SHARED = frozenset(to_pascal(name) for name in _SharedKeys.model_fields)


def parse_event(event: object) -> SyntheticEvent:
    """The event as a typed model; its `load()` is the profile. Raises `EventInvalid` with every problem at once."""
    if not isinstance(event, Mapping):
        raise EventInvalid((problem("event", event, "must be an object with Profile, Cluster, Service and others"),))
    profile = event.get("Profile")
    model = _EVENTS.get(profile) if isinstance(profile, str) else None
    problems = []
    try:
        if model is not None:
            parsed = model.model_validate(dict(event))
        else:
            problems.append(kind_problem("Profile", event, _EVENTS))
            # The keys that all profiles share are checked nevertheless.
            _SharedKeys.model_validate({key: event[key] for key in _SHARED if key in event} | {"Profile": ""})
    except ValidationError as error:
        problems += problems_of(error, model or _SharedKeys)
    # pydantic skips rules between keys once a key has failed; checked here, they are all reported at once.
    problems += order_problems(event, {problem.key for problem in problems})
    if problems:
        raise EventInvalid(tuple(problems))
    return parsed
