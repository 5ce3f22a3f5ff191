"""The SAM template, transformed as CloudFormation would transform it: what would stand in the user's account."""

import copy
import itertools
import json
import re
import tomllib
from typing import Any

import pytest
from cfnlint.api import lint
from samtranslator.yaml_helper import yaml_parse

from fastscaler.aws.dynamodb import Head
from fastscaler.directives import Prewarm, carry_out, parse_directive
from fastscaler.document.parse import parse_document
from fastscaler.scaling.observation import Floor, Pause
from tests.unit.template import ROOT, SOURCE, STACK, of_type, properties, stack, transformed

# Reads that know no resource-level permissions (AWS Service Authorization Reference).
READS_WITHOUT_RESOURCES = {
    "application-autoscaling:DescribeScalableTargets",
    "cloudwatch:GetMetricData",
    "elasticloadbalancing:DescribeTargetHealth",
}
# ListTasks knows no resource but container instances; both know the condition key ecs:cluster.
READS_OF_A_CLUSTER = {"ecs:ListTasks", "ecs:DescribeTasks"}

# The values that change the shape of the result. cfn-lint itself tries every allowed value of the others.
SHAPING = ("Architecture", "ReservedConcurrency", "PrewarmState", "ServiceArns")
COMBINATIONS = [
    dict(zip(SHAPING, values, strict=True))
    for values in itertools.product(
        ("x86_64", "arm64"),
        ("0", "2"),
        ("DISABLED", "ENABLED"),
        ("arn:aws:ecs:*:*:service/shop/web", "arn:aws:ecs:*:*:service/shop/web,arn:aws:ecs:*:*:service/shop/api"),
    )
]


def invoke_config(function: str) -> dict[str, Any]:
    configs = [c for c in of_type("AWS::Lambda::EventInvokeConfig").values() if c["FunctionName"] == function]
    assert len(configs) == 1
    return configs[0]


def statements(role: str, **parameters: str) -> list[dict[str, Any]]:
    found = [
        copy.deepcopy(statement)
        for policy in properties(role, **parameters)["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    for statement in found:
        for key in ("Action", "Resource"):
            if isinstance(statement[key], str):
                statement[key] = [statement[key]]
    return found


def reach(role: str, action: str, **parameters: str) -> set[str]:
    """The resources on which the role may do `action`."""
    return {r for s in statements(role, **parameters) if action in s["Action"] for r in s["Resource"]}


# --- Lint


def test_the_source_has_no_finding() -> None:
    assert lint(SOURCE, config={"include_checks": ["I"]}) == []


@pytest.mark.parametrize(
    "parameters", COMBINATIONS, ids=lambda p: "-".join(p.values()).replace("arn:aws:ecs:*:*:service/", "")
)
def test_the_transformed_template_has_no_finding(parameters: dict[str, str]) -> None:
    assert lint(json.dumps(transformed(parameters)), config={"include_checks": ["I"]}) == []


# --- Parameters


def test_every_parameter_is_described_and_shown_in_one_group() -> None:
    template = yaml_parse(SOURCE)
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    assert set(interface["ParameterLabels"]) == set(template["Parameters"])
    assert [name for name, parameter in template["Parameters"].items() if not parameter.get("Description")] == []


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        # At a hand-over two invocations run at once: 1 would throttle every successor.
        ("ReservedConcurrency", ["0", "2", "10", "1000"], ["1", "01", "00", "-1", "2.5", "", "two"]),
        (
            "ServiceArns",
            [
                "arn:aws:ecs:eu-west-1:111122223333:service/shop/web",
                "arn:aws:ecs:*:*:service/shop/*",
                "arn:aws-cn:ecs:cn-north-1:111122223333:service/shop/web",
            ],
            ["*", "arn:aws:ecs:*:*:*", "arn:aws:ecs:*:*:cluster/shop", "arn:aws:iam::111122223333:role/x", "shop/web"],
        ),
        ("MetricNamespace", ["FastScaling/Application", "shop"], ["AWS/ECS", "", ":shop", "x" * 256]),
        (
            "PrewarmTimezone",
            ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"],
            ["", "+01:00", "a b"],
        ),
        (
            "AlarmTopicArn",
            ["", "arn:aws:sns:eu-west-1:111122223333:pager", "arn:aws-cn:sns:cn-north-1:111122223333:p_1"],
            ["pager", "arn:aws:sns:eu-west-1:111122223333:pager.fifo", "arn:aws:sqs:eu-west-1:111122223333:pager"],
        ),
        # Both end up inside a JSON document.
        ("PrewarmCluster", ["fast-scaling-cluster"], ['a"', "", "arn:aws:ecs:eu-west-1:111122223333:cluster/shop"]),
        ("PrewarmService", ["fast_scaling-service"], ['a"', "", "shop/web"]),
    ],
)
def test_parameters_refuse_what_cannot_work(name: str, accepted: list[str], refused: list[str]) -> None:
    pattern = yaml_parse(SOURCE)["Parameters"][name]["AllowedPattern"]
    assert [value for value in accepted if not re.fullmatch(pattern, value)] == []
    assert [value for value in refused if re.fullmatch(pattern, value)] == []


def test_two_stacks_in_one_account_do_not_collide() -> None:
    names = [
        value
        for item in stack().values()
        for key, value in item["Properties"].items()
        if key
        in {"Name", "FunctionName", "TableName", "QueueName", "RoleName", "LogGroupName", "LayerName"}
        | {"AlarmName", "DashboardName"}
        and value not in stack()  # a reference to another resource
    ]
    assert names
    assert [name for name in names if STACK not in name] == []


# --- Functions


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_functions_and_library_are_built_for_the_same_machine(architecture: str) -> None:
    functions = of_type("AWS::Lambda::Function", Architecture=architecture)
    assert set(functions) == {"ScalerFunction", "SyntheticMetricsFunction"}
    for function in functions.values():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == [architecture]
        assert function["Timeout"] == 900
        assert function["MemorySize"] <= 256
    library = next(
        v for k, v in of_type("AWS::Lambda::LayerVersion", Architecture=architecture).items() if "FastScaler" in k
    )
    assert library["CompatibleArchitectures"] == [architecture]
    build = yaml_parse(SOURCE)["Resources"]["FastScalerLayer"]["Metadata"]
    assert build == {"BuildMethod": "python3.13", "BuildArchitecture": {"Ref": "Architecture"}}


def test_the_scaler_has_the_library_and_the_policies_and_the_drill_only_the_library() -> None:
    def layers(function: str) -> list[str]:
        return [re.sub("Layer[0-9a-f]+$", "", layer) for layer in properties(function)["Layers"]]

    assert layers("ScalerFunction") == ["FastScaler", "Policies"]
    assert layers("SyntheticMetricsFunction") == ["FastScaler"]


def test_the_functions_find_what_they_need_in_the_environment() -> None:
    assert properties("ScalerFunction", LogLevel="DEBUG")["Environment"]["Variables"] == {
        "TABLE_NAME": "StateTable",
        "POLICIES_FILE": "/opt/policies.yaml",
        "POWERTOOLS_SERVICE_NAME": "fastscaler",
        "POWERTOOLS_METRICS_NAMESPACE": "FastScaler/fastscaler",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    assert properties("SyntheticMetricsFunction", MetricNamespace="Shop")["Environment"]["Variables"] == {
        "METRIC_NAMESPACE": "Shop",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def test_concurrency_is_reserved_only_when_asked_for() -> None:
    assert "ReservedConcurrentExecutions" not in properties("ScalerFunction")
    assert properties("ScalerFunction", ReservedConcurrency="2")["ReservedConcurrentExecutions"] == "2"


def test_a_failed_event_is_retried_and_then_kept() -> None:
    config = invoke_config("ScalerFunction")
    assert config["MaximumRetryAttempts"] == 2
    assert config["MaximumEventAgeInSeconds"] == 3600
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": "FailedEventsQueue.Arn"}}
    assert reach("ScalerRole", "sqs:SendMessage") == {"FailedEventsQueue.Arn"}


def test_a_drill_never_runs_twice() -> None:
    assert invoke_config("SyntheticMetricsFunction")["MaximumRetryAttempts"] == 0


def test_the_loop_is_started_every_minute_and_by_nobody_outside() -> None:
    [(rule, schedule)] = of_type("AWS::Events::Rule").items()
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule.get("State", "ENABLED") == "ENABLED"
    assert [target["Arn"] for target in schedule["Targets"]] == ["ScalerFunction.Arn"]
    [permission] = of_type("AWS::Lambda::Permission").values()
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == f"{rule}.Arn"
    assert of_type("AWS::Lambda::Url") == {}


@pytest.mark.parametrize("function", ["Scaler", "SyntheticMetrics"])
def test_each_function_logs_to_its_own_group_with_a_retention(function: str) -> None:
    group = f"{function}LogGroup"
    assert properties(f"{function}Function")["LoggingConfig"]["LogGroup"] == group
    assert properties(group)["RetentionInDays"] == 30
    assert properties(group, LogRetentionDays="7")["RetentionInDays"] == "7"
    assert reach(f"{function}Role", "logs:PutLogEvents") == {f"{group}.Arn"}


# --- State and queues


def test_the_table_is_on_demand_encrypted_and_recoverable() -> None:
    table = properties("StateTable")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]} == {"HASH": "pk", "RANGE": "sk"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_queues_are_encrypted_and_keep_messages_for_two_weeks() -> None:
    queues = of_type("AWS::SQS::Queue")
    assert set(queues) == {"FailedEventsQueue", "UndeliveredSchedulesQueue"}
    for queue in queues.values():
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert of_type("AWS::SQS::QueuePolicy") == {}


def test_deleting_the_stack_leaves_nothing_behind() -> None:
    assert [name for name, item in stack().items() if item.get("DeletionPolicy", "Delete") != "Delete"] == []


# --- Pre-warm schedules


SCHEDULES = {
    "WeekdayPrewarm": ("? * MON-FRI *", "08:30", "22:00", 5),
    "WeekendEveningPrewarm": ("? * SAT,SUN *", "18:00", "23:00", 8),
    "OffHoursMinimum": ("* * ? *", "22:00", "08:30", 3),
    "SaleOpeningPrewarm": ("2027-11-26", "09:45", "11:00", 40),
}


def schedule(name: str, **parameters: str) -> dict[str, Any]:
    return properties(f"ScalerFunction{name}", **parameters)


def test_the_samples_are_all_there_is() -> None:
    assert set(of_type("AWS::Scheduler::Schedule")) == {f"ScalerFunction{name}" for name in SCHEDULES}


def when(expression: str) -> tuple[str, int, int]:
    """The days, hour and minute of a schedule that fires daily, on certain days, or once."""
    if recurring := re.fullmatch(r"cron\((\d+) (\d+) (.+)\)", expression):
        return recurring[3], int(recurring[2]), int(recurring[1])
    once = re.fullmatch(r"at\((\S+)T(\d\d):(\d\d):00\)", expression)
    assert once, expression
    return once[1], int(once[2]), int(once[3])


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_prewarm_covers_its_hours(name: str) -> None:
    days, start, end, floor = SCHEDULES[name]
    on, hour, minute = when(schedule(name)["ScheduleExpression"])
    directive = json.loads(schedule(name)["Target"]["Input"])
    last_hour, last_minute = divmod((hour * 60 + minute + directive["DurationMinutes"]) % (24 * 60), 60)
    assert (on, f"{hour:02}:{minute:02}", f"{last_hour:02}:{last_minute:02}") == (days, start, end)
    assert directive["MinCapacity"] == floor


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_prewarm_sends_the_directive_for_the_service_named(name: str) -> None:
    directive = json.loads(schedule(name, PrewarmCluster="shop", PrewarmService="web")["Target"]["Input"])
    assert (directive["Directive"], directive["Cluster"], directive["Service"]) == ("prewarm", "shop", "web")
    assert directive["ScheduledTime"] == "<aws.scheduler.scheduled-time>"
    assert directive["Owner"]
    assert directive["Reason"]
    owners = [json.loads(schedule(other)["Target"]["Input"])["Owner"] for other in SCHEDULES]
    assert len(set(owners)) == len(owners)


class Stored:
    """A directive store that keeps what it is given."""

    def __init__(self) -> None:
        self.floors: list[Floor | Pause] = []

    def put_directive(self, directive: Floor | Pause, at: float, request_id: str) -> bool:
        self.floors.append(directive)
        return True

    def poll(self) -> Head:
        return Head(1, tuple(self.floors))


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_scaler_takes_what_a_schedule_sends(name: str) -> None:
    sent = schedule(name)["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", "2026-01-05T08:30:00Z")
    request = parse_directive(json.loads(sent))
    assert isinstance(request, Prewarm)
    document = parse_document((ROOT / "policies.yaml").read_text(), "policies.yaml")
    store = Stored()
    carry_out(request, document, store, now=1767601800.0, request_id="1")
    [floor] = store.floors
    assert isinstance(floor, Floor)
    assert floor.service == "fast-scaling-cluster/fast-scaling-service"
    # The floor ends when the schedule says, counted from its scheduled time.
    assert floor.expires_at == 1767601800.0 + 60 * json.loads(sent)["DurationMinutes"]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_prewarm_fires_on_time_in_the_users_time_zone(name: str) -> None:
    assert schedule(name, PrewarmTimezone="Europe/Berlin")["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule(name)["ScheduleExpressionTimezone"] == "UTC"
    assert schedule(name)["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert "Name" not in schedule(name)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_sample_fires_only_after_the_operator_enabled_it(name: str) -> None:
    assert schedule(name)["State"] == "DISABLED"
    assert schedule(name, PrewarmState="ENABLED")["State"] == "ENABLED"


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_prewarm_that_cannot_be_delivered_is_retried_and_then_kept(name: str) -> None:
    target = schedule(name)["Target"]
    assert target["Arn"] == "ScalerFunction.Arn"
    assert target["RetryPolicy"]["MaximumRetryAttempts"] >= 1
    assert 60 <= target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 3600
    assert target["DeadLetterConfig"] == {"Arn": "UndeliveredSchedulesQueue.Arn"}
    assert target["RoleArn"] == "ScheduleRole.Arn"
    assert reach("ScheduleRole", "sqs:SendMessage") == {"UndeliveredSchedulesQueue.Arn"}


# --- Roles


def test_the_roles_are_these_and_none_has_a_managed_policy() -> None:
    roles = of_type("AWS::IAM::Role")
    assert set(roles) == {"ScalerRole", "SyntheticMetricsRole", "ScheduleRole"}
    assert [name for name, role in roles.items() if role.get("ManagedPolicyArns")] == []
    assert {f["Role"] for f in of_type("AWS::Lambda::Function").values()} == {
        "ScalerRole.Arn",
        "SyntheticMetricsRole.Arn",
    }


@pytest.mark.parametrize("role", ["ScalerRole", "SyntheticMetricsRole", "ScheduleRole"])
def test_no_action_is_a_wildcard_and_no_write_reaches_everything(role: str) -> None:
    for statement in statements(role):
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource"} & statement.keys()
        assert [action for action in statement["Action"] if "*" in action] == []
        if "*" not in statement["Resource"] or set(statement["Action"]) <= READS_WITHOUT_RESOURCES:
            continue
        if set(statement["Action"]) <= READS_OF_A_CLUSTER:
            assert set(statement["Condition"]) == {"ArnLike"}
            assert set(statement["Condition"]["ArnLike"]) == {"ecs:cluster"}
        else:
            assert statement["Action"] == ["cloudwatch:PutMetricData"]
            assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "FastScaling/Application"}}


def test_the_scaler_scales_only_the_services_given() -> None:
    arns = {
        "arn:aws:ecs:eu-west-1:111122223333:service/shop/web",
        "arn:aws:ecs:eu-west-1:111122223333:service/shop/api",
    }
    assert reach("ScalerRole", "ecs:UpdateService", ServiceArns=",".join(sorted(arns))) == arns
    assert reach("ScalerRole", "ecs:DescribeServices", ServiceArns=",".join(sorted(arns))) == arns


@pytest.mark.parametrize(
    ("services", "clusters"),
    [
        (["arn:aws:ecs:eu-west-1:111122223333:service/shop/web"], {"arn:aws:ecs:eu-west-1:111122223333:cluster/shop"}),
        (
            ["arn:aws:ecs:*:*:service/shop/web", "arn:aws:ecs:*:*:service/shop/api", "arn:aws:ecs:*:*:service/bank/*"],
            {"arn:aws:ecs:*:*:cluster/shop", "arn:aws:ecs:*:*:cluster/bank"},
        ),
        (["arn:aws-cn:ecs:cn-north-1:1:service/*-shop/*"], {"arn:aws-cn:ecs:cn-north-1:1:cluster/*-shop"}),
    ],
)
def test_the_scaler_reads_tasks_only_in_the_clusters_of_the_services_given(
    services: list[str], clusters: set[str]
) -> None:
    [reading] = [s for s in statements("ScalerRole", ServiceArns=",".join(services)) if "ecs:ListTasks" in s["Action"]]
    assert set(reading["Action"]) == READS_OF_A_CLUSTER
    allowed = reading["Condition"]["ArnLike"]["ecs:cluster"]
    assert {arn for arn in allowed if ":cluster/" in arn} == clusters
    # What else stands there is no cluster's ARN, so it allows nothing.
    assert {arn.rsplit("/", 1)[0] for arn in allowed if ":cluster/" not in arn} == {"arn:aws:ecs:::service"}


def test_the_scaler_changes_services_state_and_logs_and_nothing_else() -> None:
    actions = {action for statement in statements("ScalerRole") for action in statement["Action"]}
    assert actions - READS_WITHOUT_RESOURCES - READS_OF_A_CLUSTER == {
        "ecs:DescribeServices",
        "ecs:UpdateService",
        "dynamodb:ConditionCheckItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "sqs:SendMessage",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert {r for action in actions if action.startswith("dynamodb:") for r in reach("ScalerRole", action)} == {
        "StateTable.Arn"
    }


def test_the_drill_publishes_to_one_namespace_and_scales_nothing() -> None:
    [publish] = [
        s
        for s in statements("SyntheticMetricsRole", MetricNamespace="Shop")
        if "cloudwatch:PutMetricData" in s["Action"]
    ]
    assert publish["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Shop"}}
    assert reach("SyntheticMetricsRole", "ecs:DescribeServices") == {
        "arn:aws:ecs:*:*:service/fast-scaling-cluster/fast-scaling-service"
    }
    assert reach("SyntheticMetricsRole", "ecs:UpdateService") == set()


def test_only_this_accounts_schedules_may_use_their_role_and_only_for_the_scaler() -> None:
    [trust] = properties("ScheduleRole")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert reach("ScheduleRole", "lambda:InvokeFunction") == {"ScalerFunction.Arn"}


# --- What the SAM CLI reads besides the template


def test_samconfig_agrees_with_the_template() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]
    parameters = yaml_parse(SOURCE)["Parameters"]
    overrides = dict(item.split("=", 1) for item in config["global"]["parameters"]["parameter_overrides"])
    assert {name: parameters[name]["Default"] for name in overrides} == overrides
    assert "region" not in config["global"]["parameters"]


def test_a_local_run_uses_the_table_that_a_deployment_makes() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]
    assert config["global"]["parameters"]["stack_name"] == STACK
    assert config["local_invoke"]["parameters"] == config["local_start_lambda"]["parameters"]
    local = json.loads((ROOT / config["local_invoke"]["parameters"]["env_vars"]).read_text())
    assert local == {"ScalerFunction": {"TABLE_NAME": properties("StateTable")["TableName"]}}


def test_what_pip_builds_in_the_librarys_folder_stays_out_of_its_layer() -> None:
    content = ROOT / yaml_parse(SOURCE)["Resources"]["FastScalerLayer"]["Properties"]["ContentUri"]
    build = tomllib.loads((content / "pyproject.toml").read_text())["tool"]["distutils"]["build"]
    # Folders that `sam build` leaves out (aws_lambda_builders, python_pip, EXCLUDED_FILES).
    assert build["build_base"].split("/")[0] in (".cache", ".aws-sam", ".tox", ".nox")


def test_the_policies_layer_holds_the_roots_document() -> None:
    content = ROOT / yaml_parse(SOURCE)["Resources"]["PoliciesLayer"]["Properties"]["ContentUri"]
    assert [file.name for file in content.iterdir()] == ["policies.yaml"]
    assert (content / "policies.yaml").resolve() == ROOT / "policies.yaml"
