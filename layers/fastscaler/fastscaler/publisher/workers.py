"""The worker processes of one task. One of them, the leader, publishes for all; the others send it what they count.

Whoever binds the task's name first leads. The name is a socket in Linux's abstract namespace: it needs no file and no
setting, all containers of a Fargate task share the namespace, no two tasks do, and the kernel frees the name with the
process, so the next leader is found at once. Elsewhere than on Linux every process publishes for itself.
"""

import errno
import logging
import select
import selectors
import socket
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from secrets import token_hex

from fastscaler.publisher.bucket import Bucket, bucket_start
from fastscaler.publisher.leader import Leader
from fastscaler.publisher.link import Gone, Link, packed, unpacked
from fastscaler.publisher.tally import Tally

_LOG = logging.getLogger("fastscaler.publisher")
_PATIENCE = 1.0  # Seconds past a bucket's end that the leader waits for a worker that is alive.
_GATHER = 0.5  # Seconds for which a new leader publishes nothing: the others may not have found it yet.
_RETRY = 0.02  # Seconds between two tries to meet.
_SETTLE = 0.2  # Seconds that a leaving leader waits for others that leave as well.
_TURN = 0.1  # Seconds that a leaving process leaves to those that stay to lead.
_LEAVE = 2.0  # Seconds within which a process has left, well or not.
# The leader is about to listen or to end; or file descriptors ran out, and alone this process would pass for a task.
_PASSING = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS})


class Workers:
    """This process among the workers of its task. Only the publishing thread calls it, but for `wake`.

    `address` gives the name under which workers meet, once, in that thread; None: this process is alone.
    """

    def __init__(self, tally: Tally, bucket_seconds: int, address: Callable[[], str | None]) -> None:
        self._tally = tally
        self._seconds = bucket_seconds
        self._find_address = address
        self._address: str | None = None
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._name = token_hex(8)
        self._given = 0
        self._reported = 0  # Start of this process's newest ended bucket.
        self._alone = False
        self._leader: Leader | None = None  # Set while this process leads others.
        self._link: Link | None = None  # To the leader, while another process leads.
        self._since = 0.0  # When this process began to lead, or lost its leader (monotonic seconds).
        self._has_followed = False  # So there are or were other workers, even if none has come to this leader yet.
        self._dismissed = False  # Another process has taken charge of all that this one held.

    @property
    def leading(self) -> bool:
        """Whether this process publishes."""
        return self._alone or self._leader is not None

    def meet(self, counting: int) -> None:
        """Lead, or find the leader. `counting` is the start of the bucket that this process counts in now."""
        deadline = time.monotonic() + _GATHER
        while not (self.leading or self._link) and not self._try(counting, lead=True):
            if time.monotonic() > deadline:
                return  # The next call may have more luck.
            time.sleep(_RETRY)

    def give(self, buckets: Sequence[Bucket]) -> None:
        """Hand in what this process has counted."""
        for bucket in buckets:
            self._given += 1
            self._tally.add(f"{self._name}:{self._given}", bucket)
            self._reported = bucket.start
            if self._link:
                self._send("part", f"{self._name}:{self._given}", packed(bucket))

    def due(self, now: float, spread: float) -> list[Bucket]:
        """The buckets to publish now, added up; none while another process leads.

        A bucket is due `spread` seconds past its end once all workers have reported it, or when patience has ended.
        """
        self._tally.expire(now)
        if not self.leading or (self._leader and time.monotonic() - self._since < _GATHER):
            return []
        reported = self._leader.reported(self._reported) if self._leader else self._reported
        return self._seal(max(self._ended(now - _PATIENCE), min(reported, self._ended(now - spread))), now)

    def next_due(self, now: float, spread: float) -> float:
        """Seconds until `due` is worth a call."""
        end = bucket_start(now, self._seconds) + self._seconds
        if not self.leading:
            return end + _RETRY - now
        waiting = [part.start + self._seconds for part in self._tally.parts.values()]
        if any(ended <= now for ended in waiting):
            return max(min(waiting) + spread - now, 5 * _RETRY)
        return end + spread - now

    def wait(self, seconds: float) -> None:
        """Listen to the other workers for so long. Returns early when woken, or when the leader is gone."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self._listen(left):
                return

    def wake(self) -> None:
        """End a `wait`. Takes no lock, so a signal handler may call it."""
        try:
            self._wake_out.send(b"!")
        except OSError:
            return  # Woken often enough already, or nobody waits any more.

    def leave(self, now: float) -> list[Bucket]:
        """Leave the other workers, and leave them what is not published; what nobody takes is returned. At most 2 s.

        Several processes may leave at once, in any order: who leads waits a moment for the others to hand in what they
        have, and leaves all to one that stays. Each part is in the hands of one process that will publish it.
        """
        deadline = time.monotonic() + _LEAVE
        self._listen(0)
        while not self._dismissed and time.monotonic() < deadline:
            if self._alone:
                break
            if self._leader:
                if not self._others_stay(self._leader, deadline) or self._bequeath(self._leader, deadline):
                    break
            elif self._link:
                self._bye(self._link, deadline)
            elif not self._try(bucket_start(now, self._seconds), lead=time.monotonic() - self._since > _TURN):
                time.sleep(_RETRY)
        if self._dismissed or self._link:  # A leader that is alive but has not answered has it all in its buffer.
            self._tally.forget(self._tally.parts, None)
            return []
        return self._seal(None, now)

    def close(self) -> None:
        """Free the name and all sockets, without a word: in a forked child they are still its parent's."""
        for one in (self._link, *(self._leader.sockets if self._leader else ()), self._wake_in, self._wake_out):
            if one:
                one.close()
        self._selector.close()
        self._leader = self._link = None

    def _ended(self, now: float) -> int:
        """Start of the newest bucket that had ended at `now`."""
        return bucket_start(now, self._seconds) - self._seconds

    def _seal(self, upto: int | None, now: float) -> list[Bucket]:
        # The others are told before the bucket is sent. Should this process die in between, the bucket is missing; the
        # other way round the next leader would send it again, and load that is not there scales out.
        buckets, left = self._tally.seal(upto, now)
        if self._leader and left:
            for link in self._leader.tell(left):
                self._hang_up(link)
        return buckets

    def _try(self, counting: int, lead: bool) -> bool:
        """Try once to lead, if `lead`, and else to reach the leader."""
        if self._address is None:
            self._address = self._find_address()
            if self._address is None:
                self._alone = True
                return True
        one = None
        try:
            one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            one.settimeout(_GATHER)
            if lead and _bound(one, self._address):
                self._lead(one)
            else:
                one.connect(self._address)
                self._follow(Link(one), counting)
        except OSError as error:
            if one:
                one.close()
            if error.errno in _PASSING or isinstance(error, TimeoutError):
                return False
            _LOG.warning("worker processes cannot find each other (%s): each publishes as if it were a task", error)
            self._alone = True
        return True

    def _lead(self, listener: socket.socket, awaited: Collection[str] = ()) -> None:
        self._leader = Leader(listener, self._tally, self._seconds, awaited)
        self._selector.register(listener, selectors.EVENT_READ)
        self._since = time.monotonic()

    def _follow(self, link: Link, counting: int) -> None:
        self._link = link
        self._has_followed = True
        self._selector.register(link, selectors.EVENT_READ)
        self._send("hello", self._name, counting, self._tally.sealed)
        for part_id, part in self._tally.parts.items():
            self._send("part", part_id, packed(part))

    def _inherit(self, predecessor: Link, listener: socket.socket, sealed: int | None, awaited: list[str]) -> None:
        """Lead in place of a leader that leaves."""
        self._tally.note_sealed(sealed)
        with suppress(Gone):
            predecessor.send("taken")
        self._hang_up(predecessor)
        self._link = None
        self._lead(listener, awaited)

    def _send(self, *message: object) -> None:
        link = self._link
        if not link:
            return
        try:
            link.send(*message)
        except Gone:
            self._hear(link)  # What it said last: which buckets have left, or that this process leads now.
            if self._link is link:
                self._lose_leader()

    def _lose_leader(self) -> None:
        if self._link:
            self._hang_up(self._link)
        self._link = None
        self._since = time.monotonic()

    def _hang_up(self, one: Link | socket.socket) -> None:
        self._selector.unregister(one)
        one.close()

    def _others_stay(self, leader: Leader, deadline: float) -> bool:
        """Wait for the workers that leave as well; whether there are others."""
        if not (self._has_followed or leader.had_members):
            return False
        settled = time.monotonic() + _SETTLE
        while leader.members or leader.awaited or not leader.had_members:
            # One that is awaited holds what nobody else has, and would publish it beside this process.
            left = (deadline if leader.awaited else settled) - time.monotonic()
            if left <= 0:
                break
            self._listen(left)
        return bool(leader.members)

    def _bequeath(self, leader: Leader, deadline: float) -> bool:
        """Leave all that is not published, and the name, to a worker that stays; False when none took it.

        The name is never free in between: whoever found it so would lead without knowing which buckets have left.
        """
        own = {part_id: part for part_id, part in self._tally.parts.items() if part_id not in leader.parts}
        for heir in leader.members:
            try:
                for part_id, part in own.items():
                    heir.send("part", part_id, packed(part))
                heir.hand_over(leader.listener, "lead", self._tally.sealed, leader.names_besides(heir))
            except Gone:
                continue
            if not _taken(heir, deadline):
                continue
            for one in leader.sockets:
                self._hang_up(one)
            self._leader = None
            self._dismissed = True
            return True
        return False

    def _bye(self, link: Link, deadline: float) -> None:
        self._send("bye")
        while self._link is link and not self._dismissed and (left := deadline - time.monotonic()) > 0:
            self._listen(left)

    def _listen(self, seconds: float) -> bool:
        """Wait for one event and attend to it. False: `wait` should return."""
        quiet = True
        for key, _ in self._selector.select(seconds):
            one = key.fileobj
            if one is self._wake_in:
                self._wake_in.recv(4096)
                quiet = False
            elif self._leader and one is self._leader.listener:
                links = self._leader.accept()
                for link in links:
                    self._selector.register(link, selectors.EVENT_READ)
                if not links:  # No file descriptor is left: who waits to be accepted goes on waiting.
                    time.sleep(_RETRY)
            elif one is self._link:
                quiet = self._hear(one) and quiet
            elif self._leader and isinstance(one, Link) and not self._leader.read(one):
                self._hang_up(one)
        return quiet

    def _hear(self, link: Link) -> bool:
        messages, there = link.receive()
        try:
            for kind, *content in messages:
                if kind == "left":
                    sealed, part_ids = content
                    self._tally.forget(part_ids, sealed)
                elif kind == "part":  # The leader leaves, and this process is its heir.
                    part_id, fields = content
                    self._tally.add(part_id, unpacked(fields, self._seconds))
                elif kind == "lead":
                    sealed, awaited, listener = content
                    self._inherit(link, listener, sealed, awaited)
                    return False
                self._dismissed = self._dismissed or kind == "bye"
        except (LookupError, TypeError, ValueError):
            there = False
        if not there:
            self._lose_leader()
        return there


def _taken(heir: Link, deadline: float) -> bool:
    """Wait for the heir's word; False when it has ended first. One that is only slow will read what it was sent."""
    there = True
    heard = select.poll()
    heard.register(heir, select.POLLIN)
    while there and (left := deadline - time.monotonic()) > 0:
        heard.poll(left * 1000)
        messages, there = heir.receive()
        if ["taken"] in messages:  # The rest it still holds itself.
            return True
    return there


def _bound(one: socket.socket, address: str) -> bool:
    try:
        one.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise
    one.listen(128)
    return True
