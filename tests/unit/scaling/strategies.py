"""Every valid service, and everything that may be seen and remembered of it: what the properties are drawn from."""

import json
from math import inf, nan
from typing import Any

from hypothesis import strategies as st

from fastscaler.document.parse import parse_document
from fastscaler.scaling.memory import Activity, Extremes, Launch, Memory
from fastscaler.scaling.observation import (
    Datapoint,
    FailedLaunch,
    LaunchCheck,
    MetricReading,
    NoData,
    Observation,
    ServiceState,
    read_load_balancer,
    read_metric,
)
from fastscaler.scaling.policy import Direction, Service
from tests.unit.scaling.build import BALANCER, METRICS, START, floor, service, stepping, tracking

NOW = START + 6.5  # A look at a bucket of 5 s and at one of 10 s that is old enough to count as complete.
DIRECTIONS: tuple[Direction, ...] = ("ScaleOut", "ScaleIn")
KINDS = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")
SMALLEST = 5e-324  # The smallest positive float: whatever is divided by it is infinite.

metrics = st.sampled_from(sorted(METRICS))
seconds = st.sampled_from([0, 10, 60, 300])


@st.composite
def trackings(draw: st.DrawFn) -> dict[str, Any]:
    target = draw(st.sampled_from([0.5, 50, 100, 1000.0] * 4 + [SMALLEST, 1e308]))
    saturation = draw(st.sampled_from([None, 1.4, 3]))
    if saturation is not None and SMALLEST < target < 1e308:
        settings = {"TaskCapacity": target * saturation, "SaturationFactor": draw(st.sampled_from([1.0, 2.0, 10.0]))}
    else:
        settings = {}
    return tracking(
        target,
        draw(metrics),
        DisableScaleIn=draw(st.booleans()),
        ScaleOutTolerance=draw(st.sampled_from([0.0, 0.1, 0.5])),
        ScaleInTolerance=draw(st.sampled_from([0.0, 0.15, 0.5])),
        **settings,
    )


@st.composite
def tables(
    draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, sides: tuple[str, ...] = ("above", "below", "both")
) -> dict[str, Any]:
    """A step table whose adjustments grow with the metric: above its threshold, below it, or on both sides."""
    side = draw(st.sampled_from(sides))
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
    magnitude = draw(st.sampled_from([None, 5])) if kind == "PercentChangeInCapacity" else None
    return stepping(
        zip(bounds, bounds[1:], adjustments, strict=False),
        draw(st.sampled_from([50, 100, 500] * 4 + [0, -100, 1e308, -1e308])),
        operator,
        draw(metrics),
        kind,
        Cooldown=draw(seconds),
        **({} if magnitude is None else {"MinAdjustmentMagnitude": magnitude}),
    )


def rates(shortest: int) -> st.SearchStrategy[dict[str, Any]]:
    rate = st.fixed_dictionaries(
        {
            "Type": st.sampled_from(["Tasks", "Percent"]),
            "Value": st.integers(1, 100),
            "PeriodSeconds": st.sampled_from([shortest, 60, 600]),
        }
    )
    return st.fixed_dictionaries(
        {
            "Cooldown": st.sampled_from([0, 10, 30]),
            "Policies": st.lists(rate, max_size=2),
            "SelectPolicy": st.sampled_from(["Max", "Min", "Disabled"]),
            "StabilizationWindowSeconds": seconds,
        }
    )


any_policy = trackings() | tables()
# Policies that never ask for less at more load. A table of exact counts on one side of its threshold may: it has no
# opinion on the other side, where the count stays as high as it is.
growing_policy = (
    trackings() | tables(("ChangeInCapacity", "PercentChangeInCapacity")) | tables(("ExactCapacity",), ("both",))
)


@st.composite
def services(
    draw: st.DrawFn,
    policy: st.SearchStrategy[dict[str, Any]] = any_policy,
    shortest_rate: int = 5,
    **fixed: Any,
) -> Service:
    """A service with one to four policies. `fixed` are keys of the service's block that are not drawn."""
    policies = draw(st.lists(policy, min_size=1, max_size=4))
    named = [{**policy, "Name": str(number)} for number, policy in enumerate(policies)]
    lowest = draw(st.integers(1, 20))
    highest = draw(st.integers(lowest, 120))
    drawn = {
        "Behavior": {"ScaleOut": draw(rates(shortest_rate)), "ScaleIn": draw(rates(shortest_rate))},
        "FallbackCapacity": draw(st.none() | st.integers(lowest, highest)),
        "FallbackBehavior": draw(st.sampled_from(["currentReplicasIfHigher", "static"])),
        "OnConflict": draw(st.sampled_from(["ScaleOutOnly", "Yield", "Ignore"])),
        "LoadBalancer": draw(st.none() | st.just(BALANCER)),
        "TaskStartTimeout": draw(st.sampled_from([30, 120])),
        "StaleAfter": draw(st.sampled_from([10, 30, 900])),
    }
    made = service(*named, lowest=lowest, highest=highest, **(drawn | fixed))
    document = {"Services": [made.model_dump(by_alias=True, exclude_none=True)]}
    (scaled,) = parse_document(json.dumps(document), "generated").services  # Refuses what is not valid.
    return scaled


any_number = st.sampled_from([nan, inf, -inf, -1.0, 0.0, 1e308, -1e308, SMALLEST]) | st.floats(0, 1e5)
values = st.floats(0, 5000) | any_number
minutes = st.lists(st.builds(Datapoint, st.integers(-1, 6).map(lambda n: START - 60 * n), values), max_size=4)
counts = st.integers(0, 150) | st.sampled_from([5000, 10**6])
states = st.builds(
    ServiceState,
    counts,
    counts,
    status=st.sampled_from(["ACTIVE"] * 8 + ["DRAINING"]),
    scheduling_strategy=st.sampled_from(["REPLICA"] * 8 + ["DAEMON"]),
    express_managed=st.sampled_from([False] * 8 + [True]),
    deployment_in_progress=st.booleans(),
    deployment=st.sampled_from(["", "first", "second"]),
)
floors = st.lists(st.builds(floor, st.integers(1, 200), st.sampled_from([NOW - 60, NOW + 60])), max_size=2)
pauses = st.sets(st.sampled_from(DIRECTIONS)).map(frozenset)
ages = st.sampled_from([0.0, 1.0, 9.0, 45.0, 200.0])
stops = st.lists(st.builds(FailedLaunch, ages.map(lambda age: NOW - age), st.just("image not found")), max_size=3)
competitors = st.sampled_from([None, None, "", "scales in and out"])
checks = st.none() | st.builds(LaunchCheck, ages.map(lambda age: NOW - age), st.none() | stops)


def datapoints(period: int) -> st.SearchStrategy[list[Datapoint]]:
    """Datapoints of a metric in any order: young and old, some twice, some of a bucket that has not ended."""
    starts = st.integers(-4, 14).map(lambda n: START - period * n)
    samples = st.none() | st.integers(0, 150) | any_number
    return st.lists(st.builds(Datapoint, starts, values, samples), max_size=8)


@st.composite
def observations(draw: st.DrawFn, scaled: Service) -> Observation:
    state = draw(states)
    seen: dict[str, MetricReading] = {}
    for key, metric in scaled.used_metrics.items():
        how = draw(st.integers(0, 9))
        if how == 1:  # The metric could not be read.
            seen[key] = MetricReading(NoData("throttled", draw(ages), failed=True))
        elif how:
            points = draw(datapoints(metric.period))
            seen[key] = read_metric(metric, points, state.running, scaled.patience[key], NOW)
    balancer = None
    if scaled.load_balancer is not None:
        counted = [draw(minutes) for _ in range(3)]
        balancer = NoData("throttled") if draw(st.integers(0, 5)) == 0 else read_load_balancer(*counted, NOW)
    return Observation(state, seen, balancer, draw(floors), draw(pauses), launches=draw(checks))


@st.composite
def memories(draw: st.DrawFn, scaled: Service, desired: int) -> Memory:
    """Nothing, or anything: also what no series of decisions could have left behind."""

    def change() -> Activity:
        names = [policy.name for policy in scaled.policies]
        steps = draw(st.dictionaries(st.sampled_from(names), st.integers(-20, 20), max_size=2))
        cause = draw(st.sampled_from(["policy", "bound", "external"]))
        return Activity(NOW - draw(ages), draw(counts), draw(counts), cause, draw(st.integers(-20, 20)), steps)

    if draw(st.integers(0, 9)) == 0:
        return Memory()
    slot = draw(st.sampled_from([5, 6, 30]))
    newest = int(NOW // slot) * slot

    def extremes() -> Extremes:
        if not draw(st.booleans()):
            return ()
        return tuple((newest - n * slot, draw(counts)) for n in range(20, -1, -1))

    def seldom() -> bool:
        return draw(st.sampled_from([True, False, False]))

    launch = st.builds(
        Launch,
        ages.map(lambda age: NOW - age),
        counts,
        st.sampled_from(["", "first"]),
        ages.map(lambda age: NOW - age),
        st.integers(0, 3),
        st.sampled_from([0.0, NOW - 45, NOW - 2000]),
        st.just("image not found"),
    )
    return Memory(
        desired=draw(st.just(desired) | counts),
        intent=change() if seldom() else None,
        superseded=change() if seldom() else None,
        activities=tuple(sorted((change() for _ in range(draw(st.integers(0, 3)))), key=lambda one: one.at)),
        maxima=extremes(),
        minima=extremes(),
        launch=draw(launch) if seldom() else None,
        conflict=draw(competitors),
    )
