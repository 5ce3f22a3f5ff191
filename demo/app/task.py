"""One task of the storefront as a process: `python -m demo.app.task SOCKET READY_AT REQUESTS_PER_SECOND`.

It loads at once, and serves on the Unix socket from `READY_AT` (epoch seconds), the moment at which Fargate would have
it RUNNING. So tasks can be loaded one after the other, and yet begin together.
"""

import os
import socket
import sys
import time
from pathlib import Path
from threading import Thread

import boto3  # noqa: F401  # The publisher imports it with its first bucket; loading belongs to the start of a task.
import uvicorn
from starlette.middleware import Middleware
from storefront.app import UNCOUNTED, create_app

from demo.app.capacity import Capacity
from demo.signals import end_with_parent

KEEP_ALIVE = 65  # Seconds, as in the image: longer than the load balancer keeps idle connections.
GRACEFUL_SHUTDOWN = 20  # Seconds, as in the image.


def main() -> None:
    path, ready_at, per_second = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    Thread(target=end_with_parent, daemon=True).start()
    app = create_app()
    # Innermost: the publisher counts a request when it comes, not when its turn has come.
    app.user_middleware.append(Middleware(Capacity, per_second=per_second, exclude_paths=UNCOUNTED))
    with socket.socket(socket.AF_UNIX) as listener:
        Path(path).unlink(missing_ok=True)
        listener.bind(path)
        listener.listen(2048)
        time.sleep(max(0.0, ready_at - time.time()))
        config = uvicorn.Config(
            app,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
        )
        uvicorn.Server(config).run(sockets=[listener])
        os.unlink(path)


if __name__ == "__main__":
    main()
