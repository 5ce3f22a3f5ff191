"""The few errors that cross the floors of this library. What AWS answers is translated to these in `fastscaler.aws`."""

from collections.abc import Iterable
from dataclasses import dataclass


class FastScalerError(Exception):
    """Every error this project raises on purpose."""


class AwsError(FastScalerError):
    """An AWS API call failed; `code` is AWS's error code, `operation` the API's name."""

    def __init__(self, operation: str, code: str, message: str = "") -> None:
        self.operation, self.code, self.message = operation, code, message
        super().__init__(f"{operation}: {code}" + (f": {message}" if message else ""))


class Throttled(AwsError):
    """AWS asked for fewer calls; nothing was done."""


class AccessDenied(AwsError):
    """The role lacks a permission; nothing was done."""


class NotFound(AwsError):
    """The cluster, service or table does not exist."""


class Rejected(AwsError):
    """AWS refused the request itself; nothing was done and the same request will be refused again."""


class Unavailable(AwsError):
    """No usable answer (5xx, time-out, connection lost): the call may or may not have taken effect."""


class Misconfigured(AwsError):
    """The AWS settings of this machine cannot be used: files, environment variables, a sign-in. AWS was not asked."""


class NotReady(AwsError):
    """What is deployed cannot be used yet, or any more; `message` says what to do."""


class AnswerLost(Unavailable):
    """A function was asked, and its answer will not come: it may run all the same."""


class Defect(AwsError):
    """A defect of this program, or an answer that it cannot read, met while `doing` something; all else goes on."""

    @classmethod
    def of(cls, doing: str, error: Exception) -> "Defect":
        """`error`, whatever it is, as an error that can be counted and told like AWS's own."""
        return cls(doing, type(error).__name__, str(error))


def told_as(doing: str, error: Exception) -> AwsError:
    """`error` as one that can be counted and told: AWS's own as it is, any other as a `Defect`."""
    return error if isinstance(error, AwsError) else Defect.of(doing, error)


class FunctionFailed(FastScalerError):
    """A Lambda function answered with an error of its own: `kind` is its type, `message` what it says."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind, self.message = kind, message
        super().__init__(f"{kind}: {message}")


class Superseded(FastScalerError):
    """A newer invocation has taken over; this one must not act any more."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document: where it stands, what was found, what is allowed."""

    source: str
    service: str
    key: str
    value: str
    allowed: str

    def __str__(self) -> str:
        where = f"{self.source}: {self.service}: " if self.service else f"{self.source}: "
        return f"{where}{self.key} = {self.value}: {self.allowed}"


class ProblemsFound(FastScalerError):
    """Something that a person wrote cannot be used; `problems` holds every problem found, never only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DocumentInvalid(ProblemsFound):
    """A policy document that must not be used."""


class DirectiveRefused(ProblemsFound):
    """A directive that cannot be carried out; nothing was stored."""


class EventInvalid(ProblemsFound):
    """An event of the synthetic function that cannot be used; nothing was published."""
