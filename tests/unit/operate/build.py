"""Statuses and their parts, as the tests of the operator's commands need them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from fastscaler.aws.dynamodb import Takeover
from fastscaler.aws.function_log import Record
from fastscaler.errors import AwsError, NotFound
from fastscaler.scaling.memory import Change, Memory
from fastscaler.scaling.observation import Floor, Pause, ServiceState

NOW = 1_800_000_000.0  # 2027-01-15 08:00 UTC.
WEB, API, JOBS = "shop/web", "shop/api", "shop/jobs"
BUSY = "requests-per-task: 180 per task against 100, needs 8"


def block(key: str, **keys: object) -> dict[str, Any]:
    """A service of the policy document: scales out above 110 requests/s per task."""
    cluster, service = key.split("/")
    metric = {
        "Namespace": "FastScaling/Application",
        "MetricName": "RequestsPerSecond",
        "PerTask": True,
        "Dimensions": {"Cluster": cluster, "Service": service},
    }
    policy = {
        "Name": "requests-per-task",
        "PolicyType": "TargetTracking",
        "Metric": "RequestsPerSecond",
        "TargetValue": 100,
    }
    found: dict[str, Any] = {
        "Cluster": cluster,
        "Service": service,
        "MinCapacity": 2,
        "MaxCapacity": 100,
        "Metrics": {"RequestsPerSecond": metric},
        "Policies": [policy],
    }
    return found | keys


def metrics(key: str, at: float, load: float | None, *, errors: int = 0, age: float = 3.0) -> Record:
    """The metrics of a service as the loop logs them each minute."""
    values = {} if load is None else {"Load": {"RequestsPerSecond": load}}
    fields = {"_aws": {"Timestamp": int(at * 1000)}, "service": key, "ServiceErrors": [errors], "DataAge": [age]}
    return Record(at + 1, {**fields, **values})


def decision(key: str, at: float, before: int, after: int, **keys: object) -> Record:
    """A decision as the loop logs it."""
    fields = {
        "message": "decision",
        "service": key,
        "from": before,
        "to": after,
        "applied": True,
        "cause": "requests-per-task",
        "reason": BUSY,
        "load": {"RequestsPerSecond": 180.0},
        "now": at,
    }
    return Record(at + 1, fields | keys)


def summary(at: float, **services: dict[str, Any]) -> Record:
    """The loop's summary; services are named with `_` for `/`."""
    named = {key.replace("_", "/"): brief for key, brief in services.items()}
    return Record(at, {"message": "summary", "services": named})


@dataclass
class FakeTable:
    """The state table's reading side."""

    document: str | None
    stored: Takeover
    error: AwsError | None = None

    def read_all(self) -> Takeover:
        if self.error is not None:
            raise self.error
        return self.stored

    def load_document(self) -> str | None:
        return self.document


@dataclass
class FakeEcs:
    """The port `ServiceApi`, of which a status only reads."""

    states: dict[str, ServiceState | AwsError]

    def describe(self, services: Sequence[str]) -> dict[str, ServiceState | AwsError]:
        return {key: self.states.get(key) or NotFound("DescribeServices", "MISSING", f"no {key}") for key in services}

    def update(self, service: str, desired: int) -> None:
        raise AssertionError("a status changes nothing")


@dataclass
class FakeLog:
    """The scaler's log."""

    records: list[Record]
    error: AwsError | None = None
    asked: list[float] = field(default_factory=list)

    def read(self, since: float) -> list[Record]:
        self.asked.append(since)
        if self.error is not None:
            raise self.error
        return [record for record in self.records if record.at >= since]


@dataclass
class FakeClock:
    """Sleeping takes no time; `on_sleep` is told what time it is then."""

    time: float = NOW
    on_sleep: Callable[[float], None] = lambda now: None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)
        self.on_sleep(self.time)


class Account:
    """A deployed stack with services, as `StatusReader` reads it."""

    name = "fastscaler"

    def __init__(self, *keys: str, **changes: object) -> None:
        document = {"Services": [block(key, **changes) for key in keys]}
        self.table = FakeTable(yaml.safe_dump(document), Takeover(4711, (), {key: Memory(desired=4) for key in keys}))
        self.ecs = FakeEcs({key: ServiceState(4, 4) for key in keys})
        alive = Record(NOW - 3, {"_aws": {"Timestamp": int((NOW - 4) * 1000)}, "Looks": [12], "service": "fastscaler"})
        self.log = FakeLog([*(metrics(key, NOW - 4, 62.1) for key in keys), alive])

    def remember(self, key: str, **keys: Any) -> None:
        """Changes what the loop remembers of a service."""
        stored = self.table.stored
        self.table.stored = replace(stored, memories={**stored.memories, key: replace(stored.memories[key], **keys)})

    def direct(self, *directives: Floor | Pause) -> None:
        stored = self.table.stored
        self.table.stored = replace(stored, directives=(*stored.directives, *directives))


def a_busy_shop() -> Account:
    """Three services: one in the middle of a surge, one pre-warmed and calm, one that is paused and in trouble."""
    shop = Account(WEB, API, JOBS)
    shop.ecs.states[WEB] = ServiceState(9, 4, pending=5)
    shop.remember(WEB, desired=9, change=Change(NOW - 12, 4, 9, "requests-per-task", BUSY))
    shop.direct(Floor(API, "sale-opening", 4, NOW + 4500, "sale opens at 10:00"))
    shop.remember(API, change=Change(NOW - 7300, 2, 4, "pre-warm floor", "floor of sale-opening (sale opens at 10:00)"))
    shop.direct(Pause(JOBS, "ScaleOut", float("inf"), "incident"), Pause(JOBS, "ScaleIn", NOW + 1800, "incident"))
    shop.remember(JOBS, conflict="scale-out, scale-in")
    shop.ecs.states[JOBS] = ServiceState(40, 40)
    hold = "RequestsPerSecond: no data (stale)"
    shop.log.records += [
        decision(WEB, NOW - 12, 4, 9),
        metrics(JOBS, NOW - 4, None),
        summary(NOW - 4, shop_jobs={"cause": "no data", "reason": hold}),
    ]
    return shop
