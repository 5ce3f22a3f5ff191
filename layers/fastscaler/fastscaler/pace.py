"""When to look: ticks follow the data.

Publishers stamp buckets of 5 s that are aligned to the wall clock. A look at `bucket end + delay` finds the bucket
complete most of the time; a look that came too early is repeated within a second while the service is hot.
"""

from dataclasses import dataclass

BUCKET = 5.0  # Seconds in a publisher's bucket, and between two looks.
AGAIN = 1.0  # Seconds until a late bucket of a hot service is looked at again.
START_DELAY = 1.5  # Seconds after the end of a bucket at which a loop that knows nothing looks.
SHORTEST_DELAY, LONGEST_DELAY = 0.5, 4.9  # Below a whole bucket: else the next one would be the newest.
# The delay settles where this share of buckets is complete at the first look. The other looks are repeated a second
# later: that is billed, but the fastest (docs/decisions.md has the figures).
ON_TIME = 0.7
GAIN = 0.5  # Seconds by which one late bucket, less one on time, moves the delay; settles within ten buckets.


@dataclass
class Pace:
    """The learned delay, in seconds, between the end of a bucket and the look at it.

    `again`: seconds until a late bucket of a hot service is looked at again.

    Follows the 70th percentile of lateness by stochastic approximation (Robbins and Monro): each late bucket moves the
    delay up by 0.35 s, each one on time down by 0.15 s, so it rests where three in ten are late. CloudWatch does not
    tell when a datapoint became visible, so an on-time look says no more than that.
    """

    delay: float = START_DELAY
    again: float = AGAIN

    def learn(self, on_time_share: float) -> None:
        """Takes in the first look at a bucket: which share of the services had it complete."""
        moved = self.delay + GAIN * (ON_TIME - on_time_share)
        self.delay = min(max(moved, SHORTEST_DELAY), LONGEST_DELAY)

    def next_look(self, now: float, looked_at: float) -> float:
        """When to look at the next bucket; `looked_at` is the end of the one that had its first look already.

        A look that overran skips to the next boundary that is still ahead.
        """
        bucket = newest_bucket_end(now)
        if bucket <= looked_at or bucket + self.delay <= now:
            bucket += BUCKET
        return bucket + self.delay


def newest_bucket_end(now: float) -> float:
    """The end of the newest bucket that has ended at `now` (epoch seconds)."""
    return now // BUCKET * BUCKET
