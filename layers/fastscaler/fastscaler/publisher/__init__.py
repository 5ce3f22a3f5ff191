"""For the user's application: publishes what the scaler reads.

Wrap the application in the `MetricsMiddleware` of `fastscaler.publisher.asgi` or of `fastscaler.publisher.wsgi`. Of all
that is not standard library this package imports boto3 only, and only when the first bucket is sent.
"""

from fastscaler.publisher.emf import EmbeddedMetricSink
from fastscaler.publisher.publisher import Publisher
from fastscaler.publisher.sinks import CloudWatchSink, Sink, SinkError

__all__ = ["CloudWatchSink", "EmbeddedMetricSink", "Publisher", "Sink", "SinkError"]
