"""Parts of worker processes, added up: one bucket each, once, whoever sends what how often."""

import random

from hypothesis import given
from hypothesis import strategies as st

from fastscaler.publisher.bucket import Bucket
from fastscaler.publisher.distribution import Bin
from fastscaler.publisher.tally import Tally

START = 1_800_000_000


def part(second: int, arrivals: int = 1, active: float = 0.0, errors: int = 0) -> Bucket:
    return Bucket(START + second, 5, arrivals, active, errors, (Bin(10, 0.5 * arrivals, arrivals),) if arrivals else ())


def left(tally: Tally, upto: int, now: float) -> list[tuple[int, int]]:
    """(start, arrivals) of the buckets that leave."""
    buckets, _ = tally.seal(START + upto, START + now)
    return [(bucket.start - START, bucket.arrivals) for bucket in buckets]


def test_the_parts_of_four_workers_are_one_bucket_with_their_sums() -> None:
    tally = Tally(5)
    for worker in range(4):
        tally.add(f"{worker}:1", part(0, arrivals=10 + worker, active=1.5, errors=worker))
    (bucket,), _ = tally.seal(START, START + 5.5)
    assert (bucket.arrivals, bucket.active, bucket.errors) == (46, 6.0, 6)
    assert bucket.response_times == (Bin(10, 23.0, 46),)


def test_a_bucket_leaves_once_even_if_its_parts_come_again() -> None:
    tally = Tally(5)
    tally.add("a:1", part(0, 7))
    assert left(tally, 0, 5.5) == [(0, 7)]
    tally.add("a:1", part(0, 7))
    tally.add("a:2", part(5, 1))
    assert left(tally, 5, 10.5) == [(5, 1)]


def test_a_part_that_comes_too_late_counts_in_the_next_bucket_but_not_its_connections() -> None:
    tally = Tally(5)
    tally.add("a:1", part(0, 7))
    left(tally, 0, 6)
    tally.add("b:1", part(0, 3, active=9.0))
    assert left(tally, 0, 7) == []
    tally.add("a:2", part(5, 1, active=2.0))
    (bucket,), _ = tally.seal(START + 5, START + 11)
    assert (bucket.start, bucket.arrivals, bucket.active) == (START + 5, 4, 2.0)


def test_an_idle_part_that_comes_too_late_makes_no_bucket() -> None:
    tally = Tally(5)
    tally.add("a:1", part(0))
    left(tally, 0, 4)
    tally.add("a:2", part(0, arrivals=0))
    assert tally.seal(None, START + 4)[0] == []
    assert tally.lost == 0


def test_what_another_leader_has_published_is_not_published_again() -> None:
    tally = Tally(5)
    tally.add("a:1", part(0))
    tally.add("a:2", part(5))
    tally.forget(["a:1"], START)
    assert left(tally, 5, 10.5) == [(5, 1)]
    tally.add("b:7", part(0))
    assert left(tally, 5, 10.5) == []


def test_what_nobody_takes_for_a_minute_is_dropped_and_counted() -> None:
    tally = Tally(5)
    for bucket in range(100):
        tally.add(f"a:{bucket}", part(bucket * 5))
        tally.expire(START + bucket * 5 + 5)
    assert len(tally.parts) <= 14
    assert tally.lost == 100 - len(tally.parts)


def test_a_worker_whose_bucket_began_while_the_leader_was_looking_at_its_clock_loses_nothing() -> None:
    tally = Tally(5)
    tally.add("a:1", part(0, 2))
    tally.add("b:1", part(5, 3))
    assert [bucket.arrivals for bucket in tally.seal(None, START + 4.99)[0]] == [2, 3]
    tally.add("b:2", part(0, 7))  # It comes late at the very end, after a bucket that is still open has left.
    assert sum(bucket.arrivals for bucket in tally.seal(None, START + 5.01)[0]) == 7
    assert tally.lost == 0


workers = st.lists(st.lists(st.integers(0, 50), min_size=6, max_size=6), min_size=1, max_size=5)


@given(workers, st.randoms(use_true_random=False))
def test_every_request_leaves_once_and_every_bucket_once_however_late_and_often(
    counts: list[list[int]], rng: random.Random
) -> None:
    """Each worker counts in six buckets; its parts come up to two buckets late, and up to three times."""
    tally = Tally(5)
    arriving = [
        (bucket * 5 + 5 + rng.choice((0, 0, 0, 3, 6, 11)) + again, f"{worker}:{bucket}", part(bucket * 5, arrivals))
        for worker, mine in enumerate(counts)
        for bucket, arrivals in enumerate(mine)
        for again in range(rng.randrange(1, 4))
    ]
    sealed: list[Bucket] = []
    for now in range(5, 60):
        for at, part_id, one in arriving:
            if at == now:
                tally.add(part_id, one)
        sealed += tally.seal(START + (now - 6) // 5 * 5, START + now)[0]
    sealed += tally.seal(None, START + 60)[0]
    assert sum(bucket.arrivals for bucket in sealed) == sum(map(sum, counts))
    starts = [bucket.start for bucket in sealed]
    assert starts == sorted(set(starts))
