"""The processes that the demo starts beside the functions, each in its own session, and all of them ended by pid."""

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from demo.lambdas import REPOSITORY, inherited

_PATIENCE = 10.0  # Seconds for a process to be gone once its stdin is closed; then it is killed.
_SHOWN_LINES = 15


class Child:
    """One process. What it prints to stderr, and to stdout unless that is read, goes to the file `log`."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", log: Path) -> None:
        self.name = name
        self.process = process
        self._log = log

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll()

    def last_words(self) -> str:
        """The end of its log, for a message that says why something went wrong."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])


class Children:
    """Starts processes with their logs in `folder`. A context manager: on leaving it, none of them runs any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Child] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        read_output: bool = False,
        descriptors: Iterable[int] = (),
    ) -> Child:
        """Starts a process that ends when its stdin does; `environment` is added to one without AWS settings."""
        log = self._folder / f"{name}.log"
        with log.open("a") as sink:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if read_output else sink,
                stderr=sink,
                text=True,
                env={**inherited(), "PYTHONUNBUFFERED": "1", **(environment or {})},
                cwd=REPOSITORY,
                pass_fds=tuple(descriptors),
                # Ctrl-C in the terminal is for the demo; it stops its processes itself, in their order.
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._started.append(child)
        return child

    def start_tethered(
        self, name: str, command: Sequence[str], *, read_output: bool = False, descriptors: Iterable[int] = ()
    ) -> Child:
        """The same for a program that does not look at its stdin."""
        tether = [sys.executable, "-m", "demo.app.tether", *command]
        return self.start(name, tether, read_output=read_output, descriptors=descriptors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._started:
            if child.process.stdin:
                child.process.stdin.close()
        for child in self._started:
            try:
                child.process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
