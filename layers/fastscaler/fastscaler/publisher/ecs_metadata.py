"""Who this task is, from the ECS task metadata endpoint, version 4.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
"""

import json
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
_TIMEOUT = 2.0  # Seconds. The endpoint is link-local; it answers in milliseconds or not at all.
# Link-local, so never through the proxy that the environment may name for everything else.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class TaskUnknown(Exception):
    """Cluster or service cannot be told; `temporary` when asking again may help."""

    def __init__(self, message: str, *, temporary: bool) -> None:
        self.temporary = temporary
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Task:
    """Names (not ARNs) of the cluster and the service that this process runs in: the dimensions of its metrics."""

    cluster: str
    service: str


def this_task(
    cluster: str | None = None, service: str | None = None, environment: Mapping[str, str] = os.environ
) -> Task:
    """The given names, completed from the metadata endpoint. Blocks for up to 2 s; raises `TaskUnknown`."""
    if cluster and service:
        return Task(cluster, service)
    uri = environment.get(_VARIABLE)
    if not uri:
        raise TaskUnknown(f"not in an ECS task ({_VARIABLE} is not set): give cluster and service", temporary=False)
    try:
        with _OPENER.open(f"{uri}/task", timeout=_TIMEOUT) as response:
            answer = json.load(response)
    except (OSError, ValueError) as error:
        raise TaskUnknown(f"the task metadata endpoint does not answer: {error}", temporary=True) from error
    # Cluster is an ARN or a short name; ServiceName is missing from tasks that no service started.
    cluster = cluster or str(answer.get("Cluster", "")).rpartition("/")[2]
    service = service or answer.get("ServiceName")
    if not cluster or not service:
        raise TaskUnknown("the task metadata names no cluster or no service: give cluster and service", temporary=False)
    return Task(cluster, service)
