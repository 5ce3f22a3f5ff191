"""What holds for every policy, every observation and every memory."""

import json
from dataclasses import replace
from math import inf, nan
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fastscaler.document.parse import parse_document
from fastscaler.scaling.decision import decide
from fastscaler.scaling.memory import Activity, Memory, from_json, to_json
from fastscaler.scaling.observation import (
    Datapoint,
    Observation,
    ServiceState,
    read_load_balancer,
    read_metric,
)
from fastscaler.scaling.policy import Direction, Service
from tests.unit.scaling.build import BALANCER, METRICS, START, carried_out, floor, observe, service, stepping, tracking

NOW = START + 1.5
DIRECTIONS: tuple[Direction, ...] = ("ScaleOut", "ScaleIn")
MODEST = settings(max_examples=100, deadline=None)

metrics = st.sampled_from(sorted(METRICS))
seconds = st.sampled_from([0, 10, 60, 300])
trackings = st.builds(
    lambda target, metric, saturation, **more: tracking(
        target, metric, TaskCapacity=None if saturation is None else target * saturation, **more
    ),
    st.sampled_from([0.5, 50, 100, 1000.0]),
    metrics,
    st.sampled_from([None, 1.4, 3]),
    DisableScaleIn=st.booleans(),
    ScaleOutTolerance=st.sampled_from([0.0, 0.1, 0.5]),
    ScaleInTolerance=st.sampled_from([0.0, 0.15, 0.5]),
)


@st.composite
def tables(draw: st.DrawFn, kinds: tuple[str, ...]) -> dict[str, Any]:
    """A step table whose adjustments grow with the metric: above its threshold, below it, or on both sides."""
    side = draw(st.sampled_from(["above", "below", "both"]))
    kind = draw(st.sampled_from(kinds))
    inner = sorted(draw(st.lists(st.integers(1, 40).map(lambda n: n * 12.5), max_size=3, unique=True)))
    bounds: list[float | None] = {
        "above": [0.0, *inner, None],
        "below": [None, *(-bound for bound in reversed(inner)), 0.0],
        "both": [None, *(-bound for bound in reversed(inner)), 0.0, *inner, None],
    }[side]
    allowed = {"above": (0, 200), "below": (-100, 0), "both": (-100, 200)}[side]
    least = 0 if kind == "ExactCapacity" else allowed[0]
    adjustments = sorted(draw(st.integers(least, 200 if least == 0 else allowed[1])) for _ in bounds[1:])
    operator = {"above": "GreaterThanThreshold", "below": "LessThanOrEqualToThreshold", "both": None}[side]
    return stepping(
        zip(bounds, bounds[1:], adjustments, strict=False),
        draw(st.sampled_from([50, 100, 500])),
        operator,
        draw(metrics),
        kind,
        Cooldown=draw(seconds),
    )


def rates(shortest: int) -> st.SearchStrategy[dict[str, Any]]:
    rate = st.fixed_dictionaries(
        {
            "Type": st.sampled_from(["Tasks", "Percent"]),
            "Value": st.integers(1, 100),
            "PeriodSeconds": st.sampled_from([shortest, 60, 600]),
        }
    )
    select = st.sampled_from(["Max", "Min", "Disabled"])
    return st.fixed_dictionaries(
        {"Cooldown": st.sampled_from([0, 10, 30]), "Policies": st.lists(rate, max_size=2), "SelectPolicy": select}
    )


@st.composite
def services(
    draw: st.DrawFn,
    kinds: tuple[str, ...] = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"),
    shortest_rate: int = 5,
) -> Service:
    policies = draw(st.lists(trackings | tables(kinds), min_size=1, max_size=3))
    named = [{**policy, "Name": str(number)} for number, policy in enumerate(policies)]
    lowest = draw(st.integers(1, 20))
    highest = draw(st.integers(lowest, 120))
    behavior = {"ScaleOut": draw(rates(shortest_rate)), "ScaleIn": draw(rates(shortest_rate))}
    behavior["ScaleIn"]["StabilizationWindowSeconds"] = draw(seconds)
    made = service(
        *named,
        lowest=lowest,
        highest=highest,
        Behavior=behavior,
        FallbackCapacity=draw(st.none() | st.integers(lowest, highest)),
        LoadBalancer=draw(st.none() | st.just(BALANCER)),
        TaskStartTimeout=draw(st.sampled_from([30, 120])),
    )
    document = {"Services": [made.model_dump(by_alias=True, exclude_none=True)]}
    (scaled,) = parse_document(json.dumps(document), "generated").services  # Refuses what is not valid.
    return scaled


any_number = st.sampled_from([nan, inf, -inf, -1.0, 0.0, 1e308, -1e308, 5e-324]) | st.floats(0, 1e5)
values = st.floats(0, 5000) | any_number
datapoints = st.lists(
    st.builds(Datapoint, st.integers(-4, 14).map(lambda n: START - 5 * n), values, st.integers(0, 150) | any_number),
    max_size=8,
)
minutes = st.lists(st.builds(Datapoint, st.integers(-1, 6).map(lambda n: START - 60 * n), values), max_size=4)
counts = st.integers(0, 150)
states = st.builds(
    ServiceState,
    counts,
    counts,
    status=st.sampled_from(["ACTIVE"] * 8 + ["DRAINING"]),
    scheduling_strategy=st.sampled_from(["REPLICA"] * 8 + ["DAEMON"]),
    express_managed=st.sampled_from([False] * 8 + [True]),
    deployment_in_progress=st.booleans(),
)
floors = st.lists(st.builds(floor, st.integers(1, 200), st.sampled_from([NOW - 60, NOW + 60])), max_size=2)
ages = st.sampled_from([0.0, 1.0, 9.0, 45.0, 200.0])


@st.composite
def observations(draw: st.DrawFn, scaled: Service) -> Observation:
    state = draw(states)
    seen = {
        key: read_metric(metric, draw(datapoints), state.running, scaled.stale_after, NOW)
        for key, metric in scaled.metrics.items()
        if draw(st.integers(0, 9))
    }
    balancer = None
    if scaled.load_balancer is not None:
        balancer = read_load_balancer(draw(minutes), draw(minutes), draw(minutes), NOW)
    return Observation(state, seen, balancer, draw(floors), frozenset(draw(st.sets(st.sampled_from(DIRECTIONS)))))


@st.composite
def memories(draw: st.DrawFn, scaled: Service, desired: int) -> Memory:
    def changes() -> Activity:
        names = [policy.name for policy in scaled.policies]
        steps = draw(st.dictionaries(st.sampled_from(names), st.integers(-20, 20), max_size=2))
        before, after = draw(counts), draw(counts)
        cause = draw(st.sampled_from(["policy", "bound", "external"]))
        return Activity(NOW - draw(ages), before, after, cause, draw(st.integers(-20, 20)), steps)

    if draw(st.integers(0, 9)) == 0:
        return Memory()
    slots = draw(st.sampled_from([(5, 20), (6, 20), (30, 20)]))
    newest = int(NOW // slots[0])
    return Memory(
        desired=draw(st.just(desired) | counts),
        intent=(draw(st.sampled_from([True, False, False])) and changes()) or None,
        superseded=(draw(st.sampled_from([True, False, False])) and changes()) or None,
        activities=tuple(sorted((changes() for _ in range(draw(st.integers(0, 3)))), key=lambda one: one.at)),
        maxima=tuple((newest - n, draw(counts)) for n in range(slots[1], -1, -1)) if draw(st.booleans()) else (),
        slot_seconds=slots[0],
    )


@given(services(), st.data())
@settings(max_examples=250, deadline=None)
def test_whatever_is_seen_the_count_keeps_its_bounds_and_directions(scaled: Service, data: st.DataObject) -> None:
    seen = data.draw(observations(scaled))
    memory = data.draw(memories(scaled, seen.state.desired))
    decision = decide(scaled, seen, memory, NOW)
    assert decision.desired <= max(scaled.max_capacity, decision.current)
    if decision.cause == "left alone" or "ScaleOut" in seen.paused:
        assert decision.desired <= decision.current
    else:
        assert decision.desired >= scaled.min_capacity
    if "ScaleIn" in seen.paused or seen.state.deployment_in_progress or decision.cause == "left alone":
        assert decision.desired >= decision.current
    assert (decision.activity is None) == (decision.desired == decision.current)
    assert decision.reason
    assert from_json(to_json(decision.memory)) == decision.memory
    if decision.activity is not None:
        assert (decision.activity.previous, decision.activity.desired) == (decision.current, decision.desired)


@given(services(), st.data())
@MODEST
def test_a_successor_with_the_saved_memory_decides_the_same(scaled: Service, data: st.DataObject) -> None:
    seen = data.draw(observations(scaled))
    memory = data.draw(memories(scaled, seen.state.desired))
    successor = from_json(to_json(memory))
    assert successor is not None
    assert decide(scaled, seen, successor, NOW) == decide(scaled, seen, memory, NOW)


@given(services(), st.data())
@MODEST
def test_without_data_nothing_is_taken_away(scaled: Service, data: st.DataObject) -> None:
    seen = replace(data.draw(observations(scaled)), metrics={})
    memory = data.draw(memories(scaled, seen.state.desired))
    decision = decide(scaled, seen, memory, NOW)
    assert decision.desired >= decision.current


steady = {"load": st.floats(0, 20000), "latency": st.floats(0, 1200), "cpu": st.floats(0, 200)}


@given(services(("ChangeInCapacity", "PercentChangeInCapacity")), st.data())
@MODEST
def test_more_load_never_gives_fewer_tasks(scaled: Service, data: st.DataObject) -> None:
    desired, running = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    memory = data.draw(memories(scaled, desired))
    reporters = data.draw(st.integers(1, running))
    pairs = {name: sorted((data.draw(load), data.draw(load))) for name, load in steady.items()}
    less, more = (
        observe(scaled, desired, NOW, running=running, reporters=reporters, **{k: pair[n] for k, pair in pairs.items()})
        for n in (0, 1)
    )
    assert decide(scaled, less, memory, NOW).desired <= decide(scaled, more, memory, NOW).desired


@given(services(("ChangeInCapacity", "PercentChangeInCapacity"), shortest_rate=60), st.data())
@MODEST
def test_the_same_load_is_not_answered_twice_within_the_cooldown(scaled: Service, data: st.DataObject) -> None:
    desired, running = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    load = {name: data.draw(load) for name, load in steady.items()}
    behavior = scaled.behavior.scale_out
    scaled = scaled.model_copy(
        update={
            "behavior": scaled.behavior.model_copy(update={"scale_out": behavior.model_copy(update={"cooldown": 10})})
        }
    )
    memory, first = Memory(desired=desired), desired
    for second in (0, 5):
        seen = observe(scaled, first, NOW + second, running=running, **load)
        decision = decide(scaled, seen, memory, NOW + second)
        if second == 0:
            memory, first = carried_out(decision), decision.desired
        else:
            assert decision.desired <= max(first, scaled.min_capacity)


@given(services(), st.data())
@MODEST
def test_a_pause_of_both_directions_stops_everything(scaled: Service, data: st.DataObject) -> None:
    seen = replace(data.draw(observations(scaled)), paused=frozenset(DIRECTIONS))
    decision = decide(scaled, seen, data.draw(memories(scaled, seen.state.desired)), NOW)
    assert (decision.desired, decision.activity) == (decision.current, None)
