"""Starts Lambda functions as processes of this machine and collects what they print."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
# What a function may print to stderr before it is cut: enough for a traceback.
KEPT_ERROR_LINES = 60


@dataclass
class Invocation:
    """One invocation of a function; `number` counts those of the same function from 1."""

    function: str
    number: int
    process: subprocess.Popen[str]
    errors: list[str] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return self.process.poll() is None


@dataclass(frozen=True)
class Line:
    """One JSON line that an invocation printed."""

    invocation: Invocation
    record: dict[str, Any]


def inherited() -> dict[str, str]:
    """This process's environment without its AWS settings: nothing that is started here may find a real account."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "POWERTOOLS_"))}


class Lambdas:
    """Invokes functions; `lines` receives what they log. A context manager: on leaving it, none runs any more."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.lines: SimpleQueue[Line] = SimpleQueue()
        self.invocations: list[Invocation] = []
        self._environment = environment
        self._readers: list[Thread] = []

    def invoke(self, folder: Path, event: dict[str, Any]) -> Invocation:
        """Starts one invocation of the function in `folder` and returns at once, as an asynchronous invoke does."""
        number = 1 + sum(invocation.function == folder.name for invocation in self.invocations)
        process = subprocess.Popen(
            [sys.executable, "-m", "demo.invoke", str(folder), json.dumps(event)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._variables(folder.name),
            cwd=REPOSITORY,
            # Ctrl-C in the terminal is for the demo; it stops the invocations itself.
            start_new_session=True,
        )
        invocation = Invocation(folder.name, number, process)
        self.invocations.append(invocation)
        for reader in (self._read_log, self._read_errors):
            thread = Thread(target=reader, args=(invocation,), daemon=True)
            thread.start()
            self._readers.append(thread)
        return invocation

    def __enter__(self) -> "Lambdas":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what still runs, as Lambda ends a sandbox: without asking."""
        for invocation in self.invocations:
            if invocation.running:
                invocation.process.kill()
        for invocation in self.invocations:
            invocation.process.wait()
        for reader in self._readers:
            reader.join()
        for invocation in self.invocations:
            for pipe in (invocation.process.stdin, invocation.process.stdout, invocation.process.stderr):
                if pipe:
                    pipe.close()

    def _variables(self, function: str) -> dict[str, str]:
        own = {
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_SDK_UA_APP_ID": function,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "layers" / "fastscaler")]),
            "PYTHONUNBUFFERED": "1",
        }
        return inherited() | self._environment | own

    def _read_log(self, invocation: Invocation) -> None:
        assert invocation.process.stdout
        for text in invocation.process.stdout:
            try:
                record = json.loads(text)
            except ValueError:
                record = {"message": text.rstrip(), "level": "INFO"}
            if isinstance(record, dict):
                self.lines.put(Line(invocation, record))

    def _read_errors(self, invocation: Invocation) -> None:
        assert invocation.process.stderr
        for text in invocation.process.stderr:
            invocation.errors.append(text.rstrip())
            del invocation.errors[:-KEPT_ERROR_LINES]
