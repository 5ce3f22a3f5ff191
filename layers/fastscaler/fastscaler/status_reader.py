"""Reads the status of a deployed stack, once or again and again."""

from typing import TYPE_CHECKING, Protocol

from fastscaler.errors import AccessDenied, AwsError, NotFound, NotReady, Throttled, Unavailable
from fastscaler.policies import load_last_good
from fastscaler.ports import Clock, ServiceApi
from fastscaler.scaling.policy import Document
from fastscaler.status import LOG_WINDOW, Heard, Status, heard, status

if TYPE_CHECKING:
    from fastscaler.aws.dynamodb import Takeover
    from fastscaler.aws.function_log import Record

LATE = 15.0  # Seconds by which a record may be readable later than it was logged; so much is read again.
DOCUMENT_FOR = 60.0  # Seconds for which a document is not read again; a new one comes with a deployment.
# Ten services a call, and a tenth of ECS's 20 reads a second, which all of the account shares.
DESCRIBED_A_SECOND = 20


class StateTable(Protocol):
    """What is read of the state table."""

    def read_all(self) -> "Takeover":
        """Epoch, directives and memories. Raises AwsError."""

    def load_document(self) -> str | None:
        """The last good document's text. Raises AwsError."""


class Log(Protocol):
    """What is read of the scaler's log."""

    def read(self, since: float) -> "list[Record]":
        """The records from `since` (epoch seconds) on. Raises AwsError."""


class Source(Protocol):
    """The parts of a deployed stack that a status is made from; each may raise AwsError where it is not found."""

    name: str

    @property
    def table(self) -> StateTable:
        """The state table."""

    @property
    def ecs(self) -> ServiceApi:
        """ECS, read only."""

    @property
    def log(self) -> Log:
        """The scaler's log."""


class StatusReader:
    """Keeps what it has heard, so that a refresh reads only what is new of the log."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._heard: Heard | None = None
        self._read_until = 0.0
        self._document: Document | None = None
        self._document_at = 0.0

    def read(self) -> Status:
        """The status now. Raises AwsError; a log that cannot be read is part of the answer."""
        now = self._clock.now()
        document = self.document()
        stored = self._source.table.read_all()
        states = self._source.ecs.describe([service.key for service in document.services])
        log_error = self._listen(now)
        return status(self._source.name, document, stored, states, self._heard or Heard(), log_error, now)

    def document(self) -> Document:
        """The policy document that the loop runs. Raises AwsError."""
        now = self._clock.now()
        if self._document is None or now - self._document_at > DOCUMENT_FOR:
            self._document = running_document(self._source)
            self._document_at = now
        return self._document

    def seconds_between(self, wanted: float) -> float:
        """Seconds between two refreshes: `wanted`, or more where there are so many services that ECS would mind."""
        return max(wanted, len(self.document().services) / DESCRIBED_A_SECOND)

    def _listen(self, now: float) -> AwsError | None:
        """Adds what is new of the log to what was heard; or why it cannot be read now."""
        since = self._read_until - LATE if self._heard else now - LOG_WINDOW
        try:
            self._heard = heard(self._source.log.read(since), self._heard)
        except (AccessDenied, NotFound, Throttled, Unavailable) as error:
            return error
        self._read_until = now
        return None


def running_document(source: Source) -> Document:
    """The policy document that the loop runs and keeps in its table. Raises AwsError, NotReady before the first run."""
    found = load_last_good(source.table)
    if found is None:
        why = "the loop has kept no policy document yet, as it does within two minutes of sam deploy"
        raise NotReady("Query", "MISSING", f"{why}: see sam logs")
    return found.document
