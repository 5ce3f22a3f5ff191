"""Answers of AWS that lack what they should have: one service's does not take the others' away."""

from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.stub import ANY, Stubber

from fastscaler.aws.cloudwatch import CloudWatch, MetricRead
from fastscaler.aws.dynamodb import Table
from fastscaler.aws.ecs import Ecs
from fastscaler.errors import AwsError, Unavailable
from fastscaler.scaling.memory import Memory, to_json
from fastscaler.scaling.metric import Metric
from fastscaler.scaling.observation import Datapoint, ServiceState

KEYS: Any = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
START = 1_800_000_000.0
LOAD = Metric.model_validate(
    {"Namespace": "Shop", "MetricName": "Load", "PerTask": True, "Dimensions": {"Service": "shop"}}
)


def test_a_metric_without_a_list_of_values_has_no_datapoints_or_its_error() -> None:
    """CloudWatch answers in CBOR, where an empty list may be left out."""
    client = boto3.client("cloudwatch", **KEYS)
    results = [
        {"Id": "m0_Sum", "StatusCode": "InternalError"},
        {"Id": "m0_SampleCount", "StatusCode": "InternalError"},
        {"Id": "m1_Sum", "StatusCode": "Complete"},
        {"Id": "m1_SampleCount", "StatusCode": "Complete"},
        {"Id": "m2_Sum", "Timestamps": [datetime.fromtimestamp(START, UTC)], "Values": [300.0]},
        {"Id": "m2_SampleCount", "Timestamps": [datetime.fromtimestamp(START, UTC)], "Values": [3.0]},
    ]
    failed, silent, good = (MetricRead(f"shops/{name}", "Load", LOAD) for name in ("failed", "silent", "good"))
    with Stubber(client) as stub:
        asked = {"MetricDataQueries": ANY, "StartTime": ANY, "EndTime": ANY, "ScanBy": ANY}
        stub.add_response("get_metric_data", {"MetricDataResults": results}, asked)
        found = CloudWatch(client).read([failed, silent, good], START + 7)
    assert isinstance(found[failed.name], Unavailable)
    assert (found[silent.name], found[good.name]) == ([], [Datapoint(START, 300.0, 3.0)])


def test_a_service_without_its_counts_is_not_known_and_the_others_are() -> None:
    client = boto3.client("ecs", **KEYS)
    counts = {"status": "ACTIVE", "desiredCount": 4, "runningCount": 3, "pendingCount": 1}
    described = [
        {"serviceName": "odd", "status": "ACTIVE"},
        {"serviceName": "shop", **counts, "deployments": [{"status": "PRIMARY", "id": "one"}]},
        {"status": "ACTIVE"},
    ]
    with Stubber(client) as stub:
        asked = {"cluster": "shops", "services": ["odd", "shop", "nameless"]}
        stub.add_response("describe_services", {"services": described, "failures": []}, asked)
        found = Ecs(client, client).describe(["shops/odd", "shops/shop", "shops/nameless"])
    assert found["shops/shop"] == ServiceState(4, 3, 1, deployment="one")
    assert isinstance(found["shops/odd"], AwsError)
    assert isinstance(found["shops/nameless"], AwsError)


def test_memory_without_its_text_is_lost_memory_of_that_service_alone() -> None:
    client = boto3.client("dynamodb", **KEYS)
    items: list[dict[str, Any]] = [
        {"pk": {"S": "loop"}, "sk": {"S": "epoch"}, "epoch": {"N": "7"}},
        {"pk": {"S": "loop"}, "sk": {"S": "memory#shops/none"}},
        {"pk": {"S": "loop"}, "sk": {"S": "memory#shops/odd"}, "state": {"S": '{"format":1,"maxima":[[0,Infinity]]}'}},
        {"pk": {"S": "loop"}, "sk": {"S": "memory#shops/shop"}, "state": {"S": to_json(Memory(4))}},
    ]
    with Stubber(client) as stub:
        stub.add_response("query", {"Items": items, "ResponseMetadata": {}})
        found = Table(client, "state").read_all()
    assert (found.epoch, found.memories) == (7, {"shops/shop": Memory(4)})
