"""The adapters of the loop's ports, through boto3 and HTTP against the stand-in for AWS.

Where the stand-in lacks what AWS has (paging of GetMetricData, results that failed singly), botocore's Stubber answers.
"""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from random import Random
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from demo.account import CLUSTER, SERVICE, TABLE, Account
from demo.local_aws import LocalAws
from fastscaler.aws.calls import READ
from fastscaler.aws.cloudwatch import CloudWatch, MetricRead
from fastscaler.aws.dynamodb import Table
from fastscaler.aws.ecs import Ecs
from fastscaler.aws.elbv2 import TargetGroups
from fastscaler.errors import AccessDenied, AwsError, NotFound, Rejected, Superseded, Throttled, Unavailable
from fastscaler.scaling.memory import Activity, Ledger, Memory
from fastscaler.scaling.metric import Metric, MetricExpression
from fastscaler.scaling.observation import Datapoint, Floor, Pause, ServiceState
from tests.integration.shop import NAMESPACE, datum, sdk_of

KEY = f"{CLUSTER}/{SERVICE}"


class Time:
    """The stand-in's time: the real one, and what a test lets pass at once."""

    passed = 0.0

    def now(self) -> float:
        return time.time() + self.passed


@pytest.fixture(scope="module")
def stand_in_time() -> Time:
    return Time()


@pytest.fixture(scope="module")
def shared_aws(stand_in_time: Time) -> Iterator[LocalAws]:
    with LocalAws(start_seconds=1000, health_seconds=1000, clock=stand_in_time.now) as aws:
        yield aws


@pytest.fixture
def aws(shared_aws: LocalAws, stand_in_time: Time) -> Iterator[LocalAws]:
    shared_aws.reset()
    stand_in_time.passed = 0.0
    with sdk_of(shared_aws):
        yield shared_aws


@pytest.fixture
def account(aws: LocalAws) -> Account:
    """An account with nothing in it but the table."""
    account = Account(aws)
    account.create_table()
    aws.calls.reset()
    return account


@pytest.fixture
def running(aws: LocalAws, account: Account) -> Account:
    """The same with a service of four running tasks."""
    account.create_service(CLUSTER, SERVICE, desired=4)
    aws.calls.reset()
    return account


@pytest.fixture
def balanced(account: Account) -> Account:
    """The same with a service of four running tasks behind a load balancer."""
    account.create_service(CLUSTER, SERVICE, desired=4, target_group_arn=account.create_load_balancer())
    return account


def metric(name: str = "RequestsPerSecond", service: str = SERVICE, **keys: object) -> Metric:
    dimensions = {"Cluster": CLUSTER, "Service": service}
    return Metric.model_validate({"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions} | keys)


def per_task(service: str = SERVICE, key: str = "Load") -> MetricRead:
    return MetricRead(f"{CLUSTER}/{service}", key, metric(service=service, PerTask=True))


def put(account: Account, *data: Any) -> None:
    account.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)


class TestCloudWatch:
    def test_a_per_task_metric_is_its_sum_and_the_number_of_its_samples(self, account: Account) -> None:
        now = time.time()
        bucket = now // 5 * 5 - 10
        put(account, datum(bucket, [100.0, 120.0, 140.0]), datum(bucket + 5, [90.0]))
        read = per_task()
        found = CloudWatch.connect().read([read], now)[read.name]
        assert not isinstance(found, AwsError)
        assert set(found) == {Datapoint(bucket, 360.0, 3.0), Datapoint(bucket + 5, 90.0, 1.0)}

    def test_another_metric_is_its_statistic(self, account: Account) -> None:
        now = time.time()
        bucket = now // 10 * 10 - 20
        put(account, datum(bucket, [1.0, 2.0, 3.0, 40.0]))
        reads = [
            MetricRead(KEY, statistic, metric(Statistic=statistic, Period=10))
            for statistic in ("Average", "Maximum", "p50", "p99.9")
        ]
        found = CloudWatch.connect().read(reads, now)
        values = {"Average": 11.5, "Maximum": 40.0, "p50": 2.0, "p99.9": 40.0}
        assert found == {read.name: [Datapoint(bucket, values[read.key])] for read in reads}

    def test_what_was_never_published_has_no_datapoints(self, account: Account) -> None:
        read = per_task("nobody")
        assert CloudWatch.connect().read([read], time.time()) == {read.name: []}

    def test_three_hundred_per_task_metrics_are_two_calls_and_billed_once_each(
        self, aws: LocalAws, account: Account
    ) -> None:
        """600 queries, of which a call takes 500; Sum and SampleCount of one metric count as one."""
        now = time.time()
        bucket = now // 5 * 5 - 10
        put(account, *(datum(bucket, [float(n)], f"service-{n}") for n in range(300)))
        reads = [per_task(f"service-{n}") for n in range(300)]
        found = CloudWatch.connect().read(reads, now)
        assert [found[read.name] for read in reads] == [[Datapoint(bucket, float(n), 1.0)] for n in range(300)]
        assert aws.calls.counts()["GetMetricData"] == 2
        assert aws.calls.billed_metrics == 300

    def test_metric_math_asks_for_its_components_and_for_one_answer(self) -> None:
        """The stand-in knows no metric math; the request is checked against the service's own model."""
        client = boto3.client("cloudwatch", region_name="us-east-1", config=READ)
        at = 1_800_000_000
        components = {
            "Visible": metric("Visible", Period=60),
            "InFlight": metric("InFlight", Period=60, Statistic="Maximum"),
        }
        backlog = MetricExpression.model_validate({"Expression": "MAX([Visible, 2 * InFlight])", "Period": 60})
        read = MetricRead(KEY, "Backlog", backlog, 300, components)

        def component(query: str, name: str, statistic: str) -> dict[str, Any]:
            dimensions = [{"Name": "Cluster", "Value": CLUSTER}, {"Name": "Service", "Value": SERVICE}]
            of = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
            return {"Id": query, "MetricStat": {"Metric": of, "Period": 60, "Stat": statistic}, "ReturnData": False}

        queries = [
            component("m0_c0", "Visible", "Average"),
            component("m0_c1", "InFlight", "Maximum"),
            {"Id": "m0_expression", "Expression": "MAX([m0_c0, 2 * m0_c1])", "Period": 60, "ReturnData": True},
        ]
        answer = {"Id": "m0_expression", "Timestamps": [datetime.fromtimestamp(at, UTC)], "Values": [70.0]}
        expected = {"MetricDataQueries": queries, "StartTime": ANY, "EndTime": ANY, "ScanBy": "TimestampDescending"}
        with Stubber(client) as stub:
            stub.add_response("get_metric_data", {"MetricDataResults": [answer]}, expected)
            assert CloudWatch(client).read([read], at + 90) == {read.name: [Datapoint(at, 70.0)]}

    def test_one_refused_query_does_not_hurt_other_services(self, aws: LocalAws, account: Account) -> None:
        now = time.time()
        bucket = now // 5 * 5 - 10
        put(account, *(datum(bucket, [1.0], f"service-{n}") for n in range(20)))
        reads = [per_task(f"service-{n}") for n in range(20)]
        aws.fail("GetMetricData", "ValidationError", containing="service-13")
        cloudwatch = CloudWatch.connect()
        found = cloudwatch.read(reads, now)
        refused = [read.service for read in reads if isinstance(found[read.name], AwsError)]
        assert refused == [f"{CLUSTER}/service-13"]
        aws.calls.reset()
        cloudwatch.read(reads, now)
        assert aws.calls.counts()["GetMetricData"] == 2, "it is read apart from then on"
        aws.clear()
        cloudwatch.read(reads, now)
        aws.calls.reset()
        assert not any(isinstance(answer, AwsError) for answer in cloudwatch.read(reads, now).values())
        assert aws.calls.counts()["GetMetricData"] == 1, "and with the others again once it is accepted"

    @pytest.mark.parametrize(
        ("code", "status", "error"),
        [("Throttling", 400, Throttled), ("InternalFailure", 500, Unavailable), ("AccessDenied", 403, AccessDenied)],
    )
    def test_a_call_that_fails_says_so_for_each_of_its_metrics(
        self, aws: LocalAws, account: Account, code: str, status: int, error: type[AwsError]
    ) -> None:
        aws.fail("GetMetricData", code, status=status)
        reads = [per_task("one"), per_task("two")]
        found = CloudWatch.connect().read(reads, time.time())
        assert [type(found[read.name]) for read in reads] == [error, error]

    def test_pages_are_put_together_and_a_result_that_failed_fails_alone(self) -> None:
        client = boto3.client("cloudwatch", region_name="us-east-1", config=READ)
        good, forbidden = per_task("good"), per_task("forbidden")
        at = 1_800_000_000

        def result(query: str, times: list[int], values: list[float], status: str = "Complete") -> dict[str, Any]:
            timestamps = [datetime.fromtimestamp(time, UTC) for time in times]
            return {"Id": query, "Timestamps": timestamps, "Values": values, "StatusCode": status}

        pages: list[dict[str, Any]] = [
            {
                "MetricDataResults": [
                    result("m0_Sum", [at], [300.0], "PartialData"),
                    result("m0_SampleCount", [at], [3.0], "PartialData"),
                    result("m1_Sum", [], [], "Forbidden"),
                ],
                "NextToken": "more",
            },
            {
                "MetricDataResults": [
                    result("m0_Sum", [at - 5], [200.0]),
                    result("m0_SampleCount", [at - 5], [2.0]),
                    result("m1_SampleCount", [], [], "Forbidden"),
                ]
            },
        ]
        queries = {"MetricDataQueries": ANY, "StartTime": ANY, "EndTime": ANY, "ScanBy": "TimestampDescending"}
        with Stubber(client) as stub:
            stub.add_response("get_metric_data", pages[0], queries)
            stub.add_response("get_metric_data", pages[1], queries | {"NextToken": "more"})
            found = CloudWatch(client).read([good, forbidden], at + 7)
        assert found[good.name] == [Datapoint(at, 300.0, 3.0), Datapoint(at - 5, 200.0, 2.0)]
        assert isinstance(found[forbidden.name], AccessDenied)


class TestEcs:
    def test_a_service_is_described(self, aws: LocalAws, balanced: Account) -> None:
        described = balanced.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
        (arn,), (primary,) = described["loadBalancers"], described["deployments"]
        ecs = Ecs.connect()
        state = ServiceState(4, 4, 0, target_groups=(arn["targetGroupArn"],), deployment=primary["id"])
        assert ecs.describe([KEY]) == {KEY: state}
        aws.fleet(CLUSTER, SERVICE).deploying = True
        ecs.update(KEY, 6)
        state = ecs.describe([KEY])[KEY]
        assert isinstance(state, ServiceState)
        assert (state.desired, state.running, state.pending, state.deployment_in_progress) == (6, 4, 2, True)

    def test_ten_services_of_a_cluster_are_one_call(self, aws: LocalAws, account: Account) -> None:
        keys = [f"{cluster}/service-{n}" for cluster in ("one", "two") for n in range(12)]
        for key in keys:
            account.create_service(*key.split("/"), desired=1)
        assert set(Ecs.connect().describe(keys)) == set(keys)
        assert aws.calls.counts()["DescribeServices"] == 4

    def test_a_service_that_does_not_exist_is_not_found_and_the_others_are(self, running: Account) -> None:
        found = Ecs.connect().describe([KEY, f"{CLUSTER}/gone", "gone/gone"])
        assert isinstance(found[KEY], ServiceState)
        assert isinstance(found[f"{CLUSTER}/gone"], NotFound)
        assert isinstance(found["gone/gone"], NotFound)

    def test_a_service_that_may_not_be_read_is_found_out_and_asked_for_apart(
        self, aws: LocalAws, account: Account
    ) -> None:
        keys = [f"{CLUSTER}/service-{n}" for n in range(10)]
        for key in keys:
            account.create_service(*key.split("/"), desired=1)
        aws.fail("DescribeServices", "AccessDeniedException", containing='"service-7"')
        ecs = Ecs.connect()
        assert [key for key, state in ecs.describe(keys).items() if isinstance(state, AccessDenied)] == [keys[7]]
        aws.calls.reset()
        assert sum(isinstance(state, ServiceState) for state in ecs.describe(keys).values()) == 9
        assert aws.calls.counts()["DescribeServices"] == 2
        aws.clear()
        ecs.describe(keys)
        aws.calls.reset()
        assert all(isinstance(state, ServiceState) for state in ecs.describe(keys).values())
        assert aws.calls.counts()["DescribeServices"] == 1

    @pytest.mark.parametrize(
        ("code", "status", "error"),
        [
            ("ThrottlingException", 400, Throttled),
            ("ServerException", 500, Unavailable),
            ("AccessDeniedException", 400, AccessDenied),
            ("ServiceNotActiveException", 400, NotFound),
            ("InvalidParameterException", 400, Rejected),
            ("SomethingNewException", 429, Throttled),
            ("SomethingNewException", 403, AccessDenied),
        ],
    )
    def test_an_update_is_tried_once_and_its_failure_has_a_kind(
        self, aws: LocalAws, running: Account, code: str, status: int, error: type[AwsError]
    ) -> None:
        aws.fail("UpdateService", code, status=status)
        with pytest.raises(error) as caught:
            Ecs.connect().update(KEY, 6)
        assert (type(caught.value), caught.value.code) == (error, code)
        assert aws.calls.counts()["UpdateService"] == 1
        assert aws.fleet(CLUSTER, SERVICE).desired == 4

    def test_nobody_there_is_no_answer(self, aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(Unavailable):
            Ecs.connect().update(KEY, 6)


def test_healthy_targets_are_those_of_every_target_group(balanced: Account, stand_in_time: Time) -> None:
    described = balanced.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    arn = described["loadBalancers"][0]["targetGroupArn"]
    targets = TargetGroups()
    assert targets.healthy([arn]) == 4
    Ecs.connect().update(KEY, 6)
    stand_in_time.passed += 1001
    assert targets.healthy([arn]) == 4, "two run and are not healthy yet"
    stand_in_time.passed += 1001
    assert targets.healthy([arn]) == 6
    with pytest.raises(NotFound):
        targets.healthy([arn, arn[:-4] + "0000"])


class TestFencing:
    @pytest.fixture
    def table(self, account: Account) -> Table:
        return Table.connect(TABLE)

    def test_what_is_written_is_what_a_successor_reads(self, table: Table) -> None:
        activity = Activity(1_800_000_000.25, 4, 8, "policy", 4, {"track": 4})
        window = ((1_800_000_000, 5), (1_800_000_030, 6))
        ledger = Ledger(4, 8, 1.0, 2.0, 3.0, 4.0)
        memory = Memory(8, activity, activities=(activity,), maxima=window, minima=window, ledgers=(ledger,))
        table.save(table.take_over(), {"a/b": memory, "a/c": Memory(2)})
        table.take_over()
        found = table.read_all()
        assert found.memories == {"a/b": memory, "a/c": Memory(2)}
        assert found.epoch == 2

    def test_of_two_writers_only_the_newer_one_writes(self, table: Table, account: Account) -> None:
        first, second = table, Table.connect(TABLE)
        mine = first.take_over()
        first.save(mine, {"a/b": Memory(4)})
        theirs = second.take_over()
        with pytest.raises(Superseded):
            first.save(mine, {"a/b": Memory(5)})
        with pytest.raises(Superseded):
            first.save_document(mine, "Services: []")
        second.save(theirs, {"a/b": Memory(6)})
        assert second.read_all().memories == {"a/b": Memory(6)}
        assert second.load_document() is None
        assert first.poll().epoch == theirs != mine

    def test_a_hundred_services_are_written_and_refused_as_one_is(self, table: Table) -> None:
        """A transaction takes 100 actions, so this is more than one."""
        epoch = table.take_over()
        memories = {f"a/service-{n}": Memory(n + 1) for n in range(150)}
        table.save(epoch, memories)
        assert table.read_all().memories == memories
        table.take_over()
        with pytest.raises(Superseded):
            table.save(epoch, dict.fromkeys(memories, Memory(99)))
        assert table.read_all().memories == memories

    def test_epochs_taken_at_the_same_moment_are_all_different(self, table: Table) -> None:
        with ThreadPoolExecutor(8) as pool:
            epochs = list(pool.map(lambda _: table.take_over(), range(24)))
        assert sorted(epochs) == list(range(1, 25))
        assert table.poll().epoch == 24

    def test_writers_that_race_leave_the_last_ones_memory(self, account: Account) -> None:
        """Eight loops take over and write at once: whoever's epoch is over is refused, and the last one never."""
        refused, last = [], []

        def write(number: int) -> None:
            table, random = Table.connect(TABLE), Random(number)
            for _ in range(5):
                epoch = table.take_over()
                time.sleep(random.random() * 0.02)
                try:
                    table.save(epoch, {"a/b": Memory(epoch)})
                    last.append(epoch)
                except Superseded:
                    refused.append(epoch)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) + len(last) == 40
        assert refused
        assert Table.connect(TABLE).read_all().memories == {"a/b": Memory(max(last))}
        assert max(last) == 40

    @pytest.mark.parametrize(
        ("operation", "code", "status", "error"),
        [
            ("TransactWriteItems", "ThrottlingException", 400, Throttled),
            ("TransactWriteItems", "InternalServerError", 500, Unavailable),
            ("TransactWriteItems", "AccessDeniedException", 400, AccessDenied),
            ("UpdateItem", "TransactionConflictException", 400, Throttled),
            ("Query", "ProvisionedThroughputExceededException", 400, Throttled),
        ],
    )
    def test_failures_have_a_kind(
        self, aws: LocalAws, table: Table, operation: str, code: str, status: int, error: type[AwsError]
    ) -> None:
        calls = {
            "TransactWriteItems": lambda: table.save(0, {"a/b": Memory(1)}),
            "UpdateItem": table.take_over,
            "Query": table.poll,
        }
        aws.fail(operation, code, status=status)
        with pytest.raises(error) as caught:
            calls[operation]()
        assert caught.value.code == code

    @pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
    def test_a_transaction_cancelled_because_the_table_is_busy_is_throttled(self, reason: str) -> None:
        client = boto3.client("dynamodb", region_name="us-east-1")
        with Stubber(client) as stub:
            stub.add_client_error(
                "transact_write_items",
                "TransactionCanceledException",
                http_status_code=400,
                modeled_fields={"CancellationReasons": [{"Code": "None"}, {"Code": reason}]},
            )
            with pytest.raises(Throttled) as caught:
                Table(client, TABLE).save(1, {"a/b": Memory(1)})
        assert caught.value.code == reason

    def test_memory_that_cannot_be_read_is_lost_memory(self, table: Table, account: Account) -> None:
        table.save(table.take_over(), {"a/b": Memory(4), "a/c": Memory(5)})
        for text in ("{", "[]", '{"format": 99}', '{"format": 1, "activities": [{"at": 1}]}'):
            item = {"pk": {"S": "loop"}, "sk": {"S": "memory#a/b"}, "state": {"S": text}}
            account.dynamodb.put_item(TableName=TABLE, Item=item)
            assert table.read_all().memories == {"a/c": Memory(5)}

    def test_more_directives_than_a_page_holds_are_all_read_and_so_is_the_epoch(
        self, table: Table, account: Account
    ) -> None:
        """A page of a Query is 1 MB, and the epoch sorts after the directives: missed, nobody could ever decide."""
        epoch = table.take_over()
        for n in range(12):
            item = {"pk": {"S": "loop"}, "sk": {"S": f"directive#a/b#prewarm#{n}"}, "body": {"S": "x" * 100_000}}
            account.dynamodb.put_item(TableName=TABLE, Item=item)
        assert table.poll().epoch == epoch
        assert table.read_all().epoch == epoch


class TestDirectiveStore:
    AT = 1_800_000_000.0
    FLOOR = Floor("a/b", "morning", 5, AT + 3600, "doors open")

    @pytest.fixture
    def table(self, account: Account) -> Table:
        return Table.connect(TABLE)

    def test_what_is_stored_is_what_the_loop_reads(self, table: Table) -> None:
        pause = Pause("a/b", "ScaleIn", inf, "load test")
        assert table.put_directive(self.FLOOR, self.AT, "1") is True
        assert table.put_directive(pause, self.AT, "2") is True
        assert set(table.poll().directives) == {self.FLOOR, pause}
        assert set(table.read_all().directives) == {self.FLOOR, pause}

    def test_a_newer_one_replaces_and_an_older_one_does_not(self, table: Table) -> None:
        newer = replace(self.FLOOR, min_capacity=9)
        assert table.put_directive(self.FLOOR, self.AT, "1") is True
        assert table.put_directive(newer, self.AT + 10, "2") is True
        assert table.put_directive(self.FLOOR, self.AT + 5, "3") is False
        assert table.poll().directives == (newer,)

    def test_the_same_request_again_changes_nothing_whatever_it_holds(self, table: Table) -> None:
        assert table.put_directive(self.FLOOR, self.AT, "1") is True
        assert table.put_directive(replace(self.FLOOR, min_capacity=9), self.AT + 60, "1") is False
        assert table.poll().directives == (self.FLOOR,)

    def test_owners_directions_and_services_are_apart(self, table: Table) -> None:
        directives: list[Floor | Pause] = [
            self.FLOOR,
            replace(self.FLOOR, owner="evening"),
            replace(self.FLOOR, service="a/c"),
            Pause("a/b", "ScaleIn", self.AT),
            Pause("a/b", "ScaleOut", self.AT),
        ]
        for directive in directives:
            table.put_directive(directive, self.AT, "1")
        assert set(table.poll().directives) == set(directives)

    def test_an_expired_one_is_deleted_by_the_table_a_day_later_and_an_endless_one_never(
        self, table: Table, account: Account
    ) -> None:
        table.put_directive(self.FLOOR, self.AT, "1")
        table.put_directive(Pause("a/b", "ScaleIn", inf), self.AT, "1")
        items = account.dynamodb.scan(TableName=TABLE)["Items"]
        assert [item.get("ttl", {}).get("N") for item in items] == [None, str(int(self.AT) + 3600 + 86_400)]

    @pytest.mark.parametrize(
        "body",
        ["{", "{}", "[]", '{"owner": "x"}', json.dumps({"service": "a/b", "direction": "ScaleIn", "expires_at": None})],
    )
    def test_one_that_cannot_be_read_is_passed_over(self, table: Table, account: Account, body: str) -> None:
        table.put_directive(self.FLOOR, self.AT, "1")
        item = {"pk": {"S": "loop"}, "sk": {"S": "directive#a/b#pause#ScaleIn"}, "body": {"S": body}}
        account.dynamodb.put_item(TableName=TABLE, Item=item)
        assert table.poll().directives == (self.FLOOR,)

    def test_it_changes_nothing_for_the_running_loop(self, table: Table) -> None:
        epoch = table.take_over()
        Table.connect(TABLE).put_directive(self.FLOOR, self.AT, "1")
        table.save(epoch, {"a/b": Memory(4)})
        assert table.poll().epoch == epoch


class TestLastGoodDocument:
    # Random text, so that it stays large when it is compressed: two chunks.
    LARGE = "".join(Random(1).choices("0123456789abcdefghijklmnopqrstuvwxyz", k=700_000))

    @pytest.fixture
    def table(self, account: Account) -> Table:
        return Table.connect(TABLE)

    def chunks(self, account: Account) -> list[dict[str, Any]]:
        items = account.dynamodb.scan(TableName=TABLE)["Items"]
        return sorted((item for item in items if "chunk" in item), key=lambda item: str(item["sk"]["S"]))

    def test_there_is_none_at_first(self, table: Table) -> None:
        assert table.load_document() is None

    @pytest.mark.parametrize("text", ["Services: []\n", "# ü €\n" * 1000, LARGE])
    def test_it_is_kept_and_written_once(self, aws: LocalAws, table: Table, text: str) -> None:
        epoch = table.take_over()
        assert table.save_document(epoch, text) is True
        assert table.load_document() == text
        aws.calls.reset()
        assert table.save_document(epoch, text) is False
        assert "TransactWriteItems" not in aws.calls.counts()

    def test_a_smaller_one_replaces_a_larger(self, table: Table, account: Account) -> None:
        epoch = table.take_over()
        table.save_document(epoch, self.LARGE)
        assert len(self.chunks(account)) == 2
        table.save_document(epoch, "Services: []")
        assert table.load_document() == "Services: []"

    @pytest.mark.parametrize("text", ["Services: []", LARGE], ids=["one chunk", "several chunks"])
    @pytest.mark.parametrize("damage", ["changed", "cut", "gone", "current"])
    def test_a_damaged_one_is_none_and_is_repaired_by_the_next_invocation(
        self, table: Table, account: Account, text: str, damage: str
    ) -> None:
        epoch = table.take_over()
        table.save_document(epoch, text)
        item = self.chunks(account)[-1]
        packed = bytes(item["chunk"]["B"])
        key = {"pk": item["pk"], "sk": item["sk"]}
        match damage:
            case "changed":
                item["chunk"] = {"B": packed[:-12] + bytes(byte ^ 0x55 for byte in packed[-12:])}
                account.dynamodb.put_item(TableName=TABLE, Item=item)
            case "cut":
                account.dynamodb.put_item(TableName=TABLE, Item=item | {"chunk": {"B": packed[: len(packed) // 2]}})
            case "gone":
                account.dynamodb.delete_item(TableName=TABLE, Key=key)
            case "current":
                account.dynamodb.put_item(TableName=TABLE, Item=key | {"sk": {"S": "current"}})
        assert table.load_document() is None
        assert table.save_document(epoch, text) is True
        assert table.load_document() == text


def test_the_time_of_aws_comes_with_the_epoch(aws: LocalAws, account: Account) -> None:
    table = Table.connect(TABLE)
    date = table.poll().date
    assert date == pytest.approx(time.time(), abs=1.5)
    aws.date_skew = 30
    assert table.poll().date == pytest.approx(time.time() + 30, abs=1.5)


def test_a_table_that_does_not_exist_is_not_found(aws: LocalAws) -> None:
    table = Table.connect("no-such-table")
    for call in (table.poll, table.read_all, table.take_over, table.load_document):
        with pytest.raises(NotFound):
            call()
