"""`fastscaler import` as a user runs it, against the stand-in for AWS; and docs/importing.md, whose commands it runs.

moto does not tell which alarms a step policy has, as AWS does: `link_alarms` adds that. It has no predictive scaling
and checks no permissions; refusals are planted.
"""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.model import OperationModel, StructureShape
from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from demo.account import CLUSTER, LOAD_BALANCER, SERVICE, TARGET_GROUP
from demo.local_aws import REGION, LocalAws
from fastscaler.aws.existing_scaling import PERMISSIONS
from fastscaler.document.parse import parse_document
from fastscaler.scaling.policy import Document

PAGE = Path(__file__).parents[2] / "docs" / "importing.md"
RESOURCE = f"service/{CLUSTER}/{SERVICE}"
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": RESOURCE,
    "ScalableDimension": "ecs:service:DesiredCount",
}


@pytest.fixture
def aws(balanced_aws: LocalAws) -> LocalAws:
    return balanced_aws


@pytest.fixture
def scaled(aws: LocalAws) -> LocalAws:
    """The same, scaled by two step policies with an alarm each, target tracking, and a scheduled action."""
    autoscaling, cloudwatch = client(), boto3.client("cloudwatch")
    autoscaling.register_scalable_target(**TARGET, MinCapacity=2, MaxCapacity=30)
    tables = {
        "cpu-out": ("GreaterThanThreshold", 75.0, [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}]),
        "cpu-in": ("LessThanThreshold", 25.0, [{"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": -1}]),
    }
    for name, (operator, threshold, table) in tables.items():
        configuration = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": table, "Cooldown": 60}
        policy = autoscaling.put_scaling_policy(
            **TARGET, PolicyName=name, PolicyType="StepScaling", StepScalingPolicyConfiguration=configuration
        )
        cloudwatch.put_metric_alarm(
            AlarmName=f"{name}-alarm",
            AlarmActions=[policy["PolicyARN"]],
            Namespace="AWS/ECS",
            MetricName="CPUUtilization",
            Statistic="Average",
            Dimensions=[{"Name": "ClusterName", "Value": CLUSTER}, {"Name": "ServiceName", "Value": SERVICE}],
            Period=60,
            EvaluationPeriods=3,
            Threshold=threshold,
            ComparisonOperator=operator,  # type: ignore[arg-type]
        )
        link_alarms(name, f"{name}-alarm")
    autoscaling.put_scaling_policy(
        **TARGET,
        PolicyName="memory",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 60.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"},
            "ScaleInCooldown": 120,
        },
    )
    autoscaling.put_scheduled_action(
        **TARGET,
        ScheduledActionName="business-hours",
        Schedule="cron(30 8 ? * MON-FRI *)",
        Timezone="Europe/Berlin",
        ScalableTargetAction={"MinCapacity": 10, "MaxCapacity": 40},
    )
    return aws


def client() -> Any:
    return boto3.client("application-autoscaling")  # The installed stubs do not have it.


def link_alarms(policy: str, alarm: str) -> None:
    """Has DescribeScalingPolicies name the alarm, as AWS does once an alarm's action is the policy."""
    [found] = [
        one
        for one in applicationautoscaling_backends[DEFAULT_ACCOUNT_ID][REGION].policies.values()
        if one.policy_name == policy
    ]
    found.alarms.append(cloudwatch_backends[DEFAULT_ACCOUNT_ID][REGION].alarms[alarm])


@dataclass(frozen=True)
class Run:
    """One run of the command in a process of its own."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Document:
        return parse_document(self.out, "imported")


def run(aws: LocalAws, arguments: str, folder: Path, *, without: str = "nothing") -> Run:
    """Runs the command in `folder`, without the environment variables whose names have `without` in them."""
    command = [str(Path(sys.executable).with_name("fastscaler")), *shlex.split(arguments)]
    variables = {name: value for name, value in aws.environment.items() if without not in name}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables, timeout=60, check=False)
    return Run(done.returncode, done.stdout, done.stderr)


IMPORT = f"import --cluster {CLUSTER} --service {SERVICE}"


def test_a_service_as_it_is_scaled_today_becomes_a_valid_document(scaled: LocalAws, tmp_path: Path) -> None:
    done = run(scaled, IMPORT, tmp_path)
    assert done.code == 0
    [service] = done.document.services
    assert done.document.mode == "observe"
    assert service.key == f"{CLUSTER}/{SERVICE}"
    assert (service.min_capacity, service.max_capacity) == (2, 40)
    assert [(policy.name, policy.metric) for policy in service.policies] == [
        ("cpu-out", "CPUUtilization"),
        ("cpu-in", "CPUUtilization"),
        ("memory", "MemoryUtilization"),
    ]
    assert service.load_balancer is not None
    assert (service.load_balancer.load_balancer, service.load_balancer.target_group) == (LOAD_BALANCER, TARGET_GROUP)
    assert service.behavior.scale_in.cooldown == 120
    assert service.behavior.scale_in.stabilization_window_seconds == 900
    assert '"Owner": "business-hours", "MinCapacity": 10' in done.out


def test_standard_error_has_one_line_with_the_count_of_comments(scaled: LocalAws, tmp_path: Path) -> None:
    done = run(scaled, IMPORT, tmp_path)
    assert re.fullmatch(r"fastscaler: \d+ things need your attention: see the comments\n", done.err)


def test_nothing_in_aws_is_changed(scaled: LocalAws, tmp_path: Path) -> None:
    scaled.calls.reset()
    run(scaled, IMPORT, tmp_path)
    assert set(scaled.calls.counts()) == set(PERMISSIONS)


def test_a_file_is_written_and_never_overwritten_by_mistake(scaled: LocalAws, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    first = run(scaled, f"{IMPORT} --output new.yaml", tmp_path)
    assert (first.code, first.out) == (0, "")
    assert first.err.startswith("fastscaler: new.yaml: ")
    written = file.read_text()
    assert parse_document(written, "new.yaml").services[0].service == SERVICE
    file.write_text("mine")
    again = run(scaled, f"{IMPORT} --output new.yaml", tmp_path)
    assert (again.code, again.err) == (2, "fastscaler: new.yaml is there already: --force overwrites it\n")
    assert file.read_text() == "mine"
    assert run(scaled, f"{IMPORT} --output new.yaml --force", tmp_path).code == 0
    assert file.read_text() == written


def test_a_file_that_cannot_be_written_is_one_line(scaled: LocalAws, tmp_path: Path) -> None:
    done = run(scaled, f"{IMPORT} --output missing/new.yaml", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == "fastscaler: missing/new.yaml: cannot be written: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (f"import --cluster {CLUSTER} --service other", f"cluster {CLUSTER} has no service other: look at --cluster"),
        (f"import --cluster other --service {SERVICE}", "there is no cluster other: look at --cluster and --region"),
        (IMPORT, "has no scalable target in us-east-1: Application Auto Scaling does not scale it"),
        (f"{IMPORT} --profile nobody", "The config profile (nobody) could not be found: give another --aws-profile"),
    ],
)
def test_what_cannot_be_imported_is_one_line_and_exit_code_1(
    aws: LocalAws, tmp_path: Path, arguments: str, line: str
) -> None:
    done = run(aws, f"{arguments} --output new.yaml", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert line in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "new.yaml").exists()


def test_a_target_without_a_policy_is_one_line_and_exit_code_1(aws: LocalAws, tmp_path: Path) -> None:
    client().register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=3)
    done = run(aws, IMPORT, tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"fastscaler: {CLUSTER}/{SERVICE} has no policy that can be carried over. It has no scaling policy.\n"
    )


@pytest.mark.parametrize("option", ["--cluster", "--service"])
def test_an_arn_is_no_name(aws: LocalAws, tmp_path: Path, option: str) -> None:
    values = {"--cluster": CLUSTER, "--service": SERVICE, option: "arn:aws:ecs:us-east-1:1:x/y"}
    done = run(aws, "import " + " ".join(f"{key} {value}" for key, value in values.items()), tmp_path)
    assert done.code == 2
    assert done.err.startswith(f"fastscaler: {option} arn:aws:ecs:us-east-1:1:x/y: must be the name, not the ARN")


@pytest.mark.parametrize("operation", PERMISSIONS)
def test_a_missing_permission_is_named(scaled: LocalAws, tmp_path: Path, operation: str) -> None:
    scaled.fail(operation, "AccessDeniedException")
    done = run(scaled, IMPORT, tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(
        f"{operation} is not allowed (A fault that a test planted): permit {PERMISSIONS[operation]}\n"
    )


@pytest.mark.parametrize(
    ("code", "status", "line"),
    [
        ("ExpiredTokenException", 400, "AWS does not take the credentials (ExpiredTokenException): sign in again"),
        ("FailedResourceAccessException", 400, "permit cloudwatch:DescribeAlarms"),
        ("ThrottlingException", 400, "AWS asks for fewer calls (DescribeScalingPolicies): try again in a minute"),
        ("InternalServiceException", 500, "no usable answer of AWS (DescribeScalingPolicies: InternalServiceException"),
        ("ValidationException", 400, "AWS refused the request (DescribeScalingPolicies: ValidationException"),
    ],
)
def test_an_error_of_aws_says_what_to_do(scaled: LocalAws, tmp_path: Path, code: str, status: int, line: str) -> None:
    scaled.fail("DescribeScalingPolicies", code, status=status)
    done = run(scaled, IMPORT, tmp_path)
    assert (done.code, done.out) == (1, "")
    assert line in done.err
    assert len(done.err.splitlines()) == 1


def test_without_credentials_or_region_it_says_what_to_give(aws: LocalAws, tmp_path: Path) -> None:
    stranger, nowhere = run(aws, IMPORT, tmp_path, without="ACCESS_KEY"), run(aws, IMPORT, tmp_path, without="REGION")
    name = f"fastscaler: {CLUSTER}/{SERVICE}"
    assert stranger.err == f"{name}: no AWS credentials were found: sign in, or give an --aws-profile that has some\n"
    assert nowhere.err == f"{name}: no AWS Region is known: give --region\n"
    assert (stranger.code, nowhere.code) == (1, 1)


# --- docs/importing.md


def commands(program: str) -> list[str]:
    """The page's commands of one program, in their order."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    assert {line.split()[0] for line in lines} <= {"fastscaler", "aws"}
    return [line.removeprefix(f"{program} ") for line in lines if line.startswith(f"{program} ")]


def aws_cli(command: str) -> Any:
    """Calls what the AWS CLI would: the operation and its parameters, which botocore checks."""
    service, operation, *options = shlex.split(command)
    api: Any = boto3.client(service, region_name=options[options.index("--region") + 1])  # type: ignore[call-overload]
    name = api.meta.method_to_api_mapping[operation.replace("-", "_")]
    model: OperationModel = api.meta.service_model.operation_model(name)
    assert isinstance(model.input_shape, StructureShape)
    members = {"--" + xform_name(member, "-"): member for member in model.input_shape.members}
    given = {option: value for option, value in zip(options[::2], options[1::2], strict=True) if option != "--region"}
    parameters = {members[option]: _value(value) for option, value in given.items()}
    return getattr(api, operation.replace("-", "_"))(**parameters)


def _value(text: str) -> Any:
    """The CLI's shorthand syntax, as far as the page uses it."""
    pairs = re.findall(r"(\w+)=(true|false)(?:,|$)", text)
    return {key: value == "true" for key, value in pairs} or text


def test_the_commands_of_the_page_are_a_migration(scaled: LocalAws, tmp_path: Path) -> None:
    importing, validating = commands("fastscaler")
    assert run(scaled, importing, tmp_path).code == 0
    validated = run(scaled, validating, tmp_path)
    assert validated.code == 0
    # Its metrics are of a minute: nothing that the load balancer's count could stand in for until tasks publish.
    valid, note = validated.out.splitlines()
    assert valid == "imported.yaml: 1 service, valid"
    assert "LoadBalancer: stands in for no metric" in note
    deregister, suspend = commands("aws")
    aws_cli(suspend)
    [target] = client().describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert target["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": True,
        "ScheduledScalingSuspended": True,
    }
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 30)
    aws_cli(deregister)
    assert client().describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []


def test_the_command_in_the_document_is_the_pages(scaled: LocalAws, tmp_path: Path) -> None:
    written = run(scaled, IMPORT, tmp_path).out
    assert f"#   aws {commands('aws')[0]}\n" in written


def test_the_page_names_every_permission() -> None:
    named = re.findall(r"`([a-z-]+:Describe\w+)`", PAGE.read_text())
    assert sorted(named) == sorted(PERMISSIONS.values())
