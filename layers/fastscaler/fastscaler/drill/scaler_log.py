"""The scaler's answer to a surge, as its log tells it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastscaler.aws.function_log import Record

MOMENTS = ("read", "decided", "updated", "running", "healthy")


@dataclass(frozen=True, slots=True)
class ScaleOut:
    """One scale-out: counts, why, and when each moment was (epoch seconds; None: not yet)."""

    previous: int
    desired: int
    reason: str
    times: Mapping[str, float | None]


def first_scale_out(records: "Iterable[Record]", service: str, since: float) -> ScaleOut | None:
    """The first scale-out of `service` that answers a load from `since` (epoch seconds) on, as far as it has come."""
    mine = [record for record in records if record.fields.get("service") == service]
    ledgers = [record.fields for record in mine if record.message == "ledger"]
    # Without a bucket it was a floor that asked.
    answers = [one for one in ledgers if one.get("bucket_end") is not None and one["bucket_end"] > since]
    if not answers:
        return None
    first = min(one["decided"] for one in answers)
    newest = [one for one in answers if one["decided"] == first][-1]
    reasons = [
        record.fields["reason"]
        for record in mine
        if record.message == "decision" and record.fields["to"] == newest["to"] and record.fields["now"] <= first
    ]
    return ScaleOut(
        newest["from"], newest["to"], reasons[-1] if reasons else "", {name: newest.get(name) for name in MOMENTS}
    )


def rehearsed(records: "Iterable[Record]", service: str) -> Mapping[str, Any] | None:
    """What the last rehearsal of `service` has answered, which it logs as well."""
    found = [one.fields for one in records if one.message == "rehearsal" and one.fields.get("service") == service]
    return found[-1] if found else None
