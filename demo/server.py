"""The HTTP server of the stand-in: loopback, a free port, one thread per request, and nothing left when stopped."""

from threading import Thread
from wsgiref.types import WSGIApplication

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer


class _Handler(MotoRequestHandler):
    # `Server.stop` waits for the requests under way; a client that sends nothing must not hold it up.
    timeout = 5

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The call log says it better."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """The original adds a Date header of its own; `front.py` sets ours."""
        self.send_response_only(code, message)


class Server(ThreadedWSGIServer):
    """werkzeug's threaded server, stopped only when the requests under way have ended."""

    daemon_threads = False

    def __init__(self, application: WSGIApplication) -> None:
        super().__init__("127.0.0.1", 0, application, _Handler)
        serve = {"poll_interval": 0.05}
        self._thread = Thread(target=self.serve_forever, kwargs=serve, name="local-aws", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
