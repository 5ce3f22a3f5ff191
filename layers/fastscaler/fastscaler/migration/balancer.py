"""The service's load balancer, as the block `LoadBalancer`, where there is one that it can name."""

import re
from collections.abc import Mapping
from typing import Any

from fastscaler.migration.commented_yaml import ABSENT, Note, Noted

LEFT_OUT = "LoadBalancer is left out: "
WHAT_IT_DOES = (
    "No task is taken away while it rejects connections, answers more than 1% of requests with a 5xx of its own, or "
    "cannot be read. Its request counts have a say once a policy is on a per-task metric in requests per second "
    "(RequestMetric)."
)


def load_balancer(ecs_service: Mapping[str, Any], target_groups: tuple[Mapping[str, Any], ...]) -> Noted | None:
    """The block, or a comment why there is none; None for a service without load balancer."""
    found = [(group, arn) for group in target_groups for arn in group.get("LoadBalancerArns", [])]
    if not target_groups:
        return None
    if ecs_service.get("deploymentController", {}).get("type") == "CODE_DEPLOY" or _alternates(ecs_service):
        return _left_out("a blue/green deployment changes between target groups, and the block can name one only.")
    if not found:
        return _left_out("no load balancer sends requests to the service's target group.")
    if len(found) > 1:
        groups = ", ".join(_end(group["TargetGroupArn"], "targetgroup/") for group, _ in found)
        return _left_out(f"there are several, and the block can name one only. Target groups: {groups}.")
    [(group, arn)] = found
    balancer = _end(arn, "app/")
    if not balancer.startswith("app/"):
        return _left_out("only an Application Load Balancer counts requests, and the service has another kind.")
    names = {"LoadBalancer": balancer, "TargetGroup": _end(group["TargetGroupArn"], "targetgroup/")}
    return Noted(names, [Note(WHAT_IT_DOES, differs=False)])


def _alternates(ecs_service: Mapping[str, Any]) -> bool:
    balancers = ecs_service.get("loadBalancers", [])
    return any(one.get("advancedConfiguration", {}).get("alternateTargetGroupArn") for one in balancers)


def _end(arn: str, begins: str) -> str:
    """What CloudWatch calls the resource: the end of its ARN."""
    found = re.search(f"[:/]({begins}.+)$", arn)
    return found[1] if found else arn


def _left_out(why: str) -> Noted:
    return Noted(ABSENT, [Note(LEFT_OUT + why)])
