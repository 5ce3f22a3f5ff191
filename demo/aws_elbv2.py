"""moto's ELBv2, corrected: the targets of a target group are the running tasks of the services behind it."""

from collections.abc import Callable
from typing import Any

from moto.elbv2 import urls
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus

from demo.aws_ecs import Fleets


class Elbv2(ELBv2Backend):
    """The backend of one account and Region."""

    def __init__(self, region_name: str, account_id: str, *, fleets: Fleets, clock: Callable[[], float]) -> None:
        super().__init__(region_name, account_id)
        self._fleets = fleets
        self._clock = clock

    def reset(self) -> None:
        """moto's reset throws the backends away; its own version of this method would need `__init__`'s signature."""

    @property
    def _url_module(self) -> Any:
        return urls

    def rename_load_balancer(self, arn: str, name_and_id: str) -> str:
        """Gives a load balancer the id that a test or the policy document names; moto's ids are random."""
        balancer = self.load_balancers.pop(arn)
        balancer.arn = f"{arn.partition(':loadbalancer/')[0]}:loadbalancer/{name_and_id}"
        self.load_balancers[balancer.arn] = balancer
        return str(balancer.arn)

    def rename_target_group(self, arn: str, name_and_id: str) -> str:
        """The same for a target group."""
        group = self.target_groups.pop(arn)
        group.arn = f"{arn.partition(':targetgroup/')[0]}:{name_and_id}"
        self.target_groups[group.arn] = group
        return str(group.arn)

    def describe_target_health(self, target_group_arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
        fleets = self._fleets.behind(target_group_arn)
        if not fleets:
            return super().describe_target_health(target_group_arn, targets)
        wanted = {target["Id"] for target in targets}
        now = self._clock()
        return [
            _health(address, port, state)
            for fleet, port in fleets
            for address, state in fleet.targets(now).items()
            if not wanted or address in wanted
        ]


def _health(address: str, port: int, state: str) -> FakeHealthStatus:
    if state == "healthy":
        return FakeHealthStatus(address, str(port), "traffic-port", "healthy")
    return FakeHealthStatus(
        address, str(port), "traffic-port", "initial", "Elb.InitialHealthChecking", "Initial health checks in progress"
    )
