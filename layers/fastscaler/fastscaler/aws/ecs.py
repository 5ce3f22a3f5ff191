"""Reads services and sets their desired count; counts the healthy targets behind them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fastscaler.aws.calls import READ, WRITE, calling, in_parallel
from fastscaler.errors import AccessDenied, AwsError, Defect, NotFound, Rejected
from fastscaler.scaling.observation import ServiceState

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import ServiceTypeDef

MAX_SERVICES = 10  # DescribeServices: "You may specify up to 10 services to describe in a single operation."


class Ecs:
    """The port `ServiceApi`, on ECS. Services are named `cluster/service`."""

    def __init__(self, reader: "ECSClient", writer: "ECSClient") -> None:
        self._reader, self._writer = reader, writer
        self._alone: set[str] = set()  # Services that ECS refused to describe; each is asked for apart.

    @classmethod
    def connect(cls) -> "Ecs":
        """An adapter with clients of its own: reads are retried, writes are not."""
        import boto3

        return cls(boto3.client("ecs", config=READ), boto3.client("ecs", config=WRITE))

    def describe(self, services: Sequence[str]) -> dict[str, ServiceState | AwsError]:
        """The state of each service, or why it is not known; one call for ten services of a cluster."""
        by_cluster: dict[str, list[str]] = defaultdict(list)
        for service in services:
            if service not in self._alone:
                by_cluster[service.split("/", 1)[0]].append(service)
        chunks = [
            keys[start : start + MAX_SERVICES]
            for keys in by_cluster.values()
            for start in range(0, len(keys), MAX_SERVICES)
        ]
        chunks += ([service] for service in services if service in self._alone)
        found: dict[str, ServiceState | AwsError] = {}
        for answers in in_parallel(self._describe, chunks):
            found.update(answers)
        return found

    def _describe(self, services: list[str]) -> dict[str, ServiceState | AwsError]:
        """The states of up to ten services of one cluster."""
        cluster = services[0].split("/", 1)[0]
        try:
            with calling("DescribeServices"):
                names = [service.split("/", 1)[1] for service in services]
                response = self._reader.describe_services(cluster=cluster, services=names)
        except (AccessDenied, Rejected) as error:
            if len(services) == 1:
                self._alone.update(services)
                return {services[0]: error}
            # One service that the role may not read fails the whole call: halve it until that service is found.
            half = len(services) // 2
            return self._describe(services[:half]) | self._describe(services[half:])
        except AwsError as error:
            return dict.fromkeys(services, error)
        self._alone.difference_update(services)
        states = {f"{cluster}/{service.get('serviceName')}": _readable(service) for service in response["services"]}
        return {
            key: states.get(key) or NotFound("DescribeServices", "MISSING", f"no service {key}") for key in services
        }

    def update(self, service: str, desired: int) -> None:
        """Sets the desired count and nothing else, so that no deployment starts. One attempt.

        Raises Unavailable where it is not known whether the call took effect, another AwsError where it did not.
        """
        cluster, name = service.split("/", 1)
        with calling("UpdateService"):
            self._writer.update_service(cluster=cluster, service=name, desiredCount=desired)


def _readable(service: "ServiceTypeDef") -> ServiceState | AwsError:
    """The state of the service; an error where the answer lacks something, so that the others are read all the same."""
    try:
        return _state(service)
    except Exception as error:
        return Defect.of("DescribeServices", error)


def _state(service: "ServiceTypeDef") -> ServiceState:
    deployments = service.get("deployments", [])
    rolling = any(
        deployment.get("rolloutState") == "IN_PROGRESS"
        for deployment in deployments
        if deployment["status"] == "PRIMARY"
    )
    targets = (balancer.get("targetGroupArn", "") for balancer in service.get("loadBalancers", []))
    return ServiceState(
        desired=service["desiredCount"],
        running=service["runningCount"],
        pending=service["pendingCount"],
        status=service["status"],
        scheduling_strategy=service.get("schedulingStrategy", "REPLICA"),
        express_managed=service.get("resourceManagementType") == "ECS",
        deployment_in_progress=rolling or len(deployments) > 1 or len(service.get("taskSets", [])) > 1,
        target_groups=tuple(arn for arn in targets if arn),
        deployment=next((one["id"] for one in (*deployments, *service.get("taskSets", [])) if _is_primary(one)), ""),
    )


def _is_primary(deployment: Mapping[str, object]) -> bool:
    """The most recent deployment, or the task set in production where deployments consist of task sets."""
    return deployment.get("status") == "PRIMARY"
