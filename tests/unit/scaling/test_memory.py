"""What is remembered, how it is explained by what ECS reports, and what of it is saved."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscaler.scaling.behavior import highest_recommendation, remember
from fastscaler.scaling.decision import decide
from fastscaler.scaling.memory import (
    Activity,
    Change,
    Launch,
    Ledger,
    Memory,
    Reconciled,
    from_json,
    reconcile,
    to_json,
)
from tests.unit.scaling.build import START, observe, service, windows

RAISE = Activity(START, 10, 14, "policy", 4, {"steps": 4})
CUT = Activity(START, 20, 15, "policy", -5)
OPENED = Ledger(10, 14, START - 3, START - 1, START)
KNOWN = Memory(desired=10)
OVERTAKEN = Activity(START + 30, 14, 12, "bound")
LATER = Activity(START + 35, 14, 30, "policy", 16, {"track": 16})


def seen(memory: Memory, desired: int, second: float, running: int | None = None) -> Reconciled:
    """What is made of the count that ECS reports some seconds after START."""
    return reconcile(memory, desired, desired if running is None else running, START + second)


class TestIntent:
    WAITING = KNOWN.intend(RAISE, OPENED)

    def test_its_count_is_its_acknowledgement(self) -> None:
        found = seen(self.WAITING, 14, 3, running=10)
        assert (found.memory.intent, found.memory.desired, found.memory.activities) == (None, 14, (RAISE,))
        assert (found.current, found.restore) == (14, None)
        assert found.note

    def test_it_waits_10_seconds_for_its_effect(self) -> None:
        assert seen(self.WAITING, 10, 9.9).memory.intent == RAISE
        lapsed = seen(self.WAITING, 10, 10)
        assert lapsed.memory == KNOWN
        assert (lapsed.current, lapsed.note) == (10, "")

    def test_a_call_that_had_no_effect_leaves_no_trace(self) -> None:
        assert self.WAITING.withdraw() == KNOWN

    def test_an_answer_makes_it_an_activity_from_when_it_was_decided(self) -> None:
        answered = self.WAITING.acknowledge()
        assert (answered.desired, answered.intent, answered.activities) == (14, None, (RAISE,))
        assert answered.raised_since(START - 1) == 4
        assert answered.raised_since(START) == 0

    def test_without_an_intent_there_is_nothing_to_acknowledge(self) -> None:
        assert KNOWN.acknowledge() is KNOWN

    def test_withdrawing_keeps_the_ledgers_of_calls_that_took_effect(self) -> None:
        followed = replace(OPENED, updated=START + 0.2)
        memory = Memory(14, ledgers=(followed,)).intend(Activity(START + 9, 14, 20, "policy"), OPENED)
        assert memory.withdraw().ledgers == (followed,)


class TestExplaining:
    def test_a_new_memory_adopts_what_it_finds(self) -> None:
        found = seen(Memory(), 10, 0)
        assert (found.current, found.memory) == (10, Memory(desired=10))

    def test_and_credits_the_tasks_that_do_not_run_yet(self) -> None:
        assert seen(Memory(), 30, 0, running=10).memory.raised_since(START - 1) == 20
        assert seen(Memory(), 10, 0, running=30).memory.activities == ()

    def test_an_answer_of_before_the_last_call_is_ignored(self) -> None:
        memory = KNOWN.intend(RAISE, None).acknowledge()
        found = seen(memory, 10, 9.9)
        assert (found.current, found.memory) == (14, memory)

    def test_nor_is_one_of_before_the_last_two_calls_believed(self) -> None:
        """ECS may answer with what was true some seconds ago; a raise from there would take tasks away."""
        second = Activity(START + 5, 14, 30, "policy", 16)
        memory = KNOWN.intend(RAISE, None).acknowledge().intend(second, None).acknowledge()
        assert [(found.current, found.note != "") for found in (seen(memory, 10, 6), seen(memory, 14, 6))] == [
            (30, True),
            (30, True),
        ]
        assert seen(memory, 10, 10).current == 10
        assert seen(memory, 12, 6).current == 12

    def test_of_what_someone_else_changed_the_higher_count_is_believed(self) -> None:
        """Whether it is old or they changed it back nobody knows; from the higher one no raise takes tasks away."""
        for now, by_hand in ((10, 1), (1, 10)):
            memory = seen(Memory(now), by_hand, 0).memory
            assert seen(memory, now, 5).current == 10
            assert seen(memory, now, 10).current == now

    def test_an_activity_of_a_clock_that_was_ahead_explains_nothing(self) -> None:
        memory = KNOWN.intend(RAISE, None).acknowledge()
        assert seen(memory, 10, -1).current == 14
        assert seen(memory, 10, -600).current == 10

    def test_after_10_seconds_it_is_believed(self) -> None:
        found = seen(KNOWN.intend(RAISE, None).acknowledge(), 10, 10)
        assert (found.current, found.memory.desired) == (10, 10)
        assert "someone else" in found.note

    def test_a_count_set_by_hand_is_adopted_and_reported(self) -> None:
        for by_hand in (3, 40):
            found = seen(KNOWN, by_hand, 0)
            assert (found.current, found.memory.desired, found.restore) == (by_hand, by_hand, None)
            assert str(by_hand) in found.note
            assert "someone else" in found.note

    def test_tasks_that_someone_else_asked_for_are_in_flight_too(self) -> None:
        assert seen(KNOWN, 40, 0).memory.raised_since(START - 1) == 30
        assert seen(KNOWN, 3, 0).memory.raised_since(START - 1) == 0

    def test_a_count_set_by_hand_is_the_last_change_that_is_told(self) -> None:
        change = seen(KNOWN, 40, 0).memory.change
        assert change is not None
        assert (change.at, change.previous, change.desired, change.cause) == (START, 10, 40, "external")

    def test_it_is_reported_once(self) -> None:
        once = seen(KNOWN, 40, 0)
        assert seen(once.memory, 40, 5) == Reconciled(once.memory, 40)


class TestLateCall:
    """A predecessor wrote an intent and stalled; its successor decided anew; then the stalled call arrives."""

    OVERTAKEN = Memory(20).intend(CUT, None).intend(Activity(START + 3, 20, 30, "policy", 10), None)

    def test_a_cut_is_recognised_and_taken_back(self) -> None:
        found = seen(self.OVERTAKEN.acknowledge(), 15, 5)
        assert (found.current, found.restore) == (15, 30)
        assert "late" in found.note

    def test_so_it_is_where_the_newer_call_has_not_answered(self) -> None:
        found = seen(self.OVERTAKEN, 15, 5)
        assert (found.current, found.restore) == (15, 20)
        assert found.memory.intent is not None

    def test_a_raise_is_left_to_the_normal_rules(self) -> None:
        late = Memory(20).intend(Activity(START, 20, 50, "policy", 30), None)
        found = seen(late.intend(Activity(START + 3, 20, 30, "policy", 10), None).acknowledge(), 50, 5)
        assert (found.current, found.restore) == (50, None)
        assert found.memory.raised_since(START - 1) == 30

    def test_it_is_recognised_once(self) -> None:
        once = seen(self.OVERTAKEN.acknowledge(), 15, 5).memory
        raised_back = once.intend(Activity(START + 5, 15, 30, "bound"), None).acknowledge()
        again = seen(raised_back, 15, 20)
        assert again.restore is None
        assert "someone else" in again.note

    def test_after_half_a_minute_it_is_someone_elses(self) -> None:
        memory = self.OVERTAKEN.acknowledge()
        found = seen(memory, 15, 31)
        assert found.restore is None
        assert "someone else" in found.note
        assert memory.prune(START + 30, 300).superseded == CUT
        assert memory.prune(START + 31, 300).superseded is None


class TestPruning:
    def test_what_no_rule_looks_at_is_forgotten(self) -> None:
        later = Activity(START + 60, 14, 18, "policy", 4)
        memory = Memory(18, activities=(RAISE, later))
        assert memory.prune(START + 100, 120) is memory
        assert memory.prune(START + 120, 120).activities == (later,)
        assert memory.prune(START + 400, 120).activities == ()


counts = st.integers(0, 5000)
times = st.floats(0, 4e9)
activities = st.builds(
    Activity,
    times,
    counts,
    counts,
    st.sampled_from(["policy", "bound", "external"]),
    st.integers(-5000, 5000),
    st.dictionaries(st.text(max_size=8), st.integers(-5000, 5000), max_size=3),
)
maybe = st.none() | times
extremes = st.lists(st.tuples(st.integers(0, 10**10), st.integers(-50, 5000)), max_size=12).map(tuple)
memories = st.builds(
    Memory,
    st.none() | counts,
    st.none() | activities,
    st.none() | activities,
    st.lists(activities, max_size=4).map(tuple),
    extremes,
    extremes,
    st.lists(st.builds(Ledger, counts, counts, maybe, times, times, maybe, maybe, maybe), max_size=2).map(tuple),
    st.none() | st.builds(Launch, times, counts, st.text(max_size=8), times, counts, times, st.text(max_size=8)),
    st.none() | st.text(max_size=8),
    change=st.none()
    | st.builds(Change, times, counts, counts, st.text(max_size=8), st.text(max_size=8), st.booleans()),
)
STORED = json.loads((Path(__file__).parent / "stored_memories.json").read_text())


def stored(name: str) -> Memory:
    """A memory that another version has written."""
    memory = from_json(json.dumps(STORED[name]))
    assert memory is not None
    return memory


class TestStoredForm:
    @given(memories)
    @settings(max_examples=100)
    def test_what_was_saved_is_what_is_read(self, memory: Memory) -> None:
        assert from_json(to_json(memory)) == memory

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "null",
            "3",
            "[]",
            "{}",
            '{"format":2}',
            '{"format":1,"intent":{"at":1}}',
            '{"format":1,"activities":[{"unknown":1}]}',
            '{"format":1,"maxima":[[1]]}',
            '{"format":1,"minima":[["x",1]]}',
        ],
    )
    def test_what_cannot_be_read_is_lost(self, text: str) -> None:
        assert from_json(text) is None

    @pytest.mark.parametrize(
        ("name", "memory"),
        [
            ("first form, calm", KNOWN),
            ("first form, a call on its way", KNOWN.intend(RAISE, OPENED)),
            ("first form, a call overtaken", Memory(14, LATER, OVERTAKEN, (RAISE,))),
            (
                "everything",
                Memory(
                    14,
                    LATER,
                    OVERTAKEN,
                    (RAISE,),
                    ((int(START) - 30, 8), (int(START), 9)),
                    ((int(START) - 10, 40), (int(START) - 4, 25)),
                    (OPENED,),
                    Launch(START, 10, "ecs-svc/1", START + 30, 2, START + 20, "CannotPullContainerError"),
                    "scales in and out",
                ),
            ),
            ("a later form that knows more", KNOWN),
        ],
    )
    def test_what_another_version_saved_is_what_is_read(self, name: str, memory: Memory) -> None:
        assert stored(name) == memory
        assert from_json(to_json(stored(name))) == memory

    def test_a_window_in_the_first_form_is_watched_anew(self) -> None:
        """Its slots cannot be told, so they hold as if nobody had watched."""
        scaled, memory = service(), stored("first form, before a scale-in")
        counts = []
        for second in range(400, 800, 5):
            decision = decide(scaled, observe(scaled, 20, START + second, load=800), memory, START + second)
            memory = decision.memory
            counts.append(decision.desired)
        assert counts[: 300 // 5] == [20] * 60
        assert counts[-1] == 10

    def test_a_calm_memory_is_small(self) -> None:
        assert len(to_json(Memory(desired=10))) < 50


def window(*recommended: tuple[float, int], current: int = 20) -> Memory:
    """Memory after recommendations at seconds after START."""
    memory = Memory(desired=current)
    for second, tasks in recommended:
        memory = remember(memory, tasks, current, windows(300), START + second)
    return memory


LONG = window((0, 8), (30, 12), (60, 8))


class TestWorthSaving:
    def test_what_did_not_change_is_not(self) -> None:
        assert not KNOWN.worth_saving(KNOWN)
        assert not LONG.worth_saving(LONG)

    @pytest.mark.parametrize(
        "changed",
        [Memory(11), KNOWN.intend(RAISE, None), Memory(10, activities=(RAISE,)), Memory(10, ledgers=(OPENED,))],
    )
    def test_what_decides_is(self, changed: Memory) -> None:
        assert changed.worth_saving(KNOWN)

    def test_a_load_that_goes_up_and_down_writes_nothing(self) -> None:
        memory = saved = Memory(desired=20)
        for second in range(0, 600, 5):
            memory = remember(memory, 20 if second % 10 == 0 else 8, 20, windows(300), START + second)
            assert not memory.worth_saving(saved)

    def test_a_slot_that_closes_is(self) -> None:
        assert not window((0, 8), (30, 12), (60, 8), (85, 8)).worth_saving(LONG)
        assert window((0, 8), (30, 12), (60, 8), (90, 8)).worth_saving(LONG)

    def test_a_new_high_of_a_slot_is(self) -> None:
        assert not window((0, 8), (30, 12), (60, 8), (65, 7)).worth_saving(LONG)
        assert window((0, 8), (30, 12), (60, 8), (65, 9)).worth_saving(LONG)

    def test_a_window_that_starts_over_is(self) -> None:
        assert window((0, 8), (30, 12), (60, 8), (65, 20)).worth_saving(LONG)
        assert window((0, 8), (30, 12), (60, 8), (65, 20), (70, 8)).worth_saving(LONG)

    def test_its_first_slot_alone_is_not(self) -> None:
        assert not window((0, 8), (25, 8)).worth_saving(window())
        assert window((0, 8), (25, 8), (30, 8)).worth_saving(window())

    @given(st.lists(st.integers(0, 22), min_size=2, max_size=90), st.data())
    @settings(max_examples=150)
    def test_a_successor_never_scales_in_earlier_or_deeper(self, recommended: list[int], data: st.DataObject) -> None:
        """One scaler goes on, the other is replaced by a successor that knows what was saved."""
        handed_over = data.draw(st.integers(1, len(recommended) - 1))
        known = saved = Memory(desired=20)
        successor: Memory | None = None
        for index, tasks in enumerate(recommended):
            now = START + 5 * index
            if index == handed_over:
                successor = from_json(to_json(saved))
            known = remember(known, tasks, 20, windows(60), now)
            saved = known if known.worth_saving(saved) else saved
            if successor is not None and tasks < 20:
                successor = remember(successor, tasks, 20, windows(60), now)
                kept = highest_recommendation(known, tasks, 20, windows(60), now)
                assert highest_recommendation(successor, tasks, 20, windows(60), now) >= kept
            elif successor is not None:
                successor = remember(successor, tasks, 20, windows(60), now)
