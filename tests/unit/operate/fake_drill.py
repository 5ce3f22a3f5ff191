"""An account in which a drill can run, in no time: CloudWatch, the two functions, and the scaler's log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.aws.dynamodb import Head
from fastscaler.aws.function_log import Record
from fastscaler.document.parse import parse_document
from fastscaler.drill.plan import REST, SETTLE, SURGE, Plan, make_plan
from fastscaler.drill.world import World
from fastscaler.errors import AwsError, FunctionFailed
from fastscaler.scaling.observation import Datapoint, Floor, Pause, ServiceState
from fastscaler.scaling.policy import Document
from tests.unit.operate.build import NOW, WEB, FakeClock, FakeEcs

NAMESPACE = "FastScaling/Application"
ASKED = "requests-per-task: 330 per task against 100, needs 14"
DELAY = 2.0  # Seconds from a bucket's end until CloudWatch shows it.


@dataclass
class FakeJob:
    """Ends when its time has come."""

    clock: FakeClock
    ends: float
    answer: Callable[[], Any]

    def done(self) -> bool:
        return self.clock.now() >= self.ends

    def result(self) -> Any:
        return self.answer()


@dataclass
class FakeAccount:
    """Time begins at NOW, a bucket boundary; the load begins 5 s later.

    `answer`: seconds from the surge to the scaler's answer; None: never.
    `healthy_after`: seconds from UpdateService to healthy tasks; None: never.
    """

    plan: Plan
    answer: float | None = 7.0
    healthy_after: float | None = 40.0
    clock: FakeClock = field(default_factory=FakeClock)
    said: list[str] = field(default_factory=list)
    started: list[Mapping[str, Any]] = field(default_factory=list)
    invoked: list[Mapping[str, Any]] = field(default_factory=list)
    ahead: float = 0.0  # Seconds by which the drill's clock is ahead of AWS's.
    metric_error: AwsError | None = None
    load_error: AwsError | FunctionFailed | None = None
    rehearsal_error: AwsError | None = None
    start_error: AwsError | None = None
    seen: bool = True  # Whether the load begins at all.
    stuck: bool = False  # The load never goes to rest.
    reads: int = 0

    @property
    def origin(self) -> float:
        """When the load begins, by AWS's clock."""
        return NOW + 5

    @property
    def surge(self) -> float:
        return self.origin + SETTLE

    @property
    def aws_time(self) -> float:
        return self.clock.now() - self.ahead

    def world(self) -> World:
        self.clock.time = NOW + self.ahead
        return World(
            functions=self,
            scaler="scaler",
            synthetic="synthetic",
            metrics=self,
            ecs=FakeEcs({WEB: ServiceState(14, 4)}),
            log=FakeScalerLog(self),
            table=self,
            clock=self.clock,
            say=self.said.append,
            begin=self.begin,
        )

    # The functions

    def begin(self, call: Callable[[], Any]) -> FakeJob:
        before = len(self.invoked)
        answer = call()
        load = "Profile" in self.invoked[before]
        ends = self.origin + self.plan.seconds + 0.3
        if not load:
            ends = self.surge + (self.answer or SURGE) + 0.1
        error = self.load_error if load else self.rehearsal_error

        def result() -> Any:
            if error is not None:
                raise error
            return answer

        return FakeJob(self.clock, (NOW + 2 if error else ends) + self.ahead, result)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        self.invoked.append(event)
        if "Profile" in event:
            last = self.origin + self.plan.seconds - 5
            return {"surge_at": self.surge, "surge_published_at": self.surge + 5.2, "last_bucket": last}
        last_look = {"reason": "no data (no datapoints)"}
        if self.answer is None:
            return {"scale_out": None, "last": last_look}
        at = self.surge + self.answer
        found = {"from": 4, "to": 14, "reason": ASKED, "bucket_end": self.surge + 5, "read": at - 0.1, "decided": at}
        return {"scale_out": found, "last": last_look}

    def start(self, function: str, event: Mapping[str, Any]) -> None:
        if self.start_error is not None:
            raise self.start_error
        self.started.append(event)

    # CloudWatch

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        self.reads += 1
        (read,) = reads
        assert read.metric == self.plan.metric
        return {read.name: self.metric_error or self.datapoints()}

    def datapoints(self) -> list[Datapoint]:
        if not self.seen:
            return []
        ends = range(int(self.origin) + 5, int(self.origin) + self.plan.seconds + 1, 5)
        return [Datapoint(end - 5, self.load(end - 5), 4) for end in ends if end + DELAY <= self.aws_time]

    def load(self, at: float) -> float:
        rests = at >= self.origin + self.plan.seconds - REST and not self.stuck
        return self.plan.base if at < self.surge or rests else self.plan.peak

    # DynamoDB

    def poll(self) -> Head:
        return Head(1, (), float(int(self.aws_time)))


@dataclass
class FakeScalerLog:
    """What the scaler has logged by now of its answer to the surge."""

    account: FakeAccount

    def read(self, since: float) -> list[Record]:
        account = self.account
        if account.answer is None:
            return []
        decided = account.surge + account.answer
        if not account.plan.live:
            if account.aws_time < decided + 5:
                return []
            answered = {"from": 4, "to": 14, "reason": ASKED, "read": decided - 0.1, "decided": decided}
            return [Record(decided, {"message": "rehearsal", "service": WEB, "scale_out": answered, "last": {}})]
        times: dict[str, float] = {"read": decided - 0.1, "decided": decided, "updated": decided + 0.3}
        if account.healthy_after is not None:
            times["running"] = times["updated"] + account.healthy_after - 5
            times["healthy"] = times["updated"] + account.healthy_after
        now = account.aws_time
        known = {name: at for name, at in times.items() if at <= now}
        if "updated" not in known:
            return []
        counts = {"service": WEB, "from": 4, "to": 14}
        decision = {"message": "decision", **counts, "reason": ASKED, "now": decided - 0.1}
        floor = {"message": "ledger", **counts, "bucket_end": None, "decided": account.surge + 1}
        ledger = {"message": "ledger", **counts, "bucket_end": account.surge + 5, **known}
        return [Record(now, fields) for fields in (floor, decision, ledger)]


def plan(
    document: Document,
    *,
    live: bool = False,
    profile: str = "spike",
    peak: str = "5x",
    base: float | None = None,
    state: ServiceState | None = None,
    directives: Sequence[Floor | Pause] = (),
    namespace: str = NAMESPACE,
) -> Plan:
    """The drill of the first service of `document`, which runs four tasks unless told otherwise."""
    return make_plan(
        document,
        document.services[0],
        state or ServiceState(4, 4, target_groups=("arn",)),
        directives,
        namespace,
        NOW,
        live=live,
        profile=profile,
        peak=peak,
        base=base,
    )


def document_of(text: str | None) -> Document:
    return parse_document(str(text), "policies.yaml")
