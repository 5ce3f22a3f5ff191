"""The drill's load: one invocation, which goes on where the connection to it is lost."""

from collections.abc import Mapping
from typing import Any

from fastscaler.drill.jobs import Job
from fastscaler.drill.plan import BUCKET, START
from fastscaler.errors import AnswerLost


class Load:
    """What publishes for `seconds` from `began` (epoch seconds) on, or a little later.

    An invocation does not end with its connection, and cannot be stopped. Where its answer is lost, its end is known by
    the clock: from the first bucket on (`origin`, epoch seconds), or, while none was seen, as late as it can be.
    """

    def __init__(self, job: Job, began: float, seconds: int) -> None:
        self._job, self._began, self._seconds = job, began, seconds
        self.origin: float | None = None

    @property
    def ends_by(self) -> float:
        """When it has ended at the latest, epoch seconds."""
        return (self._began + START if self.origin is None else self.origin) + self._seconds

    @property
    def lost(self) -> AnswerLost | None:
        """The error with which its answer was lost, if it was."""
        if not self._job.done():
            return None
        try:
            self._job.result()
        except AnswerLost as error:
            return error
        except Exception:  # It has failed, which `answer` tells.
            return None
        return None

    def goes_on(self, now: float) -> bool:
        """Whether it may still publish at `now` (epoch seconds)."""
        return not self._job.done() or (self.lost is not None and now < self.ends_by)

    def over(self, now: float) -> bool:
        """Whether it has ended well; raises what it raised."""
        if self.goes_on(now):
            return False
        self.answer()
        return True

    def answer(self) -> Mapping[str, Any]:
        """What the function has told, or of a lost answer what is known; raises what it raised once it is over."""
        if (lost := self.lost) is None:
            answer: Mapping[str, Any] = self._job.result()
            return answer
        if self.origin is None:
            raise lost
        return {"last_bucket": self.origin + self._seconds - BUCKET}
