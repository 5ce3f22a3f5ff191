"""ministack, a stand-in for AWS that runs CloudFormation, Lambda code, rules and schedules, on a free loopback port."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3

REGION = "us-east-1"
START_SECONDS = 60.0  # It takes one second; a busy machine takes longer.


class Emulator:
    """A context manager; on leaving it the process and every function that it started have ended.

    `auth` makes it check every call against the caller's policies. Its files and its log stay in `folder`. `bind` is
    another address than loopback where containers must reach it.
    """

    def __init__(self, folder: Path, *, auth: bool = False, bind: str = "127.0.0.1") -> None:
        self._folder, self._auth, self._bind = folder, auth, bind
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point every AWS SDK of a process at the emulator, and at nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def client(self, service: str) -> Any:
        """A client of one service, with the credentials of the account's owner."""
        return boto3.Session().client(
            service,  # type: ignore[call-overload]  # Any of them.
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "ministack.log").open("wb") as log:
            # A session of its own: Ctrl-C is for the tests, which end the emulator themselves.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env=self._settings(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def _settings(self) -> dict[str, str]:
        # Nothing of the caller's AWS settings may reach a function: it must not find a real account.
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "POWERTOOLS_"))}
        return {
            **inherited,
            "BIND_HOST": self._bind,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true" if self._auth else "false",
            "CLOUDTRAIL_RECORDING": "1",
            "TMPDIR": str(self._folder),
            "STATE_DIR": str(self._folder / "state"),
            "S3_DATA_DIR": str(self._folder / "s3"),
            # With an engine at hand it would start a container for every ECS task.
            "DOCKER_HOST": "unix:///nonexistent",
        }

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                opener.open(f"{self.endpoint_url}/_ministack/health", timeout=1).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"ministack did not start:\n{(self._folder / 'ministack.log').read_text()[-2000:]}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # What is left of its session are functions that were running; Lambda ends a sandbox without asking, too.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
