"""Publishes under other metric names: a drill that must not move the service it is about."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef


class Renamed:
    """The one call of a CloudWatch client that a sink makes, with `prefix` before every metric's name."""

    def __init__(self, client: "CloudWatchClient", prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def put_metric_data(self, *, Namespace: str, MetricData: "Sequence[MetricDatumTypeDef]") -> Any:  # noqa: N803
        """As the client's own, whose argument names these are."""
        renamed: Any = [{**datum, "MetricName": self._prefix + datum["MetricName"]} for datum in MetricData]
        return self._client.put_metric_data(Namespace=Namespace, MetricData=renamed)
