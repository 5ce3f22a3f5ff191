"""Several real loops against one table, in real time: exactly one decides, and there is no gap between two of them."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from queue import Empty
from typing import Any

import boto3
import pytest
from botocore.config import Config

from demo.account import CLUSTER, SERVICE, TABLE, Account
from demo.lambdas import Lambdas
from demo.local_aws import LocalAws
from fastscaler import loop
from fastscaler.aws.autoscaling import ApplicationAutoScaling
from fastscaler.aws.calls import READ, WRITE
from fastscaler.aws.cloudwatch import CloudWatch
from fastscaler.aws.dynamodb import Table
from fastscaler.aws.ecs import Ecs
from fastscaler.aws.elbv2 import TargetGroups
from fastscaler.aws.stopped_tasks import EcsStoppedTasks
from fastscaler.clock import SystemClock
from fastscaler.document.parse import parse_document
from fastscaler.errors import AwsError
from fastscaler.look import Look
from fastscaler.loop import Ending, World
from fastscaler.pace import Pace
from fastscaler.scaling.memory import Memory
from tests.integration.shop import policies, publish, sdk_of

REPOSITORY = Path(__file__).parents[2]
SCALER = REPOSITORY / "functions" / "scaler"
TICK = json.loads((REPOSITORY / "events" / "scheduled_tick.json").read_text())
KEY = f"{CLUSTER}/{SERVICE}"
LONGEST_GAP = 7.5  # Seconds between two looks, whoever looks: a bucket of 5 s, and the delay after its end.


@pytest.fixture(scope="module")
def shared_aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture
def aws(shared_aws: LocalAws) -> Iterator[LocalAws]:
    shared_aws.reset()
    with sdk_of(shared_aws):
        yield shared_aws
    shared_aws.clear()


@pytest.fixture
def account(aws: LocalAws) -> Account:
    account = Account(aws)
    account.create_table()
    account.create_service(CLUSTER, SERVICE, desired=4)
    return account


def publish_load(account: Account, requests_per_second: float) -> None:
    now = time.time()
    publish(account, lambda at: requests_per_second, tasks=4, start=now - 60, end=now + 60)


def wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


@dataclass
class Recorder:
    """The port `Report`: the epoch, and when the loop looked."""

    epoch: int = 0
    looks: list[float] = field(default_factory=list)
    ending: Ending | None = None

    def started(self, epoch: int, services: int) -> None:
        self.epoch = epoch

    def looked(self, look: Look) -> None:
        self.looks.append(look.at)

    def failed(self, doing: str, error: AwsError) -> None:
        raise error

    def ended(self, epoch: int, why: Ending) -> None:
        self.ending = why


class StallingTable(Table):
    """A table whose writer stalls with its decision made, before it writes it."""

    def __init__(self, table: Table) -> None:
        super().__init__(table._client, table._name)
        self.stalled, self.go_on = threading.Event(), threading.Event()

    def save(self, epoch: int, memories: Mapping[str, Memory]) -> None:
        self.stalled.set()
        assert self.go_on.wait(20)
        super().save(epoch, memories)


class Loop:
    """One loop in a thread, with clients of its own that the stand-in's call log knows by `name`."""

    def __init__(self, name: str, seconds: float, *, stalls: bool = False) -> None:
        self.name, self.report = name, Recorder()
        appid: dict[str, Any] = {"user_agent_appid": name}
        read, write = READ.merge(Config(**appid)), WRITE.merge(Config(**appid))
        self.table = Table(boto3.client("dynamodb", config=read), TABLE)
        if stalls:
            self.table = StallingTable(self.table)
        world = World(
            self.table,
            CloudWatch(boto3.client("cloudwatch", config=read)),
            Ecs(boto3.client("ecs", config=read), boto3.client("ecs", config=write)),
            EcsStoppedTasks(),
            ApplicationAutoScaling(),
            TargetGroups(),
            SystemClock(),
            self.report,
        )
        services = parse_document(policies(), "test").services
        deadline = time.time() + seconds + loop.MARGIN
        self.thread = threading.Thread(target=loop.run, args=(services, world, Pace(), deadline))


def test_of_many_loops_exactly_one_decides_and_a_stalled_one_is_refused(aws: LocalAws, account: Account) -> None:
    publish_load(account, 1200.0)
    stalled = Loop("stalled", 30, stalls=True)
    assert isinstance(stalled.table, StallingTable)
    stalled.thread.start()
    assert stalled.table.stalled.wait(5)
    rivals = [Loop(f"rival-{n}", 6.5) for n in range(5)]
    for rival in rivals:
        rival.thread.start()
    wait_for(lambda: bool(aws.fleet(CLUSTER, SERVICE).changes))
    stalled.table.go_on.set()
    for one in [stalled, *rivals]:
        one.thread.join(20)
    newest = max(rivals, key=lambda rival: rival.report.epoch)
    assert newest.report.epoch == 6
    assert newest.report.ending == "deadline"
    assert {one.report.ending for one in [stalled, *rivals] if one is not newest} == {"superseded"}
    assert [change.after for change in aws.fleet(CLUSTER, SERVICE).changes] == [12]
    assert aws.calls.counts(stalled.name).get("UpdateService", 0) == 0
    # Whoever was overtaken while it decided was refused, or had decided before: nobody looked after a newer one.
    ordered = sorted((rival for rival in rivals if rival.report.looks), key=lambda rival: rival.report.epoch)
    for earlier, later in pairwise(ordered):
        assert earlier.report.looks[-1] <= later.report.looks[0]


@dataclass
class Beat:
    """One invocation as a process, and what it logged."""

    looks: list[float] = field(default_factory=list)
    epoch: int = 0
    ending: str = ""


@pytest.fixture
def lambdas(aws: LocalAws, tmp_path: Path) -> Iterator[Lambdas]:
    path = tmp_path / "policies.json"
    path.write_text(policies())
    environment = aws.environment | {
        "TABLE_NAME": TABLE,
        "POLICIES_FILE": str(path),
        "POWERTOOLS_SERVICE_NAME": "fastscaler",
        "POWERTOOLS_METRICS_NAMESPACE": "FastScaler",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    with Lambdas(environment) as lambdas:
        yield lambdas


def beats(lambdas: Lambdas) -> list[Beat]:
    """What every invocation has logged so far, in the order in which they took over."""
    found: dict[int, Beat] = {}
    while True:
        try:
            line = lambdas.lines.get_nowait()
        except Empty:
            return sorted((beat for beat in found.values() if beat.epoch), key=lambda beat: beat.epoch)
        beat = found.setdefault(line.invocation.number, Beat())
        match line.record.get("message"):
            case "started":
                beat.epoch = line.record["epoch"]
            case "tick":
                beat.looks.append(line.record["now"])
            case "ended":
                beat.ending = line.record["why"]


def test_invocations_hand_over_without_a_gap(aws: LocalAws, account: Account, lambdas: Lambdas) -> None:
    """As EventBridge may send them: a beat, another one, and two at once."""
    publish_load(account, 240.0)
    lambdas.invoke(SCALER, TICK)
    wait_for(lambda: Table(account.dynamodb, TABLE).poll().epoch == 1)
    time.sleep(1)
    for number in range(3):
        lambdas.invoke(SCALER, TICK)
        time.sleep(3 if number == 0 else 0)
    wait_for(lambda: sum(invocation.running for invocation in lambdas.invocations) == 1)
    time.sleep(0.5)
    found = beats(lambdas)
    assert [beat.epoch for beat in found] == [1, 2, 3, 4]
    assert [beat.ending for beat in found] == ["superseded"] * 3 + [""]
    looks = [at for beat in found for at in beat.looks]
    assert looks == sorted(looks), "a predecessor looked after its successor"
    assert max(later - earlier for earlier, later in pairwise(looks)) <= LONGEST_GAP
    assert aws.fleet(CLUSTER, SERVICE).changes == []


def test_killed_between_its_write_and_its_call_the_successor_decides_anew(
    aws: LocalAws, account: Account, lambdas: Lambdas
) -> None:
    table = Table(account.dynamodb, TABLE)
    publish_load(account, 1200.0)
    aws.delay("TransactWriteItems", 5, when="after", times=1)  # Written; the answer is on its way for ever.
    killed = lambdas.invoke(SCALER, TICK)
    wait_for(lambda: any(memory.intent is not None for memory in table.read_all().memories.values()))
    killed.process.kill()
    killed.process.wait()
    killed_at = time.time()
    assert "UpdateService" not in aws.calls.counts()
    lambdas.invoke(SCALER, TICK)
    wait_for(lambda: table.read_all().memories[KEY].desired == 12)
    (change,) = aws.fleet(CLUSTER, SERVICE).changes
    assert change.after == 12
    assert change.at - killed_at <= 10, "the start of a process included"
