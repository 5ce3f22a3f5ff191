"""Workers of one task, side by side in one process: who publishes, and what becomes of nonsense."""

import socket
import sys
import threading
import time
from uuid import uuid4

import pytest

from fastscaler.publisher.bucket import Bucket
from fastscaler.publisher.link import Link
from fastscaler.publisher.tally import Tally
from fastscaler.publisher.workers import Workers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="worker processes meet on Linux only")
START = 1_800_000_000
AFTER = START + 7.0  # Past the leader's patience.


class Task:
    """The workers of one task; the first one leads."""

    def __init__(self, count: int) -> None:
        self.address = f"\0fastscaler-test-{uuid4().hex}"
        self.workers = [self.start() for _ in range(count)]

    def start(self) -> Workers:
        workers = Workers(Tally(5), 5, lambda: self.address)
        workers.meet(START)
        return workers

    def close(self) -> None:
        for one in self.workers:
            one.close()


def counted(arrivals: int) -> Bucket:
    return Bucket(START, 5, arrivals, 0.0)


def arrivals(buckets: list[Bucket]) -> list[int]:
    return [bucket.arrivals for bucket in buckets]


def test_one_publishes_for_all() -> None:
    task = Task(3)
    leader, *others = task.workers
    for number, one in enumerate(task.workers):
        one.give([counted(10**number)])
    leader.wait(0.7)  # A new leader publishes nothing until the others may have found it.
    assert [arrivals(one.due(AFTER, 0.0)) for one in others] == [[], []]
    assert arrivals(leader.due(AFTER, 0.0)) == [111]
    assert leader.due(AFTER, 0.0) == []
    task.close()


def test_a_leader_that_dies_before_it_publishes_is_replaced_and_the_others_lose_nothing() -> None:
    task = Task(3)
    for number, one in enumerate(task.workers):
        one.give([counted(10**number)])
    task.workers.pop(0).close()  # As the kernel does for a process that is killed.
    for one in task.workers:
        one.wait(0.05)
        one.meet(START)
    successor = next(one for one in task.workers if one.leading)
    successor.wait(0.7)
    assert arrivals(successor.due(AFTER, 0.0)) == [110]
    task.close()


def test_a_leader_does_not_publish_again_what_its_predecessor_has() -> None:
    task = Task(2)
    first, second = task.workers
    first.give([counted(1)])
    second.give([counted(10)])
    first.wait(0.7)
    assert arrivals(first.due(AFTER, 0.0)) == [11]
    first.close()
    second.wait(0.05)
    second.meet(START + 5)
    second.wait(0.7)
    assert second.due(AFTER, 0.0) == []
    task.close()


def test_a_leader_that_leaves_hands_its_place_to_a_worker_that_knows_what_was_published() -> None:
    task = Task(2)
    leader, heir = task.workers
    leader.give([counted(1)])
    heir.give([counted(10)])
    leader.wait(0.7)
    assert arrivals(leader.due(AFTER, 0.0)) == [11]
    assert leader.leave(AFTER) == []  # The heir does not listen yet: the machine is busy.
    newcomer = task.start()
    newcomer.give([counted(100)])
    newcomer.wait(0.7)
    assert newcomer.due(AFTER, 0.0) == []  # It has not found a place that was free.
    heir.wait(5)
    heir.wait(0.7)
    assert heir.due(AFTER + 5, 0.0) == [Bucket(START + 5, 5, 100, 0.0)]
    task.workers.append(newcomer)
    task.close()


def test_a_worker_that_finds_its_leader_gone_reads_first_what_it_said() -> None:
    task = Task(2)
    leader, heir = task.workers
    leader.give([counted(1)])
    leader.wait(0.1)
    assert leader.leave(START + 3.0) == []
    heir.give([counted(10)])
    heir.wait(0.7)
    assert arrivals(heir.due(AFTER, 0.0)) == [11]
    task.close()


def test_the_last_words_of_a_process_can_be_read_even_if_it_did_not_read_ours() -> None:
    ours, theirs = (Link(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    theirs.send("left", START, ["a part"])
    ours.send("part", "another one")
    theirs.close()  # From here on the kernel says "connection reset" first.
    assert ours.receive() == ([["left", START, ["a part"]]], False)
    ours.close()


def test_all_that_leave_together_publish_one_sample_though_one_of_them_is_late() -> None:
    task = Task(3)
    published: list[int] = []

    def end(one: Workers, arrived: int, late: float) -> None:
        time.sleep(late)
        one.give([counted(arrived)])
        published.extend(arrivals(one.leave(START + 3.0)))

    ends = [(task.workers[0], 1, 0.0), (task.workers[1], 10, 0.0), (task.workers[2], 100, 0.6)]
    threads = [threading.Thread(target=end, args=one) for one in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert published == [111]
    task.close()


def test_one_that_is_late_is_still_awaited_when_two_leaders_have_left() -> None:
    task = Task(3)
    first, second, late = task.workers
    for number, one in enumerate(task.workers):
        one.give([counted(10**number)])
    first.wait(0.1)
    assert first.leave(START + 3.0) == []
    last = task.start()
    last.give([counted(1000)])
    assert second.leave(START + 3.0) == []
    published: list[int] = []
    leaving = threading.Thread(target=lambda: published.extend(arrivals(last.leave(START + 3.0))))
    leaving.start()
    time.sleep(0.5)
    published.extend(arrivals(late.leave(START + 3.0)))
    leaving.join()
    assert published == [1111]
    last.close()
    task.close()


@pytest.mark.parametrize(
    "nonsense", [b"\xff", b"1", b"[]", b'["part"]', b'["part","x",[1,2]]', b'["hello",[],null,null]']
)
def test_whoever_speaks_nonsense_is_hung_up_on_and_nobody_else(nonsense: bytes) -> None:
    task = Task(2)
    leader, other = task.workers
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.settimeout(10)
        stranger.connect(task.address)
        stranger.send(nonsense)
        other.give([counted(10)])
        leader.give([counted(1)])
        leader.wait(0.7)
        assert stranger.recv(100) == b""
    assert arrivals(leader.due(AFTER, 0.0)) == [11]
    task.close()
