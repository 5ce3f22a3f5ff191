"""Creates in the stand-in what the service's owner and `template.yaml` would have created, through boto3."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from demo.local_aws import REGION, LocalAws

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

TABLE = "fastscaler"
CLUSTER = "fast-scaling-cluster"
SERVICE = "fast-scaling-service"
# The names that policies.yaml gives for the load balancer; they are CloudWatch's dimensions.
LOAD_BALANCER = "app/fast-scaling-alb/50dc6c495c0c9188"
TARGET_GROUP = "targetgroup/fast-scaling/73e2d6bc24d8a067"


class Account:
    """boto3 clients that talk to the stand-in and retry nothing, and the resources made with them.

    `caller` is the name of these clients in the stand-in's call log.
    """

    # Service models are read and parsed once per session: 0.3 s for these five.
    _session = boto3.Session("local", "local", region_name=REGION)

    def __init__(self, aws: LocalAws, caller: str = "owner") -> None:
        self._aws = aws
        # The stubs of botocore do not have user_agent_appid yet.
        options: dict[str, Any] = {"user_agent_appid": caller}
        self._config = Config(proxies={}, retries={"total_max_attempts": 1}, **options)

    def create(self, *, desired: int, cluster: str = CLUSTER, service: str = SERVICE) -> None:
        """The table, and one service behind a load balancer with `desired` tasks that already run."""
        self.create_table()
        self.create_service(cluster, service, desired=desired, target_group_arn=self.create_load_balancer())

    def create_table(self, table: str = TABLE) -> None:
        """The table of template.yaml: keys pk and sk, on demand."""
        self.dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def create_load_balancer(self, load_balancer: str = LOAD_BALANCER, target_group: str = TARGET_GROUP) -> str:
        """A load balancer and a target group with these names and ids; returns the target group's ARN."""
        subnets = self._subnets()
        balancer_arn = self.elbv2.create_load_balancer(
            Name=load_balancer.split("/")[1], Subnets=[subnet["SubnetId"] for subnet in subnets[:2]]
        )["LoadBalancers"][0]["LoadBalancerArn"]
        balancer_arn = self._aws.elbv2.rename_load_balancer(balancer_arn, load_balancer)
        group_arn = self.elbv2.create_target_group(
            Name=target_group.split("/")[1], Protocol="HTTP", Port=80, TargetType="ip", VpcId=subnets[0]["VpcId"]
        )["TargetGroups"][0]["TargetGroupArn"]
        group_arn = self._aws.elbv2.rename_target_group(group_arn, target_group)
        self.elbv2.create_listener(
            LoadBalancerArn=balancer_arn,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group_arn}],
        )
        return group_arn

    def create_service(self, cluster: str, service: str, *, desired: int, target_group_arn: str | None = None) -> None:
        """A cluster, if there is none of this name, and a Fargate service in it whose tasks already run."""
        self.ecs.create_cluster(clusterName=cluster)
        self.ecs.register_task_definition(
            family=service,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "app", "image": "app", "portMappings": [{"containerPort": 80}]}],
        )
        subnet: str = self._subnets()[0]["SubnetId"]
        self.ecs.create_service(
            cluster=cluster,
            serviceName=service,
            taskDefinition=service,
            desiredCount=desired,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": []}},
            loadBalancers=[
                {"targetGroupArn": arn, "containerName": "app", "containerPort": 80}
                for arn in filter(None, [target_group_arn])
            ],
        )

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        return self._session.client("cloudwatch", endpoint_url=self._aws.endpoint_url, config=self._config)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return self._session.client("dynamodb", endpoint_url=self._aws.endpoint_url, config=self._config)

    @cached_property
    def ecs(self) -> "ECSClient":
        return self._session.client("ecs", endpoint_url=self._aws.endpoint_url, config=self._config)

    @cached_property
    def elbv2(self) -> "ElasticLoadBalancingv2Client":
        return self._session.client("elbv2", endpoint_url=self._aws.endpoint_url, config=self._config)

    def _subnets(self) -> list[dict[str, Any]]:
        """The subnets of the default VPC, which every account has."""
        # The installed stubs do not have EC2.
        ec2: Any = self._session.client("ec2", endpoint_url=self._aws.endpoint_url, config=self._config)
        subnets: list[dict[str, Any]] = ec2.describe_subnets()["Subnets"]
        return subnets
