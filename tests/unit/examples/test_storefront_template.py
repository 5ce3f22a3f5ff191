"""The storefront's template: what it would open to the internet, allow its tasks, and leave to the scaler."""

import json
import re
from typing import Any

import pytest
from cfnlint.api import lint

from fastscaler.document.parse import parse_document
from tests.unit.examples.template import ROOT, STOREFRONT, Stack, source

CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
EVERYBODY = "0.0.0.0/0"
PORT = 8000


def stack(**parameters: str) -> Stack:
    return Stack(STOREFRONT, ImageTag="1", **parameters)


@pytest.fixture(params=["", CERTIFICATE], ids=["http", "https"])
def either(request: pytest.FixtureRequest) -> Stack:
    """Without and with a certificate: for what must hold in both."""
    return stack(CertificateArn=request.param)


def container() -> dict[str, Any]:
    [found] = stack().properties("TaskDefinition")["ContainerDefinitions"]
    assert isinstance(found, dict)
    return found


def statements(role: str) -> list[dict[str, Any]]:
    found = [
        statement
        for policy in stack().properties(role)["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    for statement in found:
        if isinstance(statement["Action"], str):
            statement["Action"] = [statement["Action"]]
    return found


# --- Lint and parameters


def test_the_template_has_no_finding() -> None:
    assert lint((ROOT / STOREFRONT).read_text(), config={"include_checks": ["I"]}) == []


def test_it_has_no_finding_with_a_certificate_either() -> None:
    # cfn-lint tries every allowed value by itself, but a certificate has no list of them.
    template = source(STOREFRONT)
    template["Parameters"]["CertificateArn"]["Default"] = CERTIFICATE
    assert lint(json.dumps(template), config={"include_checks": ["I"]}) == []


def test_every_parameter_is_described_and_shown_in_one_group() -> None:
    template = source(STOREFRONT)
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    assert set(interface["ParameterLabels"]) == set(template["Parameters"])
    assert [name for name, parameter in template["Parameters"].items() if not parameter.get("Description")] == []


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("ImageTag", ["1", "2027-01-15", "v1.2_3"], ["", "storefront:1", "-1", "a" * 129]),
        ("Repository", ["storefront", "team/store-front"], ["", "Storefront", "111122223333.dkr.ecr/x:1", "/x"]),
        ("ClusterName", ["fast-scaling-cluster"], ["", "arn:aws:ecs:eu-west-1:111122223333:cluster/shop"]),
        ("ServiceName", ["fast_scaling-service"], ["", "shop/web"]),
        ("CertificateArn", ["", CERTIFICATE], ["yes", "arn:aws:iam::111122223333:server-certificate/x"]),
    ],
)
def test_parameters_refuse_what_cannot_work(name: str, accepted: list[str], refused: list[str]) -> None:
    pattern = source(STOREFRONT)["Parameters"][name]["AllowedPattern"]
    assert [value for value in accepted if not re.fullmatch(pattern, value)] == []
    assert [value for value in refused if re.fullmatch(pattern, value)] == []


def test_the_image_is_the_one_that_was_asked_for() -> None:
    image = Stack(STOREFRONT, Repository="team/shop", ImageTag="42").properties("TaskDefinition")
    [one] = image["ContainerDefinitions"]
    assert one["Image"] == "111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/shop:42"


# --- What the internet reaches


def test_nothing_is_open_to_the_internet_but_the_load_balancer(either: Stack) -> None:
    groups = either.of_type("AWS::EC2::SecurityGroup")
    public = {name for name, group in groups.items() if EVERYBODY in json.dumps(group["SecurityGroupIngress"])}
    assert public == {"LoadBalancerSecurityGroup"}
    users = {
        name
        for name, resource in either.resources.items()
        if resource["Type"] != "AWS::EC2::SecurityGroup"
        and "LoadBalancerSecurityGroup" in json.dumps(resource["Properties"])
    }
    assert users == {"LoadBalancer"}


def test_only_the_ports_that_are_listened_on_are_open(either: Stack) -> None:
    rules = either.properties("LoadBalancerSecurityGroup")["SecurityGroupIngress"]
    listeners = either.of_type("AWS::ElasticLoadBalancingV2::Listener").values()
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {
        (listener["Port"], listener["Port"]) for listener in listeners
    }


def test_tasks_are_reached_by_the_load_balancer_alone(either: Stack) -> None:
    [rule] = either.properties("TaskSecurityGroup")["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == "LoadBalancerSecurityGroup"
    assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (PORT, PORT, "tcp")
    assert not {"CidrIp", "CidrIpv6", "SourcePrefixListId"} & rule.keys()
    network = either.properties("Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["SecurityGroups"] == ["TaskSecurityGroup"]


def test_what_leaves_is_limited_too(either: Stack) -> None:
    [to_tasks] = either.properties("LoadBalancerSecurityGroup")["SecurityGroupEgress"]
    assert (to_tasks["CidrIp"], to_tasks["FromPort"], to_tasks["ToPort"]) == ("Vpc.CidrBlock", PORT, PORT)
    [to_aws] = either.properties("TaskSecurityGroup")["SecurityGroupEgress"]
    assert (to_aws["FromPort"], to_aws["ToPort"]) == (443, 443)


def test_no_rule_is_added_beside_the_groups() -> None:
    kinds = {resource["Type"] for resource in stack().resources.values()}
    assert not kinds & {"AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}


def test_nothing_bills_by_the_hour_for_a_way_to_the_internet() -> None:
    kinds = {resource["Type"] for resource in stack().resources.values()}
    assert not kinds & {"AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::VPCEndpoint"}
    # So tasks need an address of their own, and a route, to fetch their image and to publish.
    network = stack().properties("Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "ENABLED"
    assert stack().properties("InternetRoute")["GatewayId"] == "InternetGateway"
    assert {"InternetRoute", "SubnetARoutes", "SubnetBRoutes"} <= set(stack().resources["Service"]["DependsOn"])


def test_there_are_two_zones_with_room_for_the_largest_fleet() -> None:
    subnets = stack().of_type("AWS::EC2::Subnet")
    assert {subnet["AvailabilityZone"] for subnet in subnets.values()} == {"zone-a", "zone-b"}
    assert {subnet["CidrBlock"] for subnet in subnets.values()} == {"10.0.0.0/20", "10.0.16.0/20"}
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets.values())
    assert set(stack().properties("LoadBalancer")["Subnets"]) == set(subnets)


# --- Load balancer


def test_http_is_the_default() -> None:
    [listener] = stack().of_type("AWS::ElasticLoadBalancingV2::Listener").values()
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")
    assert listener["DefaultActions"] == [{"Type": "forward", "TargetGroupArn": "TargetGroup"}]
    assert stack().outputs["Url"]["Value"] == "http://LoadBalancer.DNSName"


def test_with_a_certificate_nothing_is_served_over_http() -> None:
    secure = stack(CertificateArn=CERTIFICATE)
    [redirect] = secure.properties("HttpListener")["DefaultActions"]
    assert redirect == {
        "Type": "redirect",
        "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
    }
    https = secure.properties("HttpsListener")
    assert https["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert https["DefaultActions"] == [{"Type": "forward", "TargetGroupArn": "TargetGroup"}]
    assert "TLS13-1-2" in https["SslPolicy"]
    assert secure.outputs["Url"]["Value"] == "https://LoadBalancer.DNSName"


def test_the_service_waits_for_the_listener_that_forwards_to_it(either: Stack) -> None:
    after = either.resources["Service"]["Metadata"]["After"]
    assert either.properties(after)["DefaultActions"][0]["Type"] == "forward"


def test_a_new_task_is_healthy_after_ten_seconds_and_a_leaving_one_gone_after_ten() -> None:
    group = stack().properties("TargetGroup")
    assert group["HealthCheckIntervalSeconds"] == 5
    assert group["HealthCheckTimeoutSeconds"] == 4
    assert (group["HealthyThresholdCount"], group["UnhealthyThresholdCount"]) == (2, 2)
    assert group["HealthCheckPath"] == "/health"
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "10"} in group["TargetGroupAttributes"]
    assert (group["TargetType"], group["Port"]) == ("ip", PORT)


# --- Service


def test_a_redeploy_leaves_the_desired_count_alone() -> None:
    # CloudFormation, AWS::ECS::Service, DesiredCount: "For existing services, if a desired count is not specified, it
    # is omitted from the operation." Any value, a parameter's too, would be sent with every update of the service.
    text = json.dumps(source(STOREFRONT)["Resources"]["Service"]["Properties"])
    assert "DesiredCount" not in text


def test_the_service_is_never_replaced_by_one_with_a_single_task() -> None:
    # A name of its own: CloudFormation refuses to replace a named resource.
    assert stack(ServiceName="shop").properties("Service")["ServiceName"] == "shop"


def test_nothing_else_scales_the_service() -> None:
    kinds = {resource["Type"] for resource in stack().resources.values()}
    assert not [kind for kind in kinds if kind.startswith("AWS::ApplicationAutoScaling")]


def test_a_deployment_that_fails_is_rolled_back_and_never_lacks_tasks() -> None:
    rules = stack().properties("Service")["DeploymentConfiguration"]
    assert rules["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert (rules["MinimumHealthyPercent"], rules["MaximumPercent"]) == (100, 200)


def test_cpu_at_20_seconds_is_there_for_those_who_ask_and_pay() -> None:
    assert "Monitoring" not in stack().properties("Service")
    [found] = stack(CpuMetricSeconds="20").properties("Service")["Monitoring"]["MetricConfigurations"]
    assert found == {"MetricNames": ["CPUUtilization"], "ResolutionSeconds": 20}
    assert stack().properties("Cluster")["ClusterSettings"] == [{"Name": "containerInsights", "Value": "disabled"}]


# --- Task


def test_a_task_is_the_smallest_there_is() -> None:
    task = stack(Architecture="ARM64").properties("TaskDefinition")
    assert (task["Cpu"], task["Memory"]) == ("256", "512")
    assert task["RuntimePlatform"]["CpuArchitecture"] == "ARM64"


def test_nobody_gets_into_a_task_and_nothing_in_it_can_be_changed() -> None:
    assert stack().properties("Service")["EnableExecuteCommand"] is False
    assert container()["ReadonlyRootFilesystem"] is True
    assert container()["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert not {"Privileged", "Secrets", "Environment"} & container().keys()


def test_the_log_ends_and_never_stops_a_task() -> None:
    assert stack(LogRetentionDays="3").properties("LogGroup")["RetentionInDays"] == "3"
    options = container()["LogConfiguration"]["Options"]
    assert options["awslogs-group"] == "LogGroup"
    assert options["mode"] == "non-blocking"


def test_the_application_may_publish_in_its_namespace_and_nothing_else() -> None:
    [publish] = statements("TaskRole")
    assert publish["Action"] == ["cloudwatch:PutMetricData"]
    assert publish["Condition"] == {"StringEquals": {"cloudwatch:namespace": "FastScaling/Application"}}
    assert stack().properties("TaskDefinition")["TaskRoleArn"] == "TaskRole.Arn"


def test_ecs_may_pull_this_image_and_write_this_log_and_nothing_else() -> None:
    reach = {action: s["Resource"] for s in statements("ExecutionRole") for action in s["Action"]}
    repository = "arn:aws:ecr:eu-central-1:111122223333:repository/storefront"
    assert reach == {
        "ecr:GetAuthorizationToken": "*",
        "ecr:BatchCheckLayerAvailability": repository,
        "ecr:BatchGetImage": repository,
        "ecr:GetDownloadUrlForLayer": repository,
        "logs:CreateLogStream": "LogGroup.Arn",
        "logs:PutLogEvents": "LogGroup.Arn",
    }


def test_roles_are_for_tasks_and_have_no_managed_policy() -> None:
    roles = stack().of_type("AWS::IAM::Role")
    assert set(roles) == {"TaskRole", "ExecutionRole"}
    for role in roles.values():
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert "ManagedPolicyArns" not in role
    [trust] = roles["TaskRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


# --- What the scaler takes


def test_the_outputs_are_what_policies_and_samconfig_take() -> None:
    values = {name: output["Value"] for name, output in stack().outputs.items()}
    assert values == {
        "Url": "http://LoadBalancer.DNSName",
        "ClusterName": "Cluster",  # Ref of a cluster is its name, of a service its ARN.
        "ServiceName": "Service.Name",
        "ServiceArn": "Service",
        "LoadBalancer": "LoadBalancer.LoadBalancerFullName",
        "TargetGroup": "TargetGroup.TargetGroupFullName",
    }
    exported = {name: output["Export"]["Name"] for name, output in stack().outputs.items() if "Export" in output}
    assert exported == {name: f"storefront-{name}" for name in values if name != "Url"}


@pytest.mark.parametrize("path", ["examples/storefront/policies.yaml", "policies.yaml"])
def test_the_default_names_are_those_of_the_samples(path: str) -> None:
    [service] = parse_document((ROOT / path).read_text(), path).services
    found = stack()
    assert service.cluster == found.properties("Cluster")["ClusterName"]
    assert service.service == found.properties("Service")["ServiceName"]
    assert {"Cluster": service.cluster, "Service": service.service} in [
        metric.dimensions for metric in service.metrics.values() if hasattr(metric, "dimensions")
    ]


def test_deleting_the_stack_leaves_nothing_behind() -> None:
    kept = [name for name, one in stack().resources.items() if one.get("DeletionPolicy", "Delete") != "Delete"]
    assert kept == []
