"""Lambda function: publishes the metrics that a service under a given load would publish, to try the scaler with."""

import os
from dataclasses import asdict
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from beats import SystemClock, run
from botocore.config import Config
from renamed import Renamed
from synthetic_event import parse_event
from task_count import FixedTasks, RunningTasks

from fastscaler.publisher.sinks import CloudWatchSink, cloudwatch_client

# One call and its one retry end within 6 s.
_ECS_CONFIG = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"})


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run the profile in `event`; return what was published. Every key is documented in events/README.md."""
    namespace = os.environ.get("METRIC_NAMESPACE")
    if not namespace:
        raise RuntimeError("METRIC_NAMESPACE is not set: give the function the namespace to publish to")
    synthetic = parse_event(event)
    cluster, service = synthetic.cluster, synthetic.service
    if synthetic.tasks == "running":
        tasks: RunningTasks | FixedTasks = RunningTasks(boto3.client("ecs", config=_ECS_CONFIG), cluster, service)
    else:
        tasks = FixedTasks(synthetic.tasks)
    client: Any = Renamed(cloudwatch_client(), synthetic.metric_prefix)
    sink = CloudWatchSink(namespace, cluster=cluster, service=service, client=client)
    clock = SystemClock()
    deadline = clock.now() + context.get_remaining_time_in_millis() / 1000
    return asdict(run(synthetic, sink, tasks, clock, deadline, Logger(service="synthetic-metrics")))
