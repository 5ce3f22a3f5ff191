"""What holds for every policy, every observation and every memory."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Activity, Memory, from_json, to_json
from fastscaler.scaling.observation import MetricReading, NoData, Observation
from fastscaler.scaling.policy import Behavior, Service
from tests.unit.scaling.build import METRICS, carried_out, floor, observe, service
from tests.unit.scaling.strategies import (
    DIRECTIONS,
    NOW,
    any_policy,
    floors,
    growing_policy,
    memories,
    observations,
    pauses,
    services,
)

MODEST = settings(max_examples=100)


def left_alone(decision: Decision) -> bool:
    return decision.cause == "left alone"


@given(services(), st.data())
@settings(max_examples=250)
def test_whatever_is_seen_the_count_keeps_its_bounds_and_directions(scaled: Service, data: st.DataObject) -> None:
    """And there is always a decision: no datapoint and no memory makes it fail."""
    seen = data.draw(observations(scaled))
    memory = data.draw(memories(scaled, seen.state.desired))
    decision = decide(scaled, seen, memory, NOW)
    assert decision.desired <= max(scaled.max_capacity, decision.current)
    yields = bool(decision.memory.conflict) and scaled.on_conflict == "Yield"
    if left_alone(decision) or "ScaleOut" in seen.paused:
        assert decision.desired <= decision.current
    elif not yields:
        assert decision.desired >= scaled.min_capacity
    if "ScaleIn" in seen.paused or seen.state.deployment_in_progress or left_alone(decision):
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


class TestNoData:
    @staticmethod
    def unread(seen: Observation, data: st.DataObject) -> Observation:
        """The same without any complete reading. What is still arriving is there, and however little it shows."""
        reasons = st.sampled_from([NoData("no datapoints"), NoData("stale", 400.0), NoData("incomplete", 1.5)])
        silent = {key: MetricReading(data.draw(reasons), reading.partial) for key, reading in seen.metrics.items()}
        return replace(seen, metrics={key: one for key, one in silent.items() if data.draw(st.integers(0, 5))})

    @given(services(FallbackBehavior="currentReplicasIfHigher"), st.data())
    @MODEST
    def test_it_never_scales_in(self, scaled: Service, data: st.DataObject) -> None:
        seen = self.unread(data.draw(observations(scaled)), data)
        decision = decide(scaled, seen, data.draw(memories(scaled, seen.state.desired)), NOW)
        assert decision.desired >= decision.current

    @given(services(FallbackBehavior="static"), st.data())
    @MODEST
    def test_but_to_a_static_fallback_capacity(self, scaled: Service, data: st.DataObject) -> None:
        seen = self.unread(data.draw(observations(scaled)), data)
        decision = decide(scaled, seen, data.draw(memories(scaled, seen.state.desired)), NOW)
        assert decision.desired >= min(decision.current, scaled.fallback_capacity or decision.current)

    @given(services(FallbackBehavior="currentReplicasIfHigher"), st.data())
    @MODEST
    def test_nor_does_one_metric_that_could_not_be_read(self, scaled: Service, data: st.DataObject) -> None:
        seen = data.draw(observations(scaled))
        failed = data.draw(st.sampled_from(sorted(scaled.used_metrics)))
        seen = replace(seen, metrics={**seen.metrics, failed: MetricReading(NoData("throttled", 5.0, failed=True))})
        decision = decide(scaled, seen, data.draw(memories(scaled, seen.state.desired)), NOW)
        assert decision.desired >= decision.current


steady = {
    "load": st.floats(0, 20000),
    "latency": st.floats(0, 1200),
    "cpu": st.floats(0, 200),
    "backlog": st.floats(0, 20000),
    "per_target": st.floats(0, 1200),
    "work": st.floats(0, 20000),
}
SHOWN_BY = dict(zip(("Requests", "Latency", "Cpu", "Backlog", "PerTarget", "Work"), steady, strict=True))
AT_ONCE = {"ScaleOut": {"Cooldown": 0}, "ScaleIn": {"StabilizationWindowSeconds": 0, "Cooldown": 0, "Policies": []}}


class TestMoreLoad:
    @given(services(growing_policy), st.data())
    @MODEST
    def test_it_never_gives_fewer_tasks(self, scaled: Service, data: st.DataObject) -> None:
        desired, running = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
        memory = data.draw(memories(scaled, desired))
        around = {"floors": data.draw(floors), "paused": data.draw(pauses), "running": running}
        around["reporters"] = data.draw(st.integers(1, running))
        known = {name: load for name, load in steady.items() if data.draw(st.integers(0, 5))}
        pairs = {name: sorted((data.draw(load), data.draw(load))) for name, load in known.items()}
        less, more = (
            decide(scaled, observe(scaled, desired, NOW, **around, **shown), memory, NOW)
            for shown in ({name: pair[n] for name, pair in pairs.items()} for n in (0, 1))
        )
        assert less.desired <= more.desired

    @pytest.mark.parametrize("metric", METRICS)
    @given(data=st.data())
    @MODEST
    def test_whatever_kind_of_metric_shows_it(self, metric: str, data: st.DataObject) -> None:
        """Nothing but the load decides here: no window, no rate limit, no missing data."""
        policies = data.draw(st.lists(growing_policy, min_size=1, max_size=3))
        named = [{**policy, "Metric": metric, "Name": str(number)} for number, policy in enumerate(policies)]
        scaled = service(*named, lowest=1, highest=200, Behavior=AT_ONCE)
        desired, before = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
        steps = dict.fromkeys(data.draw(st.sets(st.sampled_from("012"))), desired - before)
        step = Activity(NOW - data.draw(st.sampled_from([1.0, 9.0, 45.0])), before, desired, "policy", 1, steps)
        memory = Memory(desired, activities=(step,) if data.draw(st.booleans()) else ())
        running = data.draw(st.just(desired) | st.integers(1, 150))
        reporters = data.draw(st.just(running) | st.integers(1, running))
        highest = 1000.0 * (desired if metric in ("Requests", "Backlog", "Work") else 1)
        loads = sorted(data.draw(st.floats(0, highest)) for _ in range(2))
        shown = [
            observe(scaled, desired, NOW, running=running, reporters=reporters, **{SHOWN_BY[metric]: load})
            for load in loads
        ]
        less, more = (decide(scaled, seen, memory, NOW).desired for seen in shown)
        assert less <= more


@given(services(shortest_rate=60), st.data())
@MODEST
def test_the_same_load_is_not_answered_twice_within_the_cooldown(scaled: Service, data: st.DataObject) -> None:
    desired, running = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    load = {name: data.draw(load) for name, load in steady.items()}
    out = scaled.behavior.scale_out.model_copy(update={"cooldown": 10})
    scaled = scaled.model_copy(update={"behavior": scaled.behavior.model_copy(update={"scale_out": out})})
    first = decide(scaled, observe(scaled, desired, NOW, running=running, **load), Memory(desired), NOW)
    seen = observe(scaled, first.desired, NOW + 5, running=running, **load)
    again = decide(scaled, seen, carried_out(first), NOW + 5)
    assert again.desired <= max(first.desired, scaled.min_capacity)


@given(services(), st.data())
@MODEST
def test_a_pause_of_both_directions_stops_everything(scaled: Service, data: st.DataObject) -> None:
    seen = replace(data.draw(observations(scaled)), paused=frozenset(DIRECTIONS))
    decision = decide(scaled, seen, data.draw(memories(scaled, seen.state.desired)), NOW)
    assert (decision.desired, decision.activity) == (decision.current, None)


class TestConflict:
    @given(services(), st.data())
    @MODEST
    def test_another_scaler_is_never_fought(self, scaled: Service, data: st.DataObject) -> None:
        seen = data.draw(observations(scaled))
        memory = replace(data.draw(memories(scaled, seen.state.desired)), conflict="scales in and out")
        decision = decide(scaled, seen, memory, NOW)
        if scaled.on_conflict == "Yield":
            assert decision.desired == decision.current
        if scaled.on_conflict == "ScaleOutOnly":
            assert decision.desired >= decision.current

    @given(services(OnConflict="Ignore"), st.data())
    @MODEST
    def test_unless_it_is_to_be_ignored(self, scaled: Service, data: st.DataObject) -> None:
        seen = data.draw(observations(scaled))
        memory = data.draw(memories(scaled, seen.state.desired))
        alone, beside = (
            decide(scaled, seen, replace(memory, conflict=conflict), NOW) for conflict in (None, "scales in and out")
        )
        assert alone.desired == beside.desired


@given(services(), st.data())
@MODEST
def test_while_launches_fail_nothing_is_added(scaled: Service, data: st.DataObject) -> None:
    seen = data.draw(observations(scaled))
    decision = decide(scaled, seen, data.draw(memories(scaled, seen.state.desired)), NOW)
    launch = decision.memory.launch
    if launch is not None and launch.failed and not left_alone(decision):
        assert decision.desired <= max(decision.current, scaled.min_capacity)


class TestExpiredFloor:
    @given(services(), st.data())
    @MODEST
    def test_it_is_no_floor(self, scaled: Service, data: st.DataObject) -> None:
        seen = data.draw(observations(scaled))
        memory = data.draw(memories(scaled, seen.state.desired))
        expired = replace(seen, floors=[floor(tasks, NOW) for tasks in data.draw(st.sets(st.integers(1, 200)))])
        assert decide(scaled, expired, memory, NOW) == decide(scaled, replace(seen, floors=()), memory, NOW)

    @given(st.lists(any_policy, min_size=1, max_size=3), st.data())
    @settings(max_examples=30)
    def test_it_never_drops_capacity_in_one_step(self, policies: list[Mapping[str, Any]], data: st.DataObject) -> None:
        """By the default behaviour, at most half goes within a minute, however long the floor has hidden the calm."""
        named = [{**policy, "Name": str(number)} for number, policy in enumerate(policies)]
        scaled = service(*named, lowest=1, highest=120, Behavior=Behavior().model_dump(by_alias=True))
        held, expires = data.draw(st.integers(2, 100)), NOW + data.draw(st.sampled_from([5, 300, 400]))
        load = {name: data.draw(load) / 10 for name, load in steady.items()}
        memory, desired, counts = Memory(desired=held), held, []
        for tick in range(150):
            now = NOW + 5 * tick
            decision = decide(scaled, observe(scaled, desired, now, floors=[floor(held, expires)], **load), memory, now)
            memory, desired = carried_out(decision), decision.desired
            counts.append(desired)
        assert all(after >= before // 2 for before, after in zip(counts, counts[11:], strict=False))
