"""For the user's application: publishes what the scaler reads.

Wrap an ASGI application: `app = MetricsMiddleware(app, exclude_paths=["/health"])`. Of all that is not standard library
this package imports boto3 only, and only when the first bucket is sent.
"""

from fastscaler.publisher.asgi import MetricsMiddleware
from fastscaler.publisher.collect import Collector
from fastscaler.publisher.publisher import Publisher
from fastscaler.publisher.sinks import CloudWatchSink, Sink, SinkError

__all__ = ["CloudWatchSink", "Collector", "MetricsMiddleware", "Publisher", "Sink", "SinkError"]
