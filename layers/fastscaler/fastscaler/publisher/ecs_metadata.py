"""Who this task is, from the ECS task metadata endpoint, version 4.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
"""

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from typing import Any

_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
_TRIES, _PAUSE = 3, 0.3  # Tries to learn the task's ARN, and the seconds between them.
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
    answer = _task_metadata(environment)
    if answer is None:
        raise TaskUnknown(f"not in an ECS task ({_VARIABLE} is not set): give cluster and service", temporary=False)
    # Cluster is an ARN or a short name; ServiceName is missing from tasks that no service started.
    cluster = cluster or str(answer.get("Cluster", "")).rpartition("/")[2]
    service = service or answer.get("ServiceName")
    if not cluster or not service:
        raise TaskUnknown("the task metadata names no cluster or no service: give cluster and service", temporary=False)
    return Task(cluster, service)


def meeting_point(
    destination: str,
    bucket_seconds: int,
    environment: Mapping[str, str] = os.environ,
    pause: Callable[[float], None] = time.sleep,
) -> str | None:
    """Name of the abstract socket by which the processes meet that publish the same for the same task.

    None where there are no abstract sockets (elsewhere than on Linux). Containers of a task that has a network
    namespace of its own, as on Fargate, share the name; tasks in one namespace (network mode host) have different
    ones, by the task's ARN. Outside of ECS the machine counts as one task. Blocks for up to 7 s.
    """
    if not sys.platform.startswith("linux"):
        return None
    arn = ""
    for _ in range(_TRIES):
        try:
            arn = str((_task_metadata(environment) or {}).get("TaskARN", ""))
            break
        except TaskUnknown:  # After the last try the network namespace alone must tell tasks apart.
            pause(_PAUSE)
    key = json.dumps(["version 1", arn, destination, bucket_seconds])
    return "\0fastscaler-publisher-" + sha256(key.encode()).hexdigest()[:32]


def _task_metadata(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """What the endpoint says about the task; None outside of ECS."""
    uri = environment.get(_VARIABLE)
    if not uri:
        return None
    try:
        with _OPENER.open(f"{uri}/task", timeout=_TIMEOUT) as response:
            answer = json.load(response)
    except (OSError, HTTPException, ValueError) as error:
        raise TaskUnknown(f"the task metadata endpoint does not answer: {error}", temporary=True) from error
    if not isinstance(answer, dict):
        raise TaskUnknown("the task metadata endpoint answers no JSON object", temporary=True)
    return answer
