"""Lambda function: the scaler. A scheduled event runs the control loop; a directive is stored; `observe` reports."""

import os
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fastscaler import invocation
from fastscaler.aws import autoscaling, cloudwatch, dynamodb, ecs, elbv2, stopped_tasks
from fastscaler.clock import SystemClock
from fastscaler.pace import Pace


@cache
def adapters() -> invocation.Adapters:
    """The clients, made once per sandbox; the learned delay lives as long as they do."""
    return invocation.Adapters(
        table=dynamodb.Table.connect(os.environ["TABLE_NAME"]),
        metrics=cloudwatch.CloudWatch.connect(),
        ecs=ecs.Ecs.connect(),
        stopped=stopped_tasks.EcsStoppedTasks(),
        scalable=autoscaling.ApplicationAutoScaling(),
        targets=elbv2.TargetGroups(),
        clock=SystemClock(),
        pace=Pace(),
        logger=Logger(),
        policies_file=os.environ["POLICIES_FILE"],
        metrics_namespace=os.environ["POWERTOOLS_METRICS_NAMESPACE"],
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Carries out one event; what can be asked is documented in events/README.md."""
    return invocation.handle(
        event, adapters(), seconds_left=context.get_remaining_time_in_millis() / 1000, request_id=context.aws_request_id
    )
