"""The task metadata endpoint of ECS, version 4, as far as a publisher asks it: who the task is."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from demo.local_aws import REGION


class Metadata:
    """Tells every task that it belongs to one service. A context manager; listens on loopback."""

    def __init__(self, cluster: str, service: str) -> None:
        arn = f"arn:aws:ecs:{REGION}:123456789012:cluster/{cluster}"

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                task = self.path.split("/")[2]
                body = json.dumps({"Cluster": arn, "ServiceName": service, "TaskARN": f"{arn}/{task}"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing to say."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def uri(self, task: str) -> str:
        """The value of ECS_CONTAINER_METADATA_URI_V4 for a task."""
        return f"http://127.0.0.1:{self._server.server_port}/v4/{task}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
