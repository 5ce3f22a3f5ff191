"""The stand-in for AWS that the demo and the other integration tests lean on: does it behave as AWS documents?"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.parsers import create_parser
from botocore.session import get_session

from demo.account import CLUSTER, SERVICE, TABLE, Account
from demo.local_aws import LocalAws
from demo.wire import error_response, read_request

START, HEALTH, VISIBILITY = 0.6, 0.4, 0.3


@pytest.fixture(scope="module")
def shared_aws() -> Iterator[LocalAws]:
    with LocalAws(start_seconds=START, health_seconds=HEALTH, visibility_median=VISIBILITY) as aws:
        yield aws


@pytest.fixture
def empty(aws: LocalAws) -> Account:
    return Account(aws, "test")


@pytest.fixture
def account(aws: LocalAws, empty: Account) -> Account:
    empty.create(desired=4)
    aws.calls.reset()
    return empty


def service_of(account: Account) -> dict[str, Any]:
    return dict(account.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0])


def counts(service: dict[str, Any]) -> tuple[int, int, int]:
    return service["desiredCount"], service["runningCount"], service["pendingCount"]


def set_desired(account: Account, desired: int) -> None:
    account.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=desired)


def target_states(account: Account) -> list[str]:
    arn = service_of(account)["loadBalancers"][0]["targetGroupArn"]
    described = account.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return sorted(target["TargetHealth"]["State"] for target in described)


def put(account: Account, at: float, values: list[float], namespace: str = "Shop", task: str = "all") -> None:
    account.cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": "Load",
                "Dimensions": [{"Name": "Task", "Value": task}],
                "Timestamp": at,
                "Values": values,
                "StorageResolution": 1,
            }
        ],
    )


def get(account: Account, *statistics: str, start: float, end: float, period: int = 5, namespace: str = "Shop") -> Any:
    metric: Any = {"Namespace": namespace, "MetricName": "Load", "Dimensions": [{"Name": "Task", "Value": "all"}]}
    queries: Any = [
        {"Id": f"q{n}", "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}
        for n, statistic in enumerate(statistics)
    ]
    answer = account.cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end)
    return [
        [(at.timestamp(), value) for at, value in zip(result["Timestamps"], result["Values"], strict=True)]
        for result in answer["MetricDataResults"]
    ]


def error_code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


class TestEcs:
    def test_a_new_service_runs_its_tasks_and_its_rollout_is_complete(self, account: Account) -> None:
        service = service_of(account)
        assert counts(service) == (4, 4, 0)
        (deployment,) = service["deployments"]
        assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "COMPLETED")
        assert (deployment["desiredCount"], deployment["runningCount"], deployment["pendingCount"]) == (4, 4, 0)

    def test_new_tasks_are_pending_until_their_start_time_is_over(self, account: Account) -> None:
        set_desired(account, 7)
        service = service_of(account)
        assert counts(service) == (7, 4, 3)
        assert service["deployments"][0]["pendingCount"] == 3
        assert service["deployments"][0]["rolloutState"] == "COMPLETED"
        time.sleep(START + 0.05)
        assert counts(service_of(account)) == (7, 7, 0)

    def test_scale_in_takes_the_newest_tasks_and_at_once(self, account: Account) -> None:
        set_desired(account, 7)
        set_desired(account, 5)
        assert counts(service_of(account)) == (5, 4, 1)
        set_desired(account, 3)
        assert counts(service_of(account)) == (3, 3, 0)

    def test_changes_of_the_desired_count_are_recorded_with_their_time(self, aws: LocalAws, account: Account) -> None:
        before = time.time()
        set_desired(account, 7)
        set_desired(account, 7)
        set_desired(account, 5)
        changes = aws.fleet(CLUSTER, SERVICE).changes
        assert [(change.before, change.after) for change in changes] == [(4, 7), (7, 5)]
        assert before <= changes[0].at <= changes[1].at <= time.time()

    def test_a_negative_count_more_than_ten_services_and_unknown_names_are_refused(self, account: Account) -> None:
        with pytest.raises(account.ecs.exceptions.InvalidParameterException):
            set_desired(account, -1)
        with pytest.raises(account.ecs.exceptions.InvalidParameterException):
            account.ecs.describe_services(cluster=CLUSTER, services=[f"service-{n}" for n in range(11)])
        with pytest.raises(account.ecs.exceptions.ServiceNotFoundException):
            account.ecs.update_service(cluster=CLUSTER, service="nobody", desiredCount=1)
        assert account.ecs.describe_services(cluster=CLUSTER, services=["nobody"])["failures"][0]["reason"] == "MISSING"
        assert counts(service_of(account)) == (4, 4, 0)

    def test_a_deployment_is_in_progress_for_as_long_as_a_test_says(self, aws: LocalAws, account: Account) -> None:
        aws.fleet(CLUSTER, SERVICE).deploying = True
        states = [(d["status"], d["rolloutState"]) for d in service_of(account)["deployments"]]
        assert states == [("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "COMPLETED")]
        aws.fleet(CLUSTER, SERVICE).deploying = False
        assert [d["rolloutState"] for d in service_of(account)["deployments"]] == ["COMPLETED"]

    def test_targets_appear_when_tasks_run_and_turn_healthy_later(self, account: Account) -> None:
        assert target_states(account) == ["healthy"] * 4
        set_desired(account, 6)
        assert target_states(account) == ["healthy"] * 4
        time.sleep(START + 0.05)
        assert target_states(account) == ["healthy"] * 4 + ["initial"] * 2
        time.sleep(HEALTH)
        assert target_states(account) == ["healthy"] * 6
        set_desired(account, 3)
        assert target_states(account) == ["healthy"] * 3


class TestCloudWatch:
    def test_a_put_is_answered_at_once_and_becomes_visible_later(self, aws: LocalAws, empty: Account) -> None:
        now = time.time()
        put(empty, now, [10.0])
        (call,) = aws.calls.of("PutMetricData")
        assert call.finished - call.started < VISIBILITY
        assert get(empty, "Sum", start=now - 60, end=now + 5) == [[]]
        time.sleep(VISIBILITY + 0.05)
        assert [value for _, value in get(empty, "Sum", start=now - 60, end=now + 5)[0]] == [10.0]
        (record,) = aws.puts
        assert record.visible - record.answered == pytest.approx(VISIBILITY)

    def test_the_delay_is_log_normal_and_the_same_for_the_same_seed(self) -> None:
        def delays(seed: int) -> list[float]:
            source = LocalAws(visibility_median=2.0, visibility_sigma=0.3, seed=seed).visibility
            return [source.visible_at("Shop", 0.0) for _ in range(2001)]

        assert delays(1) == delays(1) != delays(2)
        ordered = sorted(delays(1))
        assert ordered[1000] == pytest.approx(2.0, rel=0.03)
        # 84.1% of a log-normal distribution lie below median * e^sigma.
        assert ordered[1683] == pytest.approx(2.0 * 1.35, rel=0.05)

    def test_statistics_of_aligned_buckets_newest_first(self, empty: Account) -> None:
        bucket = time.time() // 60 * 60 - 60
        put(empty, bucket + 0.5, [1.0, 2.0])
        put(empty, bucket + 4.9, [6.0])
        put(empty, bucket + 5.0, [100.0])
        time.sleep(VISIBILITY + 0.05)
        statistics = ("Average", "Sum", "SampleCount", "Minimum", "Maximum", "p50", "p90")
        answered = get(empty, *statistics, start=bucket + 3, end=bucket + 60)
        assert [points[0] for points in answered] == [(bucket + 5, v) for v in (100, 100, 1, 100, 100, 100, 100)]
        assert [points[1] for points in answered] == [(bucket, v) for v in (3, 9, 3, 1, 6, 2, 6)]

    def test_another_namespace_or_other_dimensions_are_another_metric(self, empty: Account) -> None:
        now = time.time()
        put(empty, now, [1.0])
        put(empty, now, [10.0], namespace="Other")
        put(empty, now, [100.0], task="one")
        time.sleep(VISIBILITY + 0.05)
        assert [value for _, value in get(empty, "Sum", start=now - 60, end=now + 5)[0]] == [1.0]
        assert get(empty, "Sum", start=now - 60, end=now + 5, namespace="Nothing") == [[]]

    def test_five_statistics_of_one_metric_are_billed_as_one(self, aws: LocalAws, empty: Account) -> None:
        now = time.time()
        get(empty, "Average", "Sum", "SampleCount", "Minimum", "Maximum", start=now - 60, end=now)
        assert aws.calls.billed_metrics == 1
        get(empty, "Average", "Sum", "SampleCount", "Minimum", "Maximum", "p90", start=now - 60, end=now)
        assert aws.calls.billed_metrics == 3

    @pytest.mark.parametrize("period", [7, 90])
    def test_periods_that_cloudwatch_does_not_have_are_refused(self, empty: Account, period: int) -> None:
        with pytest.raises(ClientError, match="Period"):
            get(empty, "Sum", start=time.time() - 60, end=time.time(), period=period)

    def test_put_refuses_aws_namespaces_and_oversized_calls(self, empty: Account) -> None:
        with pytest.raises(ClientError, match="Namespace"):
            put(empty, time.time(), [1.0], namespace="AWS/ApplicationELB")
        with pytest.raises(ClientError, match="150"):
            put(empty, time.time(), [1.0] * 151)

    def test_metrics_of_aws_itself_are_put_by_the_test(self, aws: LocalAws, empty: Account) -> None:
        minute = time.time() // 60 * 60
        aws.put_aws_metric("AWS/ApplicationELB", "Load", {"Task": "all"}, minute, 40.0)
        aws.put_aws_metric("AWS/ApplicationELB", "Load", {"Task": "all"}, minute + 30, 2.0)
        answered = get(empty, "Sum", start=minute, end=minute + 60, period=60, namespace="AWS/ApplicationELB")
        assert answered == [[(minute, 42.0)]]
        assert aws.datapoints("AWS/ApplicationELB", "Load", {"Task": "all"}, "Sum", 60) == [(minute, 42.0)]


class TestFaults:
    @pytest.mark.parametrize(
        ("operation", "code"),
        [
            ("UpdateService", "ThrottlingException"),
            ("GetMetricData", "Throttling"),
            ("DescribeTargetHealth", "Throttling"),
            ("GetItem", "ProvisionedThroughputExceededException"),
        ],
    )
    def test_an_error_comes_as_often_as_asked_and_does_nothing(
        self, aws: LocalAws, account: Account, operation: str, code: str
    ) -> None:
        calls = {
            "UpdateService": lambda: set_desired(account, 9),
            "GetMetricData": lambda: get(account, "Sum", start=time.time() - 60, end=time.time()),
            "DescribeTargetHealth": lambda: target_states(account),
            "GetItem": lambda: account.dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "a"}, "sk": {"S": "b"}}),
        }
        aws.fail(operation, code, times=2)
        for _ in range(2):
            with pytest.raises(ClientError) as caught:
                calls[operation]()
            assert error_code(caught.value) == code
        assert aws.fleet(CLUSTER, SERVICE).desired == 4
        calls[operation]()
        assert [call.error for call in aws.calls.of(operation)] == [code, code, None]

    def test_an_error_lasts_until_it_is_cleared(self, aws: LocalAws, account: Account) -> None:
        aws.fail("DescribeServices", "ServerException", status=500)
        for _ in range(3):
            with pytest.raises(ClientError):
                service_of(account)
        aws.clear("DescribeServices")
        assert counts(service_of(account)) == (4, 4, 0)

    def test_an_error_can_be_limited_to_one_service(self, aws: LocalAws, account: Account) -> None:
        account.create_service(CLUSTER, "other", desired=1)
        aws.fail("UpdateService", "AccessDeniedException", containing='"other"')
        with pytest.raises(ClientError, match="AccessDenied"):
            account.ecs.update_service(cluster=CLUSTER, service="other", desiredCount=2)
        set_desired(account, 5)
        assert aws.fleet(CLUSTER, SERVICE).desired == 5

    @pytest.mark.parametrize(("when", "seen_meanwhile"), [("before", 4), ("after", 6)])
    def test_a_call_is_applied_late_or_answered_late(
        self, aws: LocalAws, account: Account, when: Any, seen_meanwhile: int
    ) -> None:
        aws.delay("UpdateService", 0.4, when=when, times=1)
        caller = threading.Thread(target=set_desired, args=(account, 6))
        caller.start()
        time.sleep(0.2)
        assert service_of(account)["desiredCount"] == seen_meanwhile
        caller.join()
        assert service_of(account)["desiredCount"] == 6
        (call,) = aws.calls.of("UpdateService")
        assert call.finished - call.started >= 0.4

    def test_a_call_that_its_client_gave_up_on_still_takes_effect(
        self, aws: LocalAws, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        hasty = boto3.Session().client("ecs", config=Config(read_timeout=0.2, retries={"total_max_attempts": 1}))
        aws.delay("UpdateService", 0.5, times=1)
        with pytest.raises(ReadTimeoutError):
            hasty.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=8)
        assert service_of(account)["desiredCount"] == 4
        time.sleep(0.5)
        assert service_of(account)["desiredCount"] == 8

    def test_the_date_header_can_be_skewed(self, aws: LocalAws, account: Account) -> None:
        def ahead() -> float:
            answer = account.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])
            date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
            return parsedate_to_datetime(date).timestamp() - time.time()

        assert ahead() == pytest.approx(0, abs=1.1)
        aws.date_skew = -30
        assert ahead() == pytest.approx(-30, abs=1.1)


class TestServer:
    def test_calls_are_counted_by_operation_and_caller(self, aws: LocalAws, account: Account) -> None:
        service_of(account)
        service_of(Account(aws, "other"))
        target_states(account)
        assert aws.calls.counts() == {"DescribeServices": 3, "DescribeTargetHealth": 1}
        assert aws.calls.counts("other") == {"DescribeServices": 1}

    def test_concurrent_increments_in_dynamodb_are_all_kept(self, account: Account) -> None:
        def add_one(_: int) -> str:
            answer = account.dynamodb.update_item(
                TableName=TABLE,
                Key={"pk": {"S": "loop"}, "sk": {"S": "epoch"}},
                UpdateExpression="ADD epoch :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
            return answer["Attributes"]["epoch"]["N"]

        assert account.dynamodb.describe_table(TableName=TABLE)["Table"]["TableStatus"] == "ACTIVE"
        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(add_one, range(40)), key=int) == [str(n) for n in range(1, 41)]

    def test_reset_forgets_everything(self, aws: LocalAws, account: Account) -> None:
        aws.fail("DescribeServices", "ServerException")
        set_desired(account, 9)
        aws.reset()
        assert aws.calls.counts() == {}
        account.create(desired=2)
        assert counts(service_of(account)) == (2, 2, 0)

    def test_a_second_one_in_the_process_is_refused(self, aws: LocalAws) -> None:
        with pytest.raises(RuntimeError, match="another LocalAws"), LocalAws():
            pass
        assert aws.endpoint_url

    def test_stopping_ends_hanging_calls_and_leaves_no_thread(self) -> None:
        # In a process of its own: this one has a stand-in already.
        code = """
import threading, time
from demo.account import CLUSTER, SERVICE, Account
from demo.local_aws import LocalAws

def hang():
    try:
        account.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=9)
    except Exception as error:
        ended.append(error.response["Error"]["Code"])

ended = []

with LocalAws() as aws:
    account = Account(aws)
    account.create(desired=1)
    aws.delay("UpdateService", 600)
    caller = threading.Thread(target=hang)
    caller.start()
    time.sleep(0.5)
    before = time.time()
print("stopped", time.time() - before < 2, aws.fleet(CLUSTER, SERVICE).desired)
caller.join()
print("ended", ended)
print("threads", [thread.name for thread in threading.enumerate()])
with LocalAws() as aws:
    Account(aws).create(desired=3)
    print("again", aws.fleet(CLUSTER, SERVICE).desired)
"""
        environment = os.environ | {"PYTHONPATH": os.getcwd()}
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment, check=True
        )
        assert run.stdout.splitlines() == [
            "stopped True 1",
            "ended ['ServiceUnavailable']",
            "threads ['MainThread']",
            "again 3",
        ]


class TestWire:
    @pytest.mark.parametrize(
        ("environ", "body", "operation", "protocol"),
        [
            ({"HTTP_X_AMZ_TARGET": "AmazonEC2ContainerServiceV20141113.UpdateService"}, b"{}", "UpdateService", "json"),
            (
                {"PATH_INFO": "/service/GraniteServiceVersion20100801/operation/GetMetricData"},
                b"\xa0",
                "GetMetricData",
                "cbor",
            ),
            ({"PATH_INFO": "/"}, b"Action=DescribeTargetHealth&Version=2015-12-01", "DescribeTargetHealth", "query"),
        ],
    )
    def test_the_operation_is_read_in_every_protocol(
        self, environ: dict[str, Any], body: bytes, operation: str, protocol: str
    ) -> None:
        request = read_request(environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)})
        assert (request.operation, request.protocol, request.body) == (operation, protocol, body)

    def test_an_error_in_cbor_is_one_that_botocore_reads(self) -> None:
        body, headers = error_response("cbor", "Throttling", "Too many.", 400)
        response = {"status_code": 400, "headers": {k.lower(): v for k, v in headers}, "body": body}
        shape = get_session().get_service_model("cloudwatch").operation_model("GetMetricData").output_shape
        error = create_parser("smithy-rpc-v2-cbor").parse(response, shape)["Error"]
        assert (error["Code"], error["Message"]) == ("Throttling", "Too many.")
