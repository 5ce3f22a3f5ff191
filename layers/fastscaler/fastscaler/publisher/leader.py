"""The leader's side: the workers that report to it, how far each has got, and what it tells them."""

import socket
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from fastscaler.publisher.link import Gone, Link, unpacked
from fastscaler.publisher.tally import Tally


@dataclass(slots=True)
class _Member:
    reported: int  # Start of the newest bucket it has reported, in epoch seconds.
    name: str = ""  # Empty until it has said hello.
    parts: set[str] = field(default_factory=set)  # Its parts that have not left yet.


class Leader:
    """Takes the parts of the other workers into `tally`. `awaited` are the names of those its predecessor led."""

    def __init__(
        self, listener: socket.socket, tally: Tally, bucket_seconds: int, awaited: Collection[str] = ()
    ) -> None:
        listener.setblocking(False)
        self.listener = listener
        self.awaited = set(awaited)  # Workers that are still to come.
        self.had_members = False
        self._tally = tally
        self._seconds = bucket_seconds
        self._members: dict[Link, _Member] = {}

    @property
    def members(self) -> list[Link]:
        """The workers connected now; first those that reported last, so are surely not held up."""
        return sorted(self._members, key=lambda link: -self._members[link].reported)

    @property
    def sockets(self) -> list[Link | socket.socket]:
        """All that is open."""
        return [self.listener, *self._members]

    @property
    def parts(self) -> set[str]:
        """Ids of the parts held for the workers connected now: not yet left, and still in their own hands as well."""
        return {part_id for member in self._members.values() for part_id in member.parts}

    def accept(self) -> list[Link]:
        """The workers that have come."""
        links: list[Link] = []
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return links
            link = Link(connected)
            self._members[link] = _Member(reported=0)
            self.had_members = True
            links.append(link)

    def names_besides(self, heir: Link) -> list[str]:
        """The workers that `heir` will have to wait for if it leads."""
        names = {member.name for link, member in self._members.items() if link is not heir and member.name}
        return sorted(self.awaited | names)

    def read(self, link: Link) -> bool:
        """Take what a worker sent; False when it has left. What it reported stays."""
        messages, there = link.receive()
        try:
            for message in messages:
                there = self._take(link, message) and there
        except (Gone, LookupError, TypeError, ValueError):
            there = False
        if not there:
            del self._members[link]
        return there

    def reported(self, own: int) -> int:
        """Start of the newest bucket that every worker has reported; `own` is the leader's."""
        return min([own, *(member.reported for member in self._members.values())])

    def tell(self, left: list[str]) -> list[Link]:
        """Tell every worker which of its parts have left, and how far buckets have. Returns those that are gone."""
        gone = []
        for link, member in list(self._members.items()):
            try:
                link.send("left", self._tally.sealed, sorted(member.parts.intersection(left)))
            except Gone:
                del self._members[link]
                gone.append(link)
            member.parts.difference_update(left)
        return gone

    def _take(self, link: Link, message: list[Any]) -> bool:
        kind, *content = message
        if kind == "hello":
            name, first, sealed = content
            self._members[link].name = str(name)
            self._members[link].reported = first - self._seconds
            self.awaited.discard(name)
            self._tally.note_sealed(sealed)
        elif kind == "part":
            part_id, fields = content
            part = unpacked(fields, self._seconds)
            self._tally.add(part_id, part)
            self._members[link].parts.add(part_id)
            self._members[link].reported = part.start
        elif kind == "bye":
            link.send("bye")
            return False
        return True
