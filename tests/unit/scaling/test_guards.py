"""Launches that fail, and another scaler of the same service: when each guard begins, what it holds, when it ends."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.guards import QUIET, learn_of_competitor
from fastscaler.scaling.memory import Launch, Memory, from_json, to_json
from fastscaler.scaling.observation import FailedLaunch, LaunchCheck
from fastscaler.scaling.policy import Service
from tests.unit.scaling.build import START, carried_out, floor, observe, service, tracking, watched

PULL = "CannotPullContainerError: pull image manifest has been retried 5 times"
SERVICE = service(tracking())
SURGE = 1200.0  # requests/s: on four tasks it asks for twelve, on twelve for no more.
LARGER = 2000.0


@dataclass
class Look:
    """The same service from look to look. Four tasks run of twelve; `seconds` count from START."""

    scaled: Service = field(default_factory=lambda: SERVICE)
    memory: Memory = field(default_factory=lambda: Memory(desired=12))
    desired: int = 12
    decisions: list[Decision] = field(default_factory=list)

    def at(
        self,
        second: float,
        load: float = SURGE,
        running: int = 4,
        deployment: str = "first",
        failed: Sequence[FailedLaunch] | None = (),
        asked: float | None = None,
        **seen: Any,
    ) -> Decision:
        """Looks once. `failed` is what ECS said at second `asked` (None: it did not tell); asked None: nobody has."""
        now = START + second
        check = None if asked is None else LaunchCheck(START + asked, failed)
        found = observe(self.scaled, self.desired, now, load=load, running=running, deployment=deployment, **seen)
        decision = decide(self.scaled, replace(found, launches=check), self.memory, now)
        self.memory, self.desired = carried_out(decision), decision.desired
        self.decisions.append(decision)
        return decision


def stops(*at: float, reason: str = PULL) -> list[FailedLaunch]:
    return [FailedLaunch(START + second, reason) for second in at]


def broken(**fields: Any) -> Look:
    """A service that has had twelve tasks asked for, of which eight stopped before they ran."""
    look = Look(**fields)
    look.at(0)
    look.at(120, failed=stops(20, 21, 50), asked=115)
    return look


class TestLaunchFailures:
    def test_nothing_is_added_to_a_service_whose_tasks_stop_before_they_run(self) -> None:
        look = broken()
        decision = look.at(125, LARGER)
        assert (decision.desired, decision.cause) == (12, "launch failures")
        assert "3 tasks stopped before RUNNING: CannotPullContainerError" in decision.reason
        assert decision.held

    def test_without_failures_a_service_that_starts_slowly_goes_on_growing(self) -> None:
        look = Look()
        look.at(0)
        look.at(120, asked=115)
        assert look.at(125, LARGER, asked=115).desired == 20

    @pytest.mark.parametrize("asked", [None, 115])
    def test_what_is_not_known_is_not_broken(self, asked: float | None) -> None:
        look = Look()
        look.at(0)
        assert look.at(125, LARGER, failed=None, asked=asked).desired == 20

    def test_failures_from_before_the_tasks_were_asked_for_do_not_count(self) -> None:
        look = Look()
        look.at(0)
        assert look.at(125, LARGER, failed=stops(-400, -1), asked=115).desired == 20

    def test_it_begins_with_one_note_that_says_why(self) -> None:
        look = broken()
        look.at(150, failed=stops(20, 21, 50, 130), asked=145)
        notes = [decision.noted for decision in look.decisions if decision.noted]
        assert notes == [f"scale-out stops: 3 tasks stopped before RUNNING: {PULL}"]

    def test_the_newest_reason_is_told(self) -> None:
        look = broken()
        later = [*stops(20, 130, reason="ResourceInitializationError: no secret"), *stops(50)]
        decision = look.at(150, LARGER, failed=later, asked=145)
        assert "3 tasks stopped before RUNNING: ResourceInitializationError" in decision.reason

    def test_a_floor_and_the_fallback_wait_too(self) -> None:
        look = broken()
        assert look.at(125, floors=[floor(40, START + 1000)]).desired == 12
        look = broken(scaled=service(tracking(), FallbackCapacity=50))
        look.decisions.clear()
        found = observe(look.scaled, 12, START + 300, running=4, deployment="first")
        decision = decide(look.scaled, found, look.memory, START + 300)
        assert (decision.desired, decision.recommended) == (12, 50)

    def test_min_capacity_still_counts(self) -> None:
        look = broken()
        look.scaled = service(tracking(), lowest=15)
        assert look.at(125, LARGER).desired == 15
        assert look.at(130, LARGER).desired == 15

    def test_tasks_may_still_be_taken_away(self) -> None:
        look = broken()
        look.memory = watched(
            SERVICE, 12, until=START + 600, load=400, running=4, memory=look.memory, deployment="first"
        )
        decision = look.at(600, 400)
        assert decision.desired < 12
        assert look.memory.launch is not None
        assert look.memory.launch.failed

    @pytest.mark.parametrize(
        ("seen", "why"),
        [
            ({"running": 5}, "a task came to run"),
            ({"deployment": "second"}, "a new deployment began"),
            ({"running": 12}, "a task came to run"),
        ],
    )
    def test_it_ends_when_launches_work_or_something_was_changed(self, seen: dict[str, Any], why: str) -> None:
        look = broken()
        decision = look.at(300, LARGER, failed=stops(20, 21, 50), asked=295, **seen)
        assert decision.desired == 20
        assert decision.noted == f"scale-out goes on: {why}"

    def test_it_ends_where_no_task_is_waited_for_any_more(self) -> None:
        look = broken()
        look.desired, look.memory = 4, replace(look.memory, desired=4)
        decision = look.at(300, 300)
        assert "no task is waited for any more" in decision.noted
        assert look.at(305, 800).desired == 8

    def test_a_task_that_is_lost_and_comes_back_proves_that_launches_work(self) -> None:
        look = broken()
        assert look.at(200, LARGER, running=3).desired == 12
        assert look.at(205, LARGER, running=4).desired == 20

    def test_it_holds_as_long_as_launches_go_on_failing_as_rarely_as_ecs_tries(self) -> None:
        """ECS tries again after 27 minutes at the latest, and is asked every five minutes."""
        look, asked = broken(), 115
        for second in range(150, 4 * 3600, 5):
            if second - asked >= 300:
                asked = second - 1
            known = stops(*(at for at in range(50, asked, 27 * 60) if at > asked - 3600))
            assert look.at(second, LARGER, failed=known, asked=asked).desired == 12
        assert len([decision for decision in look.decisions if decision.noted]) == 1

    def test_it_never_lasts_for_ever(self) -> None:
        look = broken()
        assert look.at(50 + QUIET - 1, LARGER, asked=1000).desired == 12
        decision = look.at(50 + QUIET, LARGER, asked=1000)
        assert decision.desired == 20
        assert "no launch has failed for 35 minutes" in decision.noted

    def test_it_stays_as_it_was_while_ecs_cannot_be_asked(self) -> None:
        look = broken()
        for second in range(150, 1500, 30):
            assert look.at(second, LARGER, failed=None, asked=second - 1).desired == 12

    def test_after_its_end_old_failures_do_not_begin_it_again(self) -> None:
        look = broken()
        check: dict[str, Any] = {"failed": stops(20, 21, 50), "asked": 299}
        look.at(300, LARGER, deployment="second", **check)
        look.at(305, LARGER, deployment="second", **check)
        decision = look.at(430, 3000, deployment="second", failed=stops(20, 21, 50), asked=425)
        assert decision.desired == 30

    def test_it_survives_a_hand_over(self) -> None:
        look = broken()
        stored = from_json(to_json(look.memory))
        assert stored == look.memory
        look.memory = stored
        decision = look.at(125, LARGER)
        assert (decision.desired, decision.noted) == (12, "")


CONFLICT = "scale-out, scale-in, scheduled scaling"


def meet(scaled: Service, desired: int, load: float, memory: Memory) -> Decision:
    """One look at 600 s."""
    return decide(scaled, observe(scaled, desired, START + 600, load=load), memory, START + 600)


def calm(scaled: Service, conflict: str | None = CONFLICT) -> Memory:
    """Memory in which a scale-in from 12 is due, and a conflict known."""
    return replace(watched(scaled, 12, until=START + 600, load=400), conflict=conflict)


class TestConflict:
    def test_a_scale_in_is_left_to_the_other_scaler(self) -> None:
        decision = meet(SERVICE, 12, 400, calm(SERVICE))
        assert (decision.desired, decision.cause) == (12, "conflict")
        assert decision.trail[-1].stage == "conflict"
        assert CONFLICT in decision.reason

    def test_a_scale_out_is_not(self) -> None:
        assert meet(SERVICE, 4, SURGE, Memory(desired=4, conflict=CONFLICT)).desired == 12

    @pytest.mark.parametrize("conflict", [None, ""])
    def test_without_one_the_same_scale_in_happens(self, conflict: str | None) -> None:
        assert meet(SERVICE, 12, 400, calm(SERVICE, conflict)).desired == 6

    def test_yield_changes_nothing_below_min_capacity_either(self) -> None:
        scaled = service(tracking(), OnConflict="Yield")
        known = Memory(desired=4, conflict=CONFLICT)
        out = meet(scaled, 4, SURGE, known)
        assert (out.desired, out.cause, out.activity) == (4, "conflict", None)
        assert meet(scaled, 12, 400, calm(scaled)).desired == 12
        lifted = service(tracking(), lowest=6, OnConflict="Yield")
        assert meet(lifted, 4, 240, known).desired == 4
        assert meet(lifted, 4, 240, Memory(desired=4)).desired == 6

    def test_ignore_knows_of_none(self) -> None:
        scaled = service(tracking(), OnConflict="Ignore")
        decision = meet(scaled, 12, 400, calm(scaled))
        assert (decision.desired, decision.memory.conflict) == (6, None)

    def test_it_is_noted_when_it_begins_and_when_it_ends_and_not_between(self) -> None:
        begun, note = learn_of_competitor(Memory(desired=12), CONFLICT)
        assert "Application Auto Scaling acts on this service too" in note
        assert "OnConflict" in note
        assert learn_of_competitor(begun, CONFLICT) == (begun, "")
        ended, note = learn_of_competitor(begun, "")
        assert "the conflict is over" in note
        assert learn_of_competitor(ended, "") == (ended, "")

    def test_that_there_is_none_is_not_worth_a_note(self) -> None:
        assert learn_of_competitor(Memory(desired=12), "") == (Memory(desired=12, conflict=""), "")

    @pytest.mark.parametrize("conflict", [CONFLICT, "", None])
    def test_what_is_known_survives_a_hand_over(self, conflict: str | None) -> None:
        stored = from_json(to_json(Memory(desired=4, conflict=conflict)))
        assert stored is not None
        assert stored.conflict == conflict

    def test_an_answer_is_written_once(self) -> None:
        first, _ = learn_of_competitor(Memory(desired=12), "")
        assert first.worth_saving(Memory(desired=12))
        again, _ = learn_of_competitor(first, "")
        assert not again.worth_saving(first)


def test_memory_from_before_there_were_guards_is_read() -> None:
    old = json.loads(to_json(Memory(desired=4)))
    assert {"launch", "conflict"} & old.keys() == set()
    assert from_json(json.dumps(old)) == Memory(desired=4)


launches = st.builds(
    Launch, st.just(START), st.integers(0, 50), st.just(""), failed=st.integers(1, 100), failed_at=st.just(START)
)


@settings(max_examples=200)
@given(
    st.sampled_from(["ScaleOutOnly", "Yield", "Ignore"]),
    st.integers(1, 60),
    st.integers(0, 60),
    st.floats(0, 1e6),
    st.none() | launches,
    st.sampled_from([None, "", CONFLICT]),
)
def test_a_guard_only_ever_holds(
    on_conflict: str, desired: int, running: int, load: float, launch: Launch | None, conflict: str | None
) -> None:
    """With a guard the count stands still, or ends where it would without one, or at MinCapacity on the way there."""
    scaled = service(tracking(), lowest=2, OnConflict=on_conflict)
    memory = watched(scaled, desired, until=START + 400, load=load, running=running)
    seen = observe(scaled, desired, START + 400, load=load, running=running)
    free = decide(scaled, seen, replace(memory, launch=None, conflict=""), START + 400).desired
    held = decide(scaled, seen, replace(memory, launch=launch, conflict=conflict), START + 400).desired
    assert held in (free, desired, min(free, scaled.min_capacity))
