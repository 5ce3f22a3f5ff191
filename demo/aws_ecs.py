"""moto's ECS, corrected: tasks take time to start, and DescribeServices says so.

moto shows no task running until the first UpdateService and then all of them, leaves `deployments[]` as it was at
creation, keeps the PRIMARY deployment IN_PROGRESS for ever and accepts a desired count below zero.
"""

from collections.abc import Callable
from threading import RLock
from typing import Any

from moto.ecs import urls
from moto.ecs.exceptions import ECSException, InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service

from demo.fleet import Fleet

SERVICES_PER_DESCRIBE = 10


class Fleets:
    """The fleets of all services, by (cluster, service), and what new ones are made with."""

    def __init__(self, start_seconds: float, health_seconds: float) -> None:
        self.start_seconds = start_seconds
        self.health_seconds = health_seconds
        self._fleets: dict[tuple[str, str], Fleet] = {}

    def __getitem__(self, key: tuple[str, str]) -> Fleet:
        return self._fleets[key]

    def reset(self) -> None:
        self._fleets.clear()

    def create(self, service: Service) -> None:
        target_groups = tuple(
            (str(lb["targetGroupArn"]), int(lb.get("containerPort", 80)))
            for lb in service.load_balancers
            if "targetGroupArn" in lb
        )
        self._fleets[service.cluster_name, service.name] = Fleet(
            service.desired_count, self.start_seconds, self.health_seconds, target_groups
        )

    def behind(self, target_group_arn: str) -> list[tuple[Fleet, int]]:
        """The fleets that are registered in this target group, each with its port."""
        return [
            (fleet, port)
            for fleet in list(self._fleets.values())
            for arn, port in fleet.target_groups
            if arn == target_group_arn
        ]


class Ecs(EC2ContainerServiceBackend):
    """The backend of one account and Region."""

    def __init__(self, region_name: str, account_id: str, *, fleets: Fleets, clock: Callable[[], float]) -> None:
        super().__init__(region_name, account_id)
        self._fleets = fleets
        self._clock = clock
        # The server answers each connection on a thread of its own; moto's own steps are not atomic.
        self._lock = RLock()

    def reset(self) -> None:
        """moto's reset throws the backends away; its own version of this method would need `__init__`'s signature."""

    @property
    def _url_module(self) -> Any:
        return urls

    def create_service(self, *args: Any, **kwargs: Any) -> Service:
        with self._lock:
            service = super().create_service(*args, **kwargs)
            self._fleets.create(service)
            return self._brought_up_to_date(service)

    def describe_services(
        self, cluster_str: str, service_names_or_arns: list[str]
    ) -> tuple[list[Service], list[dict[str, str]]]:
        if len(service_names_or_arns) > SERVICES_PER_DESCRIBE:
            raise InvalidParameterException("Services cannot have more than 10 elements.")
        with self._lock:
            services, failures = super().describe_services(cluster_str, service_names_or_arns)
            return [self._brought_up_to_date(service) for service in services], failures

    def update_service(self, service_properties: dict[str, Any]) -> Service:
        desired = service_properties.get("desired_count")
        if desired is not None and desired < 0:
            raise InvalidParameterException("Desired count must be greater than or equal to 0.")
        cluster = service_properties.get("cluster", "default")
        with self._lock:
            services, _ = super().describe_services(cluster, [service_properties["service"]])
            if services and services[0].status != "ACTIVE":
                raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
            service = super().update_service(service_properties)
            if desired is not None:
                self._fleets[service.cluster_name, service.name].set_desired(desired, self._clock())
            return self._brought_up_to_date(service)

    def _brought_up_to_date(self, service: Service) -> Service:
        fleet = self._fleets[service.cluster_name, service.name]
        service.running_count = fleet.running(self._clock())
        service.pending_count = fleet.desired - service.running_count
        if service.deployments:
            service.deployments = _deployments(service, fleet)
        return service


def _deployments(service: Service, fleet: Fleet) -> list[dict[str, Any]]:
    """One settled PRIMARY deployment; while a test has one in progress, all tasks still belong to the older one."""
    counts = {
        "desiredCount": fleet.desired,
        "runningCount": service.running_count,
        "pendingCount": service.pending_count,
        "failedTasks": 0,
    }
    primary: dict[str, Any] = dict(service.deployments[0])
    settled = primary | counts | _rollout(primary["id"], "COMPLETED") | {"status": "PRIMARY"}
    if not fleet.deploying:
        return [settled]
    waiting = {"runningCount": 0, "pendingCount": fleet.desired}
    replacing = primary | counts | waiting | _rollout(primary["id"], "IN_PROGRESS") | {"status": "PRIMARY"}
    older_id = "ecs-svc/1000000000000000000"
    return [replacing, settled | {"id": older_id, "status": "ACTIVE"} | _rollout(older_id, "COMPLETED")]


def _rollout(deployment_id: str, state: str) -> dict[str, str]:
    words = "completed" if state == "COMPLETED" else "in progress"
    return {"rolloutState": state, "rolloutStateReason": f"ECS deployment {deployment_id} {words}."}
