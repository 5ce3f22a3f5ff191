"""The roles of the template, checked by an emulator that enforces them.

It differs from IAM in two statements of ours, so these are given to the roles once more in its own terms: it checks ECS
actions against the cluster's ARN where AWS checks the service's, and it does not know the condition key
cloudwatch:namespace. It does not know ecs:cluster either, nor Application Auto Scaling: tasks are never read here, and
the loop goes on without knowing of other scalers. tests/unit/test_template.py asserts these statements as AWS will read
them.
"""

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import workload
from tests.e2e.deployment import Deployment, wait_for
from tests.e2e.emulator import REGION, Emulator
from tests.e2e.printed import say
from tests.e2e.project import ROOT, Failed, Project

TABLE = "fastscaler-state"
KEY = {"pk": {"S": "probe"}, "sk": {"S": "probe"}}
SERVICE = {"cluster": workload.CLUSTER, "services": [workload.SERVICE]}
GROUP = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/none/0000000000000000"
QUERY = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "probe"}}}
CHECK = {"TableName": TABLE, "Key": KEY, "ConditionExpression": "attribute_exists(pk)"}
ADD = {"UpdateExpression": "ADD epoch :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
DATUM = [{"MetricName": "Probe", "Value": 1}]
METRIC = {"Metric": {"Namespace": "Probe", "MetricName": "Probe"}, "Period": 60, "Stat": "Sum"}

Call = tuple[str, str, dict[str, Any]]

SCALER_MAY: list[Call] = [
    ("dynamodb", "put_item", {"TableName": TABLE, "Item": KEY}),
    ("dynamodb", "update_item", {"TableName": TABLE, "Key": KEY, **ADD}),
    ("dynamodb", "query", {"TableName": TABLE, **QUERY}),
    (
        "dynamodb",
        "transact_write_items",
        {
            "TransactItems": [
                {"ConditionCheck": CHECK},
                {"Put": {"TableName": TABLE, "Item": {**KEY, "sk": {"S": "other"}}}},
            ]
        },
    ),
    (
        "cloudwatch",
        "get_metric_data",
        {"StartTime": 0, "EndTime": 60, "MetricDataQueries": [{"Id": "m", "MetricStat": METRIC}]},
    ),
    ("elbv2", "describe_target_health", {"TargetGroupArn": GROUP}),
]
SCALER_MAY_NOT: list[Call] = [
    ("dynamodb", "get_item", {"TableName": TABLE, "Key": KEY}),
    ("dynamodb", "delete_item", {"TableName": TABLE, "Key": KEY}),
    ("dynamodb", "scan", {"TableName": TABLE}),
    ("dynamodb", "put_item", {"TableName": "another", "Item": KEY}),
    ("dynamodb", "delete_table", {"TableName": TABLE}),
    ("cloudwatch", "put_metric_data", {"Namespace": "FastScaling/Application", "MetricData": DATUM}),
    ("ecs", "delete_service", {"cluster": workload.CLUSTER, "service": workload.SERVICE}),
    ("ecs", "list_tasks", {"cluster": "another"}),
    ("ecs", "describe_tasks", {"cluster": "another", "tasks": ["0" * 32]}),
    ("ecs", "stop_task", {"cluster": workload.CLUSTER, "task": "0" * 32}),
    ("ecs", "describe_services", {**SERVICE, "cluster": "another"}),
    ("ecs", "update_service", {"cluster": "another", "service": workload.SERVICE, "desiredCount": 1}),
    ("sqs", "send_message", {"QueueUrl": "http://127.0.0.1/000000000000/another", "MessageBody": "probe"}),
    ("logs", "create_log_group", {"logGroupName": "/another"}),
    ("iam", "list_roles", {}),
    ("lambda", "list_functions", {}),
]
DRILL_MAY_NOT: list[Call] = [
    ("ecs", "update_service", {"cluster": workload.CLUSTER, "service": workload.SERVICE, "desiredCount": 1}),
    ("dynamodb", "put_item", {"TableName": TABLE, "Item": KEY}),
    ("dynamodb", "query", {"TableName": TABLE, **QUERY}),
    ("cloudwatch", "get_metric_data", SCALER_MAY[-2][2]),
    ("logs", "create_log_group", {"logGroupName": "/another"}),
]

# A function that makes calls and tells the error codes: what a role may do is seen from inside a function that has it.
PROBE = """
import boto3

def handler(event, context):
    return [outcome(*call) for call in event]

def outcome(service, operation, arguments):
    client = boto3.client(service)
    try:
        getattr(client, operation)(**arguments)
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
"""


class Roles:
    """A deployment whose calls are checked against the policies of who makes them."""

    def __init__(self, aws: Emulator, project: Project) -> None:
        self.aws, self.project, self.deployment = aws, project, Deployment(aws)
        self._lambda, self._iam = aws.client("lambda"), aws.client("iam")

    def of(self, logical_id: str) -> str:
        """The name of the role."""
        resource = self.aws.client("cloudformation").describe_stack_resource(
            StackName="fastscaler", LogicalResourceId=logical_id
        )
        name: str = resource["StackResourceDetail"]["PhysicalResourceId"]
        return name

    def outcomes(self, logical_id: str, calls: list[Call]) -> list[str]:
        """What becomes of each call when a function with this role makes it: "allowed", or an error code."""
        role = self._iam.get_role(RoleName=self.of(logical_id))["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("probe.py", PROBE)
        self._lambda.create_function(
            FunctionName="probe",
            Runtime="python3.13",
            Handler="probe.handler",
            Role=role,
            Code={"ZipFile": code.getvalue()},
            Timeout=60,
        )
        try:
            found: list[str] = self.deployment.invoke("probe", calls)
            return found
        finally:
            self._lambda.delete_function(FunctionName="probe")

    def say_it_for_the_emulator(self) -> None:
        """Adds the two statements that it does not understand, in its own terms."""
        cluster = f"arn:aws:ecs:*:*:cluster/{workload.CLUSTER}"
        self._add("ScalerRole", ["ecs:DescribeServices", "ecs:UpdateService"], cluster)
        self._add("SyntheticMetricsRole", ["ecs:DescribeServices"], cluster)
        self._add("SyntheticMetricsRole", ["cloudwatch:PutMetricData"], "*")

    def _add(self, logical_id: str, actions: list[str], resource: str) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
        self._iam.put_role_policy(
            RoleName=self.of(logical_id),
            PolicyName=actions[0].replace(":", "-"),
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )


@pytest.fixture(scope="module")
def roles(scratch: Path) -> Iterator[Roles]:
    project = Project(scratch / "roles" / "project")
    with Emulator(scratch / "roles" / "emulator", auth=True) as aws:
        project.environment = aws.environment
        workload.create(aws, desired=2)
        project.shell("sam build\nsam deploy")
        found = Roles(aws, project)
        found.deployment.mount_layers()
        yield found


def denied(outcomes: list[str]) -> list[bool]:
    return [outcome.startswith("AccessDenied") for outcome in outcomes]


def test_the_scaler_may_do_what_it_does(roles: Roles) -> None:
    *allowed, health = roles.outcomes("ScalerRole", SCALER_MAY)
    assert allowed == ["allowed"] * len(allowed)
    assert health == "TargetGroupNotFound"  # There is none of that name; the call itself was allowed.


def test_the_scaler_may_do_nothing_else(roles: Roles) -> None:
    outcomes = dict(zip(map(repr, SCALER_MAY_NOT), roles.outcomes("ScalerRole", SCALER_MAY_NOT), strict=True))
    assert [call for call, outcome in outcomes.items() if not outcome.startswith("AccessDenied")] == []


def test_the_drill_may_neither_scale_nor_touch_the_state(roles: Roles) -> None:
    outcomes = roles.outcomes("SyntheticMetricsRole", DRILL_MAY_NOT)
    assert denied(outcomes) == [True] * len(DRILL_MAY_NOT)


def test_a_service_that_the_role_may_not_read_is_reported(roles: Roles) -> None:
    answer = roles.deployment.invoke(roles.deployment.scaler, {"Directive": "observe", "Looks": 1})
    assert answer["ended"] == "finished"
    assert "AccessDenied" in answer["services"][workload.KEY]["error"]


PAGE = (ROOT / "docs" / "commands.md").read_text()


def operator(roles: Roles, *statements: str) -> dict[str, str]:
    """Credentials of a user who has these statements of the page's policy and no other right; all, if none is named."""
    policy = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0]
    for example, here in {
        "eu-central-1": REGION,
        "123456789012": "000000000000",
        # The emulator checks ECS actions against the cluster's ARN.
        "service/shop/*": f"cluster/{workload.CLUSTER}",
    }.items():
        policy = policy.replace(example, here)
    document = json.loads(policy)
    document["Statement"] = [one for one in document["Statement"] if not statements or one["Sid"] in statements]
    iam, name = roles.aws.client("iam"), "-".join(["operator", *statements])
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="operator", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def test_an_operator_needs_no_more_rights_than_the_page_says(roles: Roles) -> None:
    roles.say_it_for_the_emulator()
    roles.deployment.invoke_later(roles.deployment.scaler, {"source": "aws.events", "detail-type": "Scheduled Event"})
    wait_for("the first look", roles.deployment.has_document, 30)
    roles.project.environment = {**roles.aws.environment, **operator(roles)}
    assert workload.KEY in roles.project.shell("fastscaler status --stack fastscaler")
    assert "paused" in roles.project.shell("fastscaler pause --stack fastscaler --minutes 1")
    assert "resumed" in roles.project.shell("fastscaler resume --stack fastscaler")
    roles.project.shell("fastscaler schedules --stack fastscaler")
    drilled = roles.project.shell("fastscaler drill --stack fastscaler --json 2>/dev/null || true")
    assert json.loads(drilled)["at_rest"] is True


def test_who_may_look_may_not_direct(roles: Roles) -> None:
    roles.project.environment = {**roles.aws.environment, **operator(roles, "Look")}
    assert workload.KEY in roles.project.shell("fastscaler status --stack fastscaler")
    with pytest.raises(Failed, match="permit lambda:InvokeFunction"):
        roles.project.shell("fastscaler pause --stack fastscaler")


def test_under_their_roles_the_functions_answer_a_surge_and_take_a_directive(roles: Roles) -> None:
    deployment = roles.deployment
    roles.say_it_for_the_emulator()
    deployment.invoke_later(deployment.scaler, {"source": "aws.events", "detail-type": "Scheduled Event"})
    drill = workload.surge(120, 900, seconds_before=5, seconds_at_peak=60, duration=60)
    deployment.invoke_later(deployment.synthetic, drill)
    began = time.monotonic()
    wait_for("an answer to the surge", lambda: workload.desired(roles.aws) >= 9, 40)
    say(f"with roles enforced: surge answered, {time.monotonic() - began:.1f} s after the drill began")
    assert deployment.memory(workload.KEY)["desired"] == workload.desired(roles.aws)
    directive = {"Directive": "pause", "Cluster": workload.CLUSTER, "Service": workload.SERVICE}
    assert all(one["changed"] for one in deployment.invoke(deployment.scaler, directive)["stored"])
