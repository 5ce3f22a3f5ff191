"""The user's side of the account: an ECS service behind a load balancer, which is there before FastScaler comes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.emulator import Emulator

CLUSTER, SERVICE = "fast-scaling-cluster", "fast-scaling-service"
KEY = f"{CLUSTER}/{SERVICE}"


def create(aws: Emulator, desired: int) -> None:
    """Creates cluster, service and load balancer under the names of the sample policy document."""
    ec2, elbv2, ecs = aws.client("ec2"), aws.client("elbv2"), aws.client("ecs")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    (balancer,) = elbv2.create_load_balancer(Name="fast-scaling-alb", Subnets=subnets)["LoadBalancers"]
    (group,) = elbv2.create_target_group(Name="fast-scaling", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")[
        "TargetGroups"
    ]
    elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.register_task_definition(
        family="app",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "app", "portMappings": [{"containerPort": 80}]}],
    )
    ecs.create_service(
        cluster=CLUSTER,
        serviceName=SERVICE,
        taskDefinition="app",
        desiredCount=desired,
        launchType="FARGATE",
        loadBalancers=[{"targetGroupArn": group["TargetGroupArn"], "containerName": "app", "containerPort": 80}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
    )


def register_targets(aws: Emulator, count: int) -> None:
    """What the emulator leaves undone: tasks that run become targets, which are healthy at once."""
    elbv2 = aws.client("elbv2")
    (group,) = elbv2.describe_target_groups(Names=["fast-scaling"])["TargetGroups"]
    targets = [{"Id": f"10.0.0.{number}", "Port": 80} for number in range(1, count + 1)]
    elbv2.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=targets)


def describe(aws: Emulator) -> dict[str, Any]:
    """The service as DescribeServices shows it."""
    (service,) = aws.client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
    found: dict[str, Any] = service
    return found


def desired(aws: Emulator) -> int:
    count: int = describe(aws)["desiredCount"]
    return count


def surge_at(aws: Emulator, above: float) -> float | None:
    """When the published load rose above `above` requests/s: the beginning of that 5 s bucket, as epoch seconds."""
    now = datetime.now(UTC)
    metric = {
        "Namespace": "FastScaling/Application",
        "MetricName": "RequestsPerSecond",
        "Dimensions": [{"Name": "Cluster", "Value": CLUSTER}, {"Name": "Service", "Value": SERVICE}],
    }
    (found,) = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "load", "MetricStat": {"Metric": metric, "Period": 5, "Stat": "Sum"}}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now,
    )["MetricDataResults"]
    points = sorted(zip(found["Timestamps"], found["Values"], strict=True))
    return next((at.timestamp() for at, load in points if load > above), None)


def surge(base: float, peak: float, *, seconds_before: int, seconds_at_peak: int, duration: int) -> dict[str, Any]:
    """An event for the synthetic function: `base` requests/s, a while `peak`, then `base` again."""
    rates = [base] * (seconds_before // 5) + [peak] * (seconds_at_peak // 5) + [base]
    return {
        "Profile": "trace",
        "Cluster": CLUSTER,
        "Service": SERVICE,
        "RequestsPerSecond": rates,
        "IntervalSeconds": 5,
        "DurationSeconds": duration,
        "Tasks": "running",
        "TaskCapacity": 140,
    }
