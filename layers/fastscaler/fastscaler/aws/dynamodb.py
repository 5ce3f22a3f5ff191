"""The loop's state: epoch, controller memory, directives, and the last good policy document.

One table, keys `pk` and `sk`. The partition `loop` sorts so that what every tick needs is one contiguous range:
`directive#...` and `epoch` come before `memory#...`. The partition `policies` holds the document.

Fencing: a take-over adds 1 to the epoch; every write of memory or document carries a condition on it, so what a
superseded invocation tries to write is refused by DynamoDB itself, whatever the clocks say.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from fastscaler.aws.calls import READ, calling
from fastscaler.errors import AwsError, Rejected, Superseded, Throttled
from fastscaler.scaling.memory import Memory, from_json, to_json
from fastscaler.scaling.observation import Floor, Pause

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

EPOCH: dict[str, Any] = {"pk": {"S": "loop"}, "sk": {"S": "epoch"}}
CURRENT: dict[str, Any] = {"pk": {"S": "policies"}, "sk": {"S": "current"}}
MAX_WRITES = 99  # TransactWriteItems takes 100 actions; one of them is the check of the epoch.
CHUNK_BYTES = 350_000  # An item holds 400 KB, a transaction 4 MB: a compressed document of eleven chunks.
TTL_AFTER = 86_400  # Seconds for which an expired directive stays, so that a late duplicate is still recognised.
BUSY = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}  # Reasons to try again later.

Directive = Floor | Pause


@dataclass(frozen=True, slots=True)
class Head:
    """What every tick reads first. `date`: AWS's clock as its answer's Date header tells it, epoch seconds."""

    epoch: int
    directives: tuple[Directive, ...]
    date: float | None = None


@dataclass(frozen=True, slots=True)
class Takeover:
    """What an invocation that took over starts from."""

    epoch: int
    directives: tuple[Directive, ...]
    memories: Mapping[str, Memory]


class Table:
    """The ports `StateStore` and `DirectiveStore`, on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client, self._name = client, name

    @classmethod
    def connect(cls, name: str) -> "Table":
        """An adapter with a client of its own for the table `name`."""
        import boto3

        return cls(boto3.client("dynamodb", config=READ), name)

    def take_over(self) -> int:
        """Makes the caller the one writer, and returns its epoch. Raises AwsError.

        Throttled as well while the predecessor is just writing: DynamoDB refuses one of two writes under one check.
        """
        with calling("UpdateItem"):
            response = self._client.update_item(
                TableName=self._name,
                Key=EPOCH,
                UpdateExpression="ADD epoch :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        return int(response["Attributes"]["epoch"]["N"])

    def read_all(self) -> Takeover:
        """Epoch, directives and memories: after a take-over all that the predecessor wrote. Raises AwsError."""
        items, _ = self._query("pk = :pk", {":pk": {"S": "loop"}})
        memories = {
            item["sk"]["S"].removeprefix("memory#"): memory
            for item in items
            if item["sk"]["S"].startswith("memory#")
            and (memory := from_json(item.get("state", {}).get("S", ""))) is not None
        }
        return Takeover(_epoch(items), _directives(items), memories)

    def poll(self) -> Head:
        """Epoch and directives, in one strongly consistent Query. Raises AwsError."""
        items, date = self._query("pk = :pk AND sk < :memory", {":pk": {"S": "loop"}, ":memory": {"S": "memory#"}})
        return Head(_epoch(items), _directives(items), _parse_date(date))

    def save(self, epoch: int, memories: Mapping[str, Memory]) -> None:
        """Writes the memory of these services, if `epoch` still holds. Raises Superseded, AwsError."""
        puts: list[TransactWriteItemTypeDef] = [
            {"Put": {"TableName": self._name, "Item": {
                "pk": {"S": "loop"}, "sk": {"S": f"memory#{service}"}, "state": {"S": to_json(memory)}}}}
            for service, memory in memories.items()
        ]  # fmt: skip
        for start in range(0, len(puts), MAX_WRITES):
            self._write_fenced(epoch, puts[start : start + MAX_WRITES])

    def put_directive(self, directive: Directive, at: float, request_id: str) -> bool:
        """Stores a directive given at `at` (epoch seconds); False where a newer one, or this very one, is there.

        Raises AwsError.
        """
        item: dict[str, Any] = {
            "pk": {"S": "loop"},
            "sk": {"S": f"directive#{directive.service}#{_kind(directive)}"},
            "body": {"S": json.dumps(asdict(directive), separators=(",", ":"))},
            "given": {"N": repr(at)},
            "request": {"S": request_id},
        }
        if directive.expires_at != float("inf"):
            item["ttl"] = {"N": str(int(directive.expires_at) + TTL_AFTER)}
        try:
            with calling("PutItem"):
                self._client.put_item(
                    TableName=self._name,
                    Item=item,
                    ConditionExpression="attribute_not_exists(sk) OR (given <= :at AND #request <> :request)",
                    ExpressionAttributeNames={"#request": "request"},
                    ExpressionAttributeValues={":at": item["given"], ":request": item["request"]},
                )
        except Rejected as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def load_document(self) -> str | None:
        """The last good policy document; None where there is none that is whole. Raises AwsError."""
        items, _ = self._query("pk = :pk", {":pk": {"S": "policies"}})
        by_key = {item["sk"]["S"]: item for item in items}
        try:
            current = by_key["current"]
            count = int(current["chunks"]["N"])
            packed = b"".join(by_key[f"chunk#{number:04}"]["chunk"]["B"] for number in range(count))
            text = gzip.decompress(packed).decode()
            return text if _digest(text) == current["digest"]["S"] else None
        except (KeyError, OSError, EOFError, ValueError, zlib.error):
            return None

    def save_document(self, epoch: int, text: str) -> bool:
        """Keeps `text` as the last good document, if `epoch` still holds; False where it is kept already, and whole.

        Pointer and chunks are one transaction, so a reader never finds half of one. Raises Superseded, AwsError.
        """
        if self.load_document() == text:
            return False
        packed = gzip.compress(text.encode(), mtime=0)
        chunks = [packed[start : start + CHUNK_BYTES] for start in range(0, len(packed), CHUNK_BYTES)]
        current = {**CURRENT, "digest": {"S": _digest(text)}, "chunks": {"N": str(len(chunks))}}
        items: list[dict[str, Any]] = [current]
        for number, chunk in enumerate(chunks):
            items.append({"pk": CURRENT["pk"], "sk": {"S": f"chunk#{number:04}"}, "chunk": {"B": chunk}})
        self._write_fenced(epoch, [{"Put": {"TableName": self._name, "Item": item}} for item in items])
        return True

    def _query(self, condition: str, values: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str | None]:
        """All items under a key condition, of however many pages, and the Date header of the last one."""
        request: dict[str, Any] = {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}
        items: list[Mapping[str, Any]] = []
        while True:
            with calling("Query"):
                page = self._client.query(TableName=self._name, ConsistentRead=True, **request)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items, page["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _write_fenced(self, epoch: int, writes: Sequence["TransactWriteItemTypeDef"]) -> None:
        fence: TransactWriteItemTypeDef = {
            "ConditionCheck": {
                "TableName": self._name,
                "Key": EPOCH,
                "ConditionExpression": "epoch = :mine",
                "ExpressionAttributeValues": {":mine": {"N": str(epoch)}},
            }
        }
        try:
            with calling("TransactWriteItems"):
                self._client.transact_write_items(TransactItems=[fence, *writes])
        except Rejected as error:
            reasons = _cancellation_reasons(error)
            if reasons[:1] == ["ConditionalCheckFailed"]:
                raise Superseded(f"epoch {epoch} is over") from error
            if busy := BUSY.intersection(reasons):
                raise Throttled(error.operation, min(busy)) from error
            raise


def _cancellation_reasons(error: AwsError) -> list[str]:
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return []
    reasons: Sequence[Mapping[str, Any]] = cause.response.get("CancellationReasons", ())
    return [str(reason.get("Code")) for reason in reasons]


def _epoch(items: Sequence[Mapping[str, Any]]) -> int:
    return next((int(item["epoch"]["N"]) for item in items if item["sk"] == EPOCH["sk"]), 0)


def _kind(directive: Directive) -> str:
    return f"prewarm#{directive.owner}" if isinstance(directive, Floor) else f"pause#{directive.direction}"


def _directives(items: Sequence[Mapping[str, Any]]) -> tuple[Directive, ...]:
    """The stored directives; one that cannot be read is passed over, never guessed."""
    found: list[Directive] = []
    for item in items:
        if not item["sk"]["S"].startswith("directive#"):
            continue
        try:
            body = json.loads(item["body"]["S"])
            body["expires_at"] = float(body["expires_at"])
            if "owner" in body:
                found.append(Floor(**{**body, "min_capacity": int(body["min_capacity"])}))
            else:
                found.append(Pause(**body))
        except (ArithmeticError, KeyError, TypeError, ValueError):
            continue
    return tuple(found)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _parse_date(header: str | None) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except ValueError:
        return None
