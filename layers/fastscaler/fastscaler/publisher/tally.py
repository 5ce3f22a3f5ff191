"""Adds up the buckets of a task's worker processes, and lets each bucket leave once, as one sample of the task.

Pure bookkeeping: no sockets, no clock. A part is what one worker counted in one bucket; it has an id of its own, so
that sending it again, to the same leader or to the next one, changes nothing.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from fastscaler.publisher.bucket import Bucket, together

# Seconds; the scaler reads the last minute. A clock set back by less is waited for: CloudWatch has these buckets
# already, and a second sample would pass for a second task. One set back by more begins a new timeline.
_READ_BACK = 60


class Tally:
    """Parts of buckets that have not left yet. `bucket_seconds` is the same for all of them."""

    def __init__(self, bucket_seconds: int) -> None:
        self.sealed: int | None = None  # Start of the newest bucket that has left, in epoch seconds.
        self.lost = 0  # Parts dropped: a minute old, or of buckets that left before the clock was set back.
        self._seconds = bucket_seconds
        self._clock_set_back = False  # Behind `sealed`, and no bucket has left since.
        self._parts: dict[str, Bucket] = {}
        self._left: dict[str, int] = {}  # Ids of parts that have left, with their bucket's start.

    @property
    def parts(self) -> dict[str, Bucket]:
        """The parts held, by id."""
        return dict(self._parts)

    def add(self, part_id: str, part: Bucket) -> None:
        """Hold a part, unless it was held or has left before."""
        if part_id not in self._left:
            self._parts[part_id] = part

    def forget(self, part_ids: Collection[str], sealed: int | None) -> None:
        """Another process sees to these parts, and has let all buckets up to `sealed` leave."""
        for part_id in part_ids:
            self._parts.pop(part_id, None)
        self.note_sealed(sealed)

    def note_sealed(self, sealed: int | None) -> None:
        """No bucket up to `sealed` may leave any more."""
        if sealed is not None and (self.sealed is None or sealed > self.sealed):
            self.sealed = sealed
            self._clock_set_back = False

    def expire(self, now: float) -> None:
        """Drop what nobody would read: parts a minute old, and those of a future that a clock set back has undone."""
        # `now` may be a moment older than what other processes have sent since, and what comes late at the very end
        # leaves in the bucket after the one that is open: a bucket ahead is no future yet.
        ahead = now + self._seconds
        if self.sealed is not None and ahead < self.sealed:
            self._clock_set_back = True
            if now < self.sealed - _READ_BACK:
                self.sealed = None
        for part_id, part in self.parts.items():
            if part.start > ahead or part.start + self._seconds + _READ_BACK < now:
                self._left[part_id] = self._parts.pop(part_id).start
                self.lost += 1
        self._left = {one: start for one, start in self._left.items() if abs(now - start) <= 3 * _READ_BACK}

    def seal(self, upto: int | None, now: float) -> tuple[list[Bucket], list[str]]:
        """The buckets that start at `upto` or before (None: all) leave, oldest first; and the ids of their parts.

        A part that comes after its bucket has left counts in the next bucket: its requests were real, and a second
        sample would look like a second task. Its active requests do not: they were never active at once with those.
        """
        self.expire(now)
        buckets: defaultdict[int, list[Bucket]] = defaultdict(list)
        leaving = []
        for part_id, part in self._parts.items():
            if self.sealed is not None and part.start <= self.sealed:
                if self._clock_set_back or part.idle:
                    self.lost += not part.idle
                    leaving.append(part_id)
                    continue
                part = replace(part, start=self.sealed + self._seconds, active=0.0)
            if upto is None or part.start <= upto:
                buckets[part.start].append(part)
                leaving.append(part_id)
        for part_id in leaving:
            self._left[part_id] = self._parts.pop(part_id).start
        if buckets:
            self.note_sealed(max(buckets))
        return [together(buckets[start]) for start in sorted(buckets)], leaving
