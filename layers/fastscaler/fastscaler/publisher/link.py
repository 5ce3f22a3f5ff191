"""Messages between the worker processes of a task: JSON, one message a packet, over a local socket."""

import json
import socket
from typing import Any

from fastscaler.publisher.bucket import Bucket
from fastscaler.publisher.distribution import Bin

_LARGEST = 65536  # Bytes. A bucket with every bin of its distribution in use takes about 6,000.


class Gone(Exception):
    """The other process has ended, hangs, or does not speak this language."""


class Link:
    """One connected socket. Never waits: a process that does not read for so long that its buffer fills is gone."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, *message: Any) -> None:
        """Send one message. Raises `Gone`."""
        try:
            self._socket.send(json.dumps(message).encode())
        except OSError as error:
            raise Gone from error

    def hand_over(self, listener: socket.socket, *message: Any) -> None:
        """Send one message together with `listener`, which is then open in both processes. Raises `Gone`."""
        try:
            socket.send_fds(self._socket, [json.dumps(message).encode()], [listener.fileno()])
        except OSError as error:
            raise Gone from error

    def receive(self) -> tuple[list[list[Any]], bool]:
        """The messages that have come, and whether the other end is still there. What it said last is among them.

        A socket that was handed over is the message's last element.
        """
        messages: list[list[Any]] = []
        while True:
            try:
                packet, files, _, _ = socket.recv_fds(self._socket, _LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
                sockets = [socket.socket(fileno=file) for file in files]
                if not packet:
                    return messages, False
                messages.append([*json.loads(packet), *sockets])
            except BlockingIOError:
                return messages, True
            except ConnectionResetError:
                continue  # It left without reading all; what it has sent can still be read.
            except (OSError, TypeError, ValueError):
                return messages, False

    def close(self) -> None:
        self._socket.close()


def packed(part: Bucket) -> list[Any]:
    """A part as JSON takes it. Its length in seconds is not in it: only workers with the same length meet."""
    bins = [[one.index, one.total, one.count] for one in part.response_times]
    return [part.start, part.arrivals, part.active, part.errors, bins]


def unpacked(fields: list[Any], seconds: int) -> Bucket:
    """The part that was packed."""
    start, arrivals, active, errors, bins = fields
    return Bucket(start, seconds, arrivals, active, errors, tuple(Bin(*one) for one in bins))
