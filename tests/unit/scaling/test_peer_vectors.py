"""What other autoscalers document, as decisions of this project: one table of vectors per peer.

A vector is a short history of one service. Its `looks` are [second, what is seen, tasks after the look]; in between it
looks every 5 s at what it saw last. All tasks run as soon as they are asked for, unless `running` says otherwise.

- `source` names an entry of the table's `sources`, `case` a test or a section in it. `differs` is why the result is not
  the peer's own, `here` what corresponds to a notion that this project does not have.
- `tasks`: the count at the beginning; `changes`: scalings before it, [seconds ago, tasks]; `memory`: "lost" for none.
- `policies`: blocks of the document with what tracking() and stepping() do not default, or a name of the table's own.
- `behavior`: a block of the document, or a name of the table's own; `capacities`: minimum and maximum; `service`: other
  keys of the service.
- What is seen, null for no data: `needs` (a load that needs so many tasks at 100 each), `per_task` (the load of one
  running task), and whatever observe() knows. `reporters`: the tasks that publish; `before`: the buckets before the
  newest; `age`: seconds since the newest bucket; `floors`: [tasks, until which second].
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastscaler.scaling.decision import decide
from fastscaler.scaling.memory import Activity, Memory
from fastscaler.scaling.observation import Observation
from fastscaler.scaling.policy import Service
from tests.unit.scaling.build import START, buckets, carried_out, floor, observe, service, stepping, tracking

FIRST = START + 6.5  # A look at a bucket of 5 s, and at one of 10 s that is old enough to count as complete.
TABLES = {
    peer: json.loads((Path(__file__).parent / f"{peer}_vectors.json").read_text())
    for peer in ("hpa", "kpa", "keda", "aws")
}
VECTORS = [
    pytest.param(table, row, id=f"{peer}: {row['about']}") for peer, table in TABLES.items() for row in table["vectors"]
]


def named(table: Mapping[str, Any], kind: str, found: Any) -> Any:
    return table[kind][found] if isinstance(found, str) else found


def policy(block: Mapping[str, Any]) -> dict[str, Any]:
    settings = {
        key[0].lower() + key[1:] if key in ("Metric", "Threshold", "Name") else key: value
        for key, value in block.items()
    }
    if "TargetValue" in settings:
        return tracking(settings.pop("TargetValue"), **settings)
    return stepping(
        settings.pop("Steps"), kind=settings.pop("AdjustmentType"), operator=settings.pop("Operator", None), **settings
    )


def of(table: Mapping[str, Any], row: Mapping[str, Any]) -> Service:
    blocks = named(table, "policies", row.get("policies", [{"TargetValue": 100}]))
    lowest, highest = row.get("capacities", (1, 1000))
    settings = {"Behavior": named(table, "behaviors", row.get("behavior", {})), **row.get("service", {})}
    return service(*map(policy, blocks), lowest=lowest, highest=highest, **settings)


def seen(scaled: Service, desired: int, shown: Mapping[str, Any] | None, now: float) -> Observation:
    shown = dict(shown or {})
    running = shown.setdefault("running", desired)
    reporters, age = shown.get("reporters", running), shown.pop("age", 0)

    def load(bucket: dict[str, Any]) -> float | None:
        per_task, needs = bucket.pop("per_task", None), bucket.pop("needs", None)
        if per_task is not None:
            return float(per_task * bucket.get("reporters", running))
        # Half a task less than a full one: the count that is needed is the same for the target and for anti-flap.
        return None if needs is None else 100.0 * needs - 50

    shown["floors"] = [floor(tasks, FIRST + until) for tasks, until in shown.pop("floors", ())]
    before = shown.pop("before", None)
    total = load(shown)
    if total is not None:
        points = buckets(total, reporters, now - age)
        if before is not None:
            points[1:] = buckets(load(before) or 0.0, running, now - age)[1:]
        shown["points"] = points
    return observe(scaled, desired, now, **shown)


@pytest.mark.parametrize(("table", "row"), VECTORS)
def test_what_peers_document(table: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    scaled, desired, looks = of(table, row), row["tasks"], list(row["looks"])
    memory, known = Memory(desired), desired
    changes = []
    for ago, tasks in reversed(row.get("changes", [])):
        changes.insert(0, Activity(FIRST - ago, known - tasks, known, "policy", tasks))
        known -= tasks
    memory = Memory() if row.get("memory") == "lost" else Memory(desired, activities=tuple(changes))
    second, counts, shown = 0, [], None
    while looks:
        expected = None
        if looks[0][0] <= second:
            _, shown, expected = looks.pop(0)
        now = FIRST + second
        decision = decide(scaled, seen(scaled, desired, shown, now), memory, now)
        memory, desired = carried_out(decision), decision.desired
        if expected is not None:
            counts.append((second, desired))
        second += 5
    assert counts == [(second, count) for second, _, count in row["looks"]]


@pytest.mark.parametrize(("table", "row"), VECTORS)
def test_every_vector_names_its_source(table: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    assert row["source"] in table["sources"]
