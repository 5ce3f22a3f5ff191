"""What other autoscalers document, as decisions of this project: one table of vectors per peer.

A vector is a short history of one service. Its `looks` are [second, what is seen, tasks after the look]; in between it
looks every 5 s at what it saw last. All tasks run as soon as they are asked for, unless `running` says otherwise.

- `source` names an entry of the table's `sources`, `case` a test or a section in it. `differs` is why the result is not
  the peer's own, which is `theirs`. `here` is what corresponds to a notion that this project does not have.
- `tasks`: the count at the beginning; `changes`: scalings before it, [seconds ago, tasks]; `memory`: "lost" for none.
- `policies`: blocks of the document without what tracking() and stepping() add, or a name of the table's own.
- `behavior`: a block of the document, or a name of the table's own; `capacities`: minimum and maximum; `service`: other
  keys of the service.
- What is seen, null for no data: `needs` (a load that needs so many tasks at 100 each), `per_task` (the load of one
  task that reports), and whatever observe() knows. `before`: the same of the buckets before the newest, which all tasks
  reported; `age`: seconds by which the newest bucket is late; `floors`: [tasks, until which second].
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastscaler.document.parse import parse_document
from fastscaler.errors import DocumentInvalid
from fastscaler.scaling.decision import decide
from fastscaler.scaling.memory import Activity, Memory
from fastscaler.scaling.observation import Observation
from fastscaler.scaling.policy import Service
from tests.unit.scaling.build import START, buckets, carried_out, floor, observe, service, stepping, tracking

FIRST = START + 6.5  # A look at a bucket of 5 s, and at one of 10 s that is old enough to count as complete.
FOLDER = Path(__file__).parent
TABLES = {peer: json.loads((FOLDER / f"{peer}_vectors.json").read_text()) for peer in ("hpa", "kpa", "keda", "aws")}
VECTORS = [
    pytest.param(table, vector, id=f"{peer}: {vector['about']}")
    for peer, table in TABLES.items()
    for vector in table["vectors"]
]


def policy(block: Mapping[str, Any]) -> dict[str, Any]:
    """A policy of the document; one with `Steps` is a step table."""
    settings = dict(block)
    metric = settings.pop("Metric", "Requests")
    if "TargetValue" in settings:
        return tracking(settings.pop("TargetValue"), metric, **settings)
    rows, threshold, operator = settings.pop("Steps"), settings.pop("Threshold"), settings.pop("Operator", None)
    kind, name = settings.pop("AdjustmentType", "ChangeInCapacity"), settings.pop("Name", None)
    return stepping(rows, threshold, operator, metric, kind, name, **settings)


def service_of(table: Mapping[str, Any], vector: Mapping[str, Any]) -> Service:
    """The service of a vector, with what it names of its table."""
    policies, behavior = vector.get("policies", [{"TargetValue": 100}]), vector.get("behavior", {})
    policies = table["policies"][policies] if isinstance(policies, str) else policies
    behavior = table["behaviors"][behavior] if isinstance(behavior, str) else behavior
    lowest, highest = vector.get("capacities", (1, 1000))
    settings = {"Behavior": behavior, **vector.get("service", {})}
    return service(*(policy(block) for block in policies), lowest=lowest, highest=highest, **settings)


def memory_of(vector: Mapping[str, Any]) -> Memory:
    """What is known at the beginning: the count, and the scalings before."""
    if vector.get("memory") == "lost":
        return Memory()
    known, changes = vector["tasks"], []
    for ago, tasks in reversed(vector.get("changes", ())):
        changes.append(Activity(FIRST - ago, known - tasks, known, "policy", tasks))
        known -= tasks
    return Memory(vector["tasks"], activities=tuple(reversed(changes)))


def load_of(shown: dict[str, Any], reporters: int) -> float | None:
    """The load of all tasks, however it is given; None where it is not."""
    if "per_task" in shown:
        return float(shown.pop("per_task") * reporters)
    # Half a task below full: as many tasks are needed for the target itself as for 10% below the threshold.
    return 100.0 * shown.pop("needs") - 50 if "needs" in shown else shown.pop("load", None)


def seen(scaled: Service, desired: int, given: Mapping[str, Any] | None, now: float) -> Observation:
    """What one look finds."""
    shown = dict(given or {})
    running = shown.setdefault("running", desired)
    reporters = shown.get("reporters", running)
    newest, before = now - shown.pop("age", 0), shown.pop("before", None)
    shown["floors"] = [floor(tasks, FIRST + until) for tasks, until in shown.pop("floors", ())]
    load = load_of(shown, reporters)
    if load is not None:
        points = buckets(load, reporters, newest)
        if before is not None:
            points[1:] = buckets(load_of(dict(before), running) or 0.0, running, newest)[1:]
        shown["points"] = points
    return observe(scaled, desired, now, **shown)


@pytest.mark.parametrize(("table", "vector"), VECTORS)
def test_what_peers_document(table: Mapping[str, Any], vector: Mapping[str, Any]) -> None:
    scaled, memory, desired = service_of(table, vector), memory_of(vector), vector["tasks"]
    looks = {second: shown for second, shown, _ in vector["looks"]}
    counts, shown = [], None
    for second in range(0, max(looks) + 1, 5):
        shown = looks.get(second, shown)
        decision = decide(scaled, seen(scaled, desired, shown, FIRST + second), memory, FIRST + second)
        memory, desired = carried_out(decision), decision.desired
        if second in looks:
            counts.append([second, desired])
    assert counts == [[second, count] for second, _, count in vector["looks"]]


@pytest.mark.parametrize(("table", "vector"), VECTORS)
def test_every_vector_has_a_source_and_a_reason_to_differ(table: Mapping[str, Any], vector: Mapping[str, Any]) -> None:
    assert vector["source"] in table["sources"]
    assert ("differs" in vector) == ("theirs" in vector)
    assert vector.get("theirs") != vector["looks"][-1][2]


def test_scale_to_zero_is_not_offered() -> None:
    """Knative and KEDA have it. Here the first request would wait for a task to start, 30 s and more on Fargate."""
    document = service(tracking()).model_dump(by_alias=True, exclude_none=True) | {"MinCapacity": 0}
    with pytest.raises(DocumentInvalid, match="MinCapacity"):
        parse_document(json.dumps({"Services": [document]}), "policies.yaml")
