"""A built function under the Lambda runtime itself: AWS's Runtime Interface Emulator and runtime client, no container.

The interpreter starts without site-packages: a function finds its own folder, its layer and what Lambda's runtime
brings (the runtime client and boto3), and nothing of a virtual environment. Linux only, as the emulator's binary is.
"""

import json
import os
import platform
import re
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.e2e.emulator import free_port
from tests.e2e.project import ROOT, base_python

RUNTIME = ROOT / ".venv-e2e" / "lambda-runtime"  # awslambdaric and boto3; the Makefile installs them there.
START_SECONDS = 20.0


@dataclass(frozen=True)
class Function:
    """What Lambda knows of a function: where its code and its layers are, and its configuration."""

    name: str
    code: Path
    layer: Path
    handler: str
    memory_mb: int
    variables: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What an invocation returned, and how long that took in seconds."""

    payload: Any
    seconds: float

    @property
    def failed(self) -> bool:
        return isinstance(self.payload, dict) and "errorType" in self.payload


class Sandbox:
    """One sandbox; a context manager. The first invocation in it is a cold start. One invocation at a time."""

    def __init__(self, function: Function, aws: dict[str, str], log: Path, *, timeout: int) -> None:
        self._function, self._aws, self._log, self._timeout = function, aws, log, timeout
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [_emulator(), "--runtime-interface-emulator-address", f"127.0.0.1:{self._port}"]
        command += ["--runtime-api-address", f"127.0.0.1:{free_port()}"]
        command += [base_python(), "-S", "-m", "awslambdaric", self._function.handler]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._function.code,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        process, self._process = self._process, None
        assert process is not None
        process.terminate()  # It ends the function with it.
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()

    def invoke(self, event: object) -> Answer:
        """Invokes the function and waits for its answer."""
        url = f"http://127.0.0.1:{self._port}/2015-03-31/functions/function/invocations"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        began, body = time.monotonic(), json.dumps(event).encode()
        while True:
            try:
                with opener.open(url, data=body, timeout=self._timeout + 30) as response:
                    return Answer(json.loads(response.read()), time.monotonic() - began)
            except ConnectionRefusedError:
                pass
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ConnectionRefusedError):
                    raise
            # It does not listen yet.
            assert self._process is not None
            assert self._process.poll() is None, self.log
            assert time.monotonic() - began < START_SECONDS, self.log
            time.sleep(0.02)
            began = time.monotonic()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def init_seconds(self) -> float:
        """How long the function's initialisation took: interpreter, imports, the module app."""
        found = re.search(r"INIT REPORT\(durationMs: ([\d.]+)", self.log)
        assert found, self.log
        return float(found[1]) / 1000

    @property
    def memory_mb(self) -> int:
        """What the function is configured with."""
        return self._function.memory_mb

    @property
    def peak_memory_mb(self) -> float:
        """The most memory that the function's process has had resident so far."""
        assert self._process is not None
        (child,) = _children(self._process.pid)
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child}/status").read_text())
        assert found
        return int(found[1]) / 1024

    def _variables(self) -> dict[str, str]:
        function = self._function
        return {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            **self._aws,
            **function.variables,
            "LAMBDA_TASK_ROOT": str(function.code),
            "PYTHONPATH": os.pathsep.join([str(function.code), str(function.layer / "python"), str(RUNTIME)]),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self._timeout),
        }


def _emulator() -> str:
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    (found,) = (ROOT / ".venv-sam").glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}")
    return str(found)


def _children(pid: int) -> list[int]:
    return [
        int(child) for thread in Path(f"/proc/{pid}/task").glob("*/children") for child in thread.read_text().split()
    ]
