"""What an operator asks first: of every service the load, the counts, what holds it, and the last decision and why.

Put together from what is there anyway: the policy document, memory and directives in the table, DescribeServices, and
the scaler's log of the last minutes. Nothing is written, and nothing is asked that is billed by the call but one Query.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fastscaler.errors import AwsError, NotFound
from fastscaler.scaling import step_scaling, target_tracking
from fastscaler.scaling.memory import Change, Memory
from fastscaler.scaling.observation import Floor, Pause, ServiceState
from fastscaler.scaling.policy import Document, Service, StepScalingPolicy

if TYPE_CHECKING:
    from fastscaler.aws.dynamodb import Takeover
    from fastscaler.aws.function_log import Record

LOG_WINDOW = 180.0  # Seconds of log that are read: two summaries, though one is late.
SILENT = 130.0  # Seconds without a sign of the loop: it sums up once a minute, and logs take seconds to be readable.


@dataclass(frozen=True, slots=True)
class Said:
    """What the log says of one service: `loads` by metric; `reason`, of `reason_at` (epoch seconds)."""

    reason_at: float = 0.0
    loads: Mapping[str, float] = field(default_factory=dict)
    data_age: float | None = None
    cause: str = ""
    reason: str = ""
    error: str = ""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the log of the last minutes says. `last_look`: the loop's last sign of life; None where there was none."""

    last_look: float | None = None
    services: Mapping[str, Said] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service. Counts are tasks, None where ECS did not tell, for which `error` says why.

    `load`: what the metric nearest to its threshold shows, of one task where tasks share the load. `threshold`: above
    it a policy adds tasks. `data_age`: seconds since the end of the newest bucket. `cause` and `reason`: why the count
    is what it is now, empty where it is steady. `change`: the last one.
    """

    service: str
    mode: str
    min_capacity: int
    max_capacity: int
    desired: int | None = None
    running: int | None = None
    load: float | None = None
    load_metric: str = ""
    threshold: float | None = None
    data_age: float | None = None
    floors: tuple[Floor, ...] = ()
    pauses: tuple[Pause, ...] = ()
    cause: str = ""
    reason: str = ""
    change: Change | None = None
    notes: tuple[str, ...] = ()
    error: str = ""

    @property
    def in_flight(self) -> int:
        """Tasks that were asked for and do not run yet."""
        return max(0, (self.desired or 0) - (self.running or 0))

    @property
    def needs_attention(self) -> bool:
        """Whether it is anything but steady and free to move."""
        return bool(self.error or self.notes or self.pauses or self.in_flight or self.cause not in ("", "steady"))


@dataclass(frozen=True, slots=True)
class Status:
    """The whole stack at `at`. `last_look`: epoch seconds; None where the log of `LOG_WINDOW` says nothing of it.

    `log_error`: why the log could not be read now; load and reasons are those heard before, or missing. `counts_error`:
    why ECS does not tell the counts of services that it may have.
    """

    stack: str
    at: float
    epoch: int
    last_look: float | None
    log_error: AwsError | None
    services: tuple[ServiceStatus, ...]
    counts_error: AwsError | None = None

    @property
    def silent(self) -> bool:
        """Whether the loop has given no sign for so long that it may have stopped."""
        return not self.log_error and (self.last_look is None or self.at - self.last_look > SILENT)


def heard(records: "Iterable[Record]", before: Heard | None = None) -> Heard:
    """What `records`, oldest first, add to what was heard before."""
    last_look = before.last_look if before else None
    services = dict(before.services) if before else {}
    for record in records:
        fields, name = record.fields, record.fields.get("service")
        at = _at(record)
        # An observation starts as epoch 0.
        begun = record.message == "started" and fields.get("epoch")
        if begun or "Looks" in fields or record.message in ("decision", "tick", "summary"):
            last_look = max(last_look or 0.0, at)
        if record.message == "summary":
            for key, brief in fields.get("services", {}).items():
                said = services.get(key, Said())
                services[key] = replace(
                    said, reason_at=at, cause=brief.get("cause", ""), reason=brief.get("reason", "")
                )
            listed = fields.get("services", {}).keys()
            services.update(
                {key: replace(said, cause="", reason="") for key, said in services.items() if key not in listed}
            )
        elif isinstance(name, str) and "/" in name:
            services[name] = _hear(services.get(name, Said()), record, at)
    return Heard(last_look, services)


def _hear(said: Said, record: "Record", at: float) -> Said:
    fields = record.fields
    if record.message == "decision":
        said = replace(said, reason_at=at, cause=fields.get("cause", ""), reason=fields.get("reason", ""))
        said = replace(said, loads=fields.get("load") or said.loads)
        if fields["to"] != fields["from"]:
            change = Change(at, fields["from"], fields["to"], said.cause, said.reason, refused=not fields["applied"])
            said = replace(said, change=change)
    elif "ServiceErrors" in fields:
        said = replace(
            said,
            loads=fields.get("Load", {}),
            data_age=_first(fields.get("DataAge")),
            error=said.error if _first(fields["ServiceErrors"]) else "",
        )
    elif "error" in fields:
        said = replace(said, error=str(fields["error"]))
    return said


def _at(record: "Record") -> float:
    """When it happened, by the function's own clock where it says so."""
    stamp = record.fields.get("_aws", {}).get("Timestamp")
    if stamp:
        return float(stamp) / 1000
    return float(record.fields.get("now", record.at))


def _first(values: Any) -> float | None:
    return float(values[0]) if values else None


def status(
    stack: str,
    document: Document,
    stored: "Takeover",
    states: Mapping[str, ServiceState | AwsError],
    told: Heard,
    log_error: AwsError | None,
    now: float,
) -> Status:
    """The status at `now` (epoch seconds) of every service of `document`."""
    services = [
        _service_status(
            document,
            service,
            stored.memories.get(service.key) or Memory(),
            [one for one in stored.directives if one.service == service.key and one.expires_at > now],
            states[service.key],
            told.services.get(service.key) or Said(),
        )
        for service in document.services
    ]
    failed = [one for one in states.values() if isinstance(one, AwsError) and not isinstance(one, NotFound)]
    counts_error = failed[0] if failed else None
    return Status(stack, now, stored.epoch, told.last_look, log_error, tuple(services), counts_error)


def _service_status(
    document: Document,
    service: Service,
    memory: Memory,
    directives: "Sequence[Floor | Pause]",
    state: ServiceState | AwsError,
    said: Said,
) -> ServiceStatus:
    observes = document.observes(service)
    known = state if isinstance(state, ServiceState) else None
    # The table has what was called; what a service in observe mode would have had called is in the log only.
    change = said.change if observes else memory.change
    if change is not None and change.at > said.reason_at:
        said = replace(said, cause="", reason="")  # The log is behind: this was before the last change.
    metric = _hottest(service, said.loads)
    return ServiceStatus(
        service=service.key,
        mode="observe" if observes else "active",
        min_capacity=service.min_capacity,
        max_capacity=service.max_capacity,
        desired=known.desired if known else None,
        running=known.running if known else None,
        load=said.loads.get(metric),
        load_metric=metric,
        threshold=scale_out_threshold(service, metric),
        data_age=said.data_age,
        floors=tuple(one for one in directives if isinstance(one, Floor)),
        pauses=tuple(one for one in directives if isinstance(one, Pause)),
        cause=said.cause,
        reason=said.reason,
        change=change,
        notes=tuple(_notes(memory, known, said)),
        error=_unknown(state) if isinstance(state, AwsError) else "",
    )


def _unknown(error: AwsError) -> str:
    """Why a service's counts are not known; the stack's status has the whole of it, which is the same for many."""
    if isinstance(error, NotFound):
        return f"there is no such {'cluster' if error.code == 'ClusterNotFoundException' else 'service'} in ECS"
    return f"counts not known ({error.operation}: {error.code})"


def _notes(memory: Memory, state: ServiceState | None, said: Said) -> Iterable[str]:
    """What else stands in the way of scaling, or soon may."""
    if state is not None and state.status != "ACTIVE":
        yield f"the service is {state.status}"
    if state is not None and state.deployment_in_progress:
        yield "a deployment is in progress: no scale-in"
    if memory.conflict:
        yield f"Application Auto Scaling acts on it too ({memory.conflict})"
    if memory.launch is not None and memory.launch.failed:
        yield f"{memory.launch.failed} tasks failed to start: {memory.launch.reason}"
    if said.error:
        yield f"calls fail: {said.error}"


def _hottest(service: Service, loads: Mapping[str, float]) -> str:
    """The metric that is nearest to where it scales out, or furthest above; empty where no load is known."""
    thresholds = {key: scale_out_threshold(service, key) for key in loads}
    return max(loads, key=lambda key: loads[key] / (thresholds[key] or float("inf")), default="")


def scale_out_threshold(service: Service, metric: str) -> float | None:
    """The lowest load per task of `metric` above which a policy adds tasks; None where none looks at it."""
    found = [
        step_scaling.scale_out_threshold(policy)
        if isinstance(policy, StepScalingPolicy)
        else target_tracking.scale_out_threshold(policy)
        for policy in service.policies
        if policy.metric == metric
    ]
    return min((threshold for threshold in found if threshold is not None), default=None)
