"""A Docker engine of our own, in a network namespace of its own, for the one thing that needs containers: sam local.

Nothing of it is left behind: its files are in a temporary folder, its network ends with it, and so do its containers.
It needs Linux on x86_64 and root. Where dockerd is missing and apt-get is there, docker.io is installed.
"""

import fcntl
import os
import platform
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import docker

from tests.e2e.printed import say

BRIDGE = "172.30.99.1"  # This machine, as a container sees it.
START_SECONDS = 60.0
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


class NoEngine(Exception):
    """No engine can run here; the text says why."""


def install() -> None:
    """Makes sure that there is an engine to start. Raises NoEngine."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NoEngine(f"needs Linux on x86_64, this is {platform.system()} on {platform.machine()}")
    if os.geteuid():
        raise NoEngine("needs root, for an engine and a network namespace of its own")
    if shutil.which("dockerd"):
        return
    if not shutil.which("apt-get"):
        raise NoEngine("dockerd is not installed, and there is no apt-get to install docker.io with")
    say("installing docker.io")
    for command in ("apt-get update", "apt-get install --yes --no-install-recommends docker.io"):
        done = subprocess.run([*command.split(), "--quiet"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise NoEngine(f"{command} failed: {done.stderr.strip()[-200:]}")


class Engine:
    """A context manager: inside, this process and what it starts see only the namespace's network. Raises NoEngine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._outside = -1
        self.url = f"unix://{folder / 'docker.sock'}"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        self._outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            os.unshare(os.CLONE_NEWNET)
        except OSError as error:
            os.close(self._outside)
            raise NoEngine(f"no network namespace may be made here: {error}") from error
        try:
            _raise_loopback()
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def import_image(self, tag: str, archive: Path, variables: dict[str, str], entrypoint: str) -> None:
        """Makes an image of a tar archive."""
        changes = [f"ENV {name}={text}" for name, text in variables.items()]
        repository, _, version = tag.rpartition(":")
        client = docker.APIClient(base_url=self.url)
        client.import_image_from_file(
            str(archive), repository=repository, tag=version, changes=[*changes, f'ENTRYPOINT ["{entrypoint}"]']
        )
        client.close()

    def containers(self) -> int:
        """How many containers run."""
        client = docker.APIClient(base_url=self.url)
        try:
            return len(client.containers())
        finally:
            client.close()

    def _start(self) -> None:
        folder = self._folder
        command = ["dockerd", "--host", self.url, "--pidfile", str(folder / "pid"), "--bip", f"{BRIDGE}/24"]
        command += ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
        # Containers reach this machine and nothing else, so no packet filter is needed: published ports have a proxy.
        command += ["--iptables=false", "--ip6tables=false"]
        with (folder / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                docker.APIClient(base_url=self.url, version="auto").close()
                return
            except docker.errors.DockerException:
                time.sleep(0.2)
        last = (folder / "dockerd.log").read_text(errors="replace").strip().rpartition("\n")[2]
        raise NoEngine(f"dockerd does not start: {last[-300:]}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()  # It stops its containers and its containerd.
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
        os.setns(self._outside, os.CLONE_NEWNET)
        os.close(self._outside)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
