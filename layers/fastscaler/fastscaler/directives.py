"""What the scaler can be asked besides scaling: `prewarm`, `pause`, `resume`, `observe`, and `rehearse`.

A directive is checked against the policy document and stored; the running loop sees it at its next look. A refused one
stores nothing and fails the invocation, so that it reaches the on-failure queue. Keys: events/README.md.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import AwareDatetime, Field, ValidationError

from fastscaler.errors import DirectiveRefused, Problem
from fastscaler.event_problems import kind_problem, problem, problems_of
from fastscaler.scaling.model import EcsName, Model
from fastscaler.scaling.observation import Floor, Pause
from fastscaler.scaling.policy import Direction, Document

if TYPE_CHECKING:
    from fastscaler.aws.dynamodb import Head

DIRECTIONS: tuple[Direction, ...] = ("ScaleOut", "ScaleIn")
A_MONTH = 31 * 24 * 60  # Minutes; a floor for longer than this is a MinCapacity.
CLOCK_TOLERANCE = 60.0  # Seconds by which a scheduled time may lie ahead of this machine's clock.

Ways = Literal["ScaleOut", "ScaleIn", "Both"]
Owner = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        json_schema_extra={"patternErrorMessage": "1 to 64 letters, digits, dots, hyphens or underscores"},
    ),
]
Text = Annotated[str, Field(max_length=256)]
_A_TIME: dict[str, Any] = {"patternErrorMessage": "a time in ISO 8601 with its zone, such as 2026-11-21T09:00:00Z"}
Minutes = Annotated[int, Field(strict=True, ge=0, le=A_MONTH)]


class _OfService(Model):
    cluster: EcsName
    service: EcsName

    @property
    def key(self) -> str:
        return f"{self.cluster}/{self.service}"


class _Directive(_OfService):
    reason: Text = ""
    scheduled_time: Annotated[AwareDatetime | None, Field(json_schema_extra=_A_TIME)] = None


class Prewarm(_Directive):
    """Raises the floor of a service for a while. `DurationMinutes: 0` releases the owner's floor."""

    directive: Literal["prewarm"]
    owner: Owner
    min_capacity: Annotated[int, Field(strict=True, ge=1, le=5000)]
    duration_minutes: Minutes


class PauseScaling(_Directive):
    """Stops one direction of a service, or both; without `DurationMinutes` until it is resumed."""

    directive: Literal["pause"]
    direction: Ways = "Both"
    duration_minutes: Annotated[int, Field(strict=True, ge=1, le=A_MONTH)] | None = None


class ResumeScaling(_Directive):
    """Ends a pause of one direction, or of both."""

    directive: Literal["resume"]
    direction: Ways = "Both"


class Observe(Model):
    """Asks for a few looks that read, decide and report, and change nothing."""

    directive: Literal["observe"]
    looks: Annotated[int, Field(strict=True, ge=1, le=60)] = 3


class Rehearse(_OfService):
    """Asks for looks at a service's metrics under other names, until its policies want more tasks; changes nothing.

    For drills: synthetic load under names of its own moves no service.
    """

    directive: Literal["rehearse"]
    metric_prefix: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9]{1,32}$", json_schema_extra={"patternErrorMessage": "1 to 32 letters or digits"}),
    ]
    seconds: Annotated[int, Field(strict=True, ge=10, le=600)] = 60


Request = Prewarm | PauseScaling | ResumeScaling | Observe | Rehearse
_MODELS: Mapping[str, type[Request]] = {
    "prewarm": Prewarm,
    "pause": PauseScaling,
    "resume": ResumeScaling,
    "observe": Observe,
    "rehearse": Rehearse,
}


@dataclass(frozen=True, slots=True)
class Stored:
    """One thing that a directive stored: what, and whether it changed anything (a duplicate or an older one does not).

    `before` is what held until then in its place, the same owner's floor or the same direction's pause; None: nothing.
    """

    stored: Floor | Pause
    changed: bool
    before: Floor | Pause | None


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What came of a directive: what was stored, all that holds for its service now, and whether that only observes."""

    stored: list[Stored]
    holds: list[Floor | Pause]
    observes: bool


class DirectiveStore(Protocol):
    """Where directives are kept."""

    def put_directive(self, directive: Floor | Pause, at: float, request_id: str) -> bool:
        """Stores what was given at `at` (epoch seconds); False where this or a newer one is there. Raises AwsError."""

    def poll(self) -> "Head":
        """All directives, expired ones too. Raises AwsError."""


def parse_directive(event: Mapping[str, Any]) -> Request:
    """The event as a typed request. Raises DirectiveRefused with every problem at once."""
    event = event if isinstance(event, Mapping) else {}
    name = event.get("Directive")
    model = _MODELS.get(name) if isinstance(name, str) else None
    if model is None:
        raise DirectiveRefused([kind_problem("Directive", event, _MODELS)])
    try:
        return model.model_validate(dict(event))
    except ValidationError as error:
        raise DirectiveRefused(problems_of(error, model)) from error


def carry_out(
    request: Prewarm | PauseScaling | ResumeScaling,
    document: Document,
    store: DirectiveStore,
    now: float,
    request_id: str,
) -> CarriedOut:
    """Stores what the directive asks for, and looks what holds then.

    Raises DirectiveRefused, with nothing stored, and AwsError.

    Time counts from the scheduled time in the event where there is one, not from its arrival at `now` (epoch seconds):
    a late or repeated delivery ends when the schedule says. `request_id` recognises a delivery that is repeated.
    """
    service = document.service(request.key)
    problems = []
    if service is None:
        problems.append(unknown_service(request.key, document))
    elif isinstance(request, Prewarm) and request.duration_minutes and request.min_capacity > service.max_capacity:
        allowed = f"must be at most MaxCapacity of {request.key}, which is {service.max_capacity}"
        problems.append(problem("MinCapacity", request.min_capacity, allowed))
    given = request.scheduled_time.timestamp() if request.scheduled_time else now
    if given > now + CLOCK_TOLERANCE:
        # It would be newer than every directive until then, and so none of those would be taken.
        problems.append(problem("ScheduledTime", str(request.scheduled_time), "must not lie ahead"))
    if service is None or problems:
        raise DirectiveRefused(problems)
    before = {_place(one): one for one in _holding(store, request.key, now)}
    stored = [
        Stored(one, store.put_directive(one, given, request_id), before.get(_place(one)))
        for one in _to_store(request, given)
    ]
    return CarriedOut(stored, _holding(store, request.key, now), document.observes(service))


def unknown_service(key: str, document: Document) -> Problem:
    """The problem that the document has no service `key`."""
    known = ", ".join(service.key for service in document.services[:10])
    return problem("Service", key, f"must be a service of the policy document: {known}")


def _to_store(request: Prewarm | PauseScaling | ResumeScaling, given: float) -> list[Floor | Pause]:
    if isinstance(request, Prewarm):
        expires = given + 60 * request.duration_minutes
        return [Floor(request.key, request.owner, request.min_capacity, expires, request.reason)]
    if isinstance(request, ResumeScaling):
        expires = given
    else:
        expires = inf if request.duration_minutes is None else given + 60 * request.duration_minutes
    directions = DIRECTIONS if request.direction == "Both" else (request.direction,)
    return [Pause(request.key, direction, expires, request.reason) for direction in directions]


def _holding(store: DirectiveStore, service: str, now: float) -> list[Floor | Pause]:
    return [one for one in store.poll().directives if one.service == service and one.expires_at > now]


def _place(directive: Floor | Pause) -> str:
    """What a later directive replaces it by: an owner has one floor of a service, a direction one pause."""
    return f"floor of {directive.owner}" if isinstance(directive, Floor) else directive.direction


def to_answer(found: CarriedOut) -> dict[str, Any]:
    """What the invocation returns: every entry with its expiry as a time that a person can read."""
    return {
        "stored": [
            {**_entry(one.stored), "changed": one.changed, "before": None if one.before is None else _entry(one.before)}
            for one in found.stored
        ],
        "holds": [_entry(one) for one in found.holds],
        "observes": found.observes,
    }


def _entry(directive: Floor | Pause) -> dict[str, Any]:
    return {**asdict(directive), "expires_at": _readable(directive.expires_at)}


def _readable(expires_at: float) -> str | None:
    return None if expires_at == inf else datetime.fromtimestamp(expires_at, UTC).isoformat(timespec="seconds")
