"""The built application, deployed by `sam deploy` and fired by EventBridge: does it do what the documents promise?

One story is played on an emulator of AWS (story.py); each test looks at one thing that it left. What the emulator is:
emulator.py. What it leaves undone and this harness does in its place: Deployment.mount_layers and Deployment.fire.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import story, workload
from tests.e2e.emulator import Emulator
from tests.e2e.printed import say
from tests.e2e.project import Project
from tests.e2e.records import hand_over_gaps
from tests.e2e.story import FLOOR, PEAK, Played

LONGEST_GAP = 7.5  # Seconds between two looks, a hand-over or not: one bucket of 5 s and half of the next.
AT_ONCE = 1.0  # Seconds that a look takes at most; one that is under way at a hand-over may still end.


@pytest.fixture(scope="module")
def played(scratch: Path) -> Iterator[Played]:
    with Emulator(scratch / "deployed" / "emulator") as aws:
        yield story.play(aws, Project(scratch / "deployed" / "project"))


def decisions(played: Played) -> list[dict[str, Any]]:
    return [decision for invocation in played.invocations for decision in invocation.decisions]


def test_the_surge_is_answered_in_one_step(played: Played) -> None:
    answer = next(call for call in played.changes if call["at"] > played.surge_at)
    reaction = answer["at"] - played.surge_at
    say(f"reaction: {reaction:.1f} s from the rise of the load to UpdateService, {answer['desiredCount']} tasks")
    assert answer["desiredCount"] * 100 >= PEAK
    assert 5 < reaction < 20


def test_every_call_is_the_decision_of_one_invocation(played: Played) -> None:
    called = [call["desiredCount"] for call in played.changes if call["at"] < played.updated_at]
    assert called == [decision["to"] for decision in decisions(played)]
    assert all(after["from"] == before["to"] for before, after in pairwise(decisions(played)))


def test_no_count_of_its_own_is_taken_for_someone_elses(played: Played) -> None:
    noted = [record["what"] for invocation in played.invocations for record in invocation.of("noted")]
    assert [what for what in noted if "someone else" in what] == []


def test_the_newest_invocation_takes_over_and_the_one_before_leaves(played: Played) -> None:
    epochs = [invocation.epoch for invocation in played.invocations]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) >= 3
    *left, _ = played.invocations
    assert [invocation.ended for invocation in left] == ["superseded"] * len(left)
    for before, after in pairwise(played.invocations):
        assert before.looks[-1] < after.looks[0] + AT_ONCE
    assert int(played.state["epoch"]["epoch"]["N"]) > epochs[-1]


def test_no_bucket_is_missed_across_a_hand_over(played: Played) -> None:
    gaps = hand_over_gaps(played.invocations)
    say("seconds without a look at each hand-over: " + ", ".join(f"{gap:.1f}" for gap in gaps))
    assert len(gaps) >= 2
    assert max(gaps) <= LONGEST_GAP
    looks = sorted(look for invocation in played.invocations for look in invocation.looks)
    assert max(after - before for before, after in pairwise(looks)) <= LONGEST_GAP


def test_a_prewarm_schedule_raises_the_floor(played: Played) -> None:
    first = decisions(played)[0]
    assert (first["from"], first["to"], first["cause"]) == (2, FLOOR, "pre-warm floor")
    # The emulator looks for due schedules every 10 s, the loop every 5 s.
    assert 0 < first["now"] - played.prewarmed_at < 20
    floored = [call for call in played.changes if call["at"] < played.released_at]
    assert min(call["desiredCount"] for call in floored) == FLOOR


def test_every_schedule_of_the_template_fires_and_is_listed_with_what_holds(played: Played) -> None:
    lines = {line.split()[2]: line for line in played.schedules.splitlines() if workload.KEY in line}
    hold = {owner for owner, line in lines.items() if " until " in line}
    assert hold == {"weekend-evening", "off-hours", "sale-opening"}
    assert set(lines) == hold | {"weekday-business-hours"}  # That one was released.


@pytest.mark.parametrize("kind", ["safe", "live"])
def test_a_drill_adds_up_and_leaves_the_metric_at_rest(played: Played, kind: str) -> None:
    found = played.safe_drill if kind == "safe" else played.live_drill
    assert abs(sum(stage["seconds"] for stage in found["stages"]) - found["total_seconds"]) < 0.2
    assert all(stage["seconds"] >= 0 for stage in found["stages"])
    assert found["complete"] is True
    assert found["at_rest"] is True
    say(f"{kind} drill: {found['verdict']}")


def test_a_live_drill_follows_the_scale_out_to_healthy_tasks(played: Played) -> None:
    found = played.live_drill
    stages = [stage["name"] for stage in found["stages"]]
    assert stages == ["published", "visible", "read", "decided", "updated", "running", "healthy"]
    answer = next(call for call in played.changes if call["at"] > played.surge_at)
    assert found["scale_out"]["desired"] == answer["desiredCount"]
    # The emulator's own record of the call has whole seconds.
    assert abs(found["times"]["updated"] - answer["at"]) < 1.5
    assert abs(found["times"]["surge"] - played.surge_at) < 0.1


def test_a_safe_drill_ends_at_the_decision_and_moves_nothing(played: Played) -> None:
    found = played.safe_drill
    assert [stage["name"] for stage in found["stages"]] == ["published", "visible", "read", "decided"]
    assert found["metric"] == "DrillRequestsPerSecond"
    assert found["scale_out"]["desired"] not in [call["desiredCount"] for call in played.changes]


def test_drills_leave_their_figures_and_charts(played: Played) -> None:
    assert played.drawn == [".json", ".json", ".png", ".png"]


def test_status_tells_the_counts_the_last_change_and_the_loop(played: Played) -> None:
    assert f"{workload.KEY}: 2 tasks, 2 running" in played.status
    assert " -> 2 tasks, " in played.status
    assert "no sign" not in played.status


def test_the_fleet_shrinks_again_in_steps_of_at_most_half(played: Played) -> None:
    steps = [(decision["from"], decision["to"]) for decision in decisions(played) if decision["to"] < decision["from"]]
    assert len(steps) >= 2
    assert steps[-1][1] == 2
    assert all(after >= before // 2 for before, after in steps)


def test_the_memory_tells_what_happened(played: Played) -> None:
    assert played.memory["desired"] == played.changes[-1]["desiredCount"] == 3
    remembered = [(activity["previous"], activity["desired"]) for activity in played.memory["activities"]]
    happened = list(pairwise([2, *(call["desiredCount"] for call in played.changes)]))  # The story begins with 2.
    assert remembered
    assert remembered == happened[-len(remembered) :]


def test_a_refused_directive_is_kept_with_its_error_and_nothing_else(played: Played) -> None:
    (failed,) = played.queued
    assert failed["requestPayload"] == story.REFUSED
    assert failed["requestContext"]["approximateInvokeCount"] == 3
    assert "must be at most MaxCapacity" in failed["responsePayload"]["errorMessage"]
    assert json.loads(played.failed)["Messages"]
    assert not [key for key in played.state if key.endswith("#sale")]
    # The metric, once for each attempt.
    assert played.refusals == 3


def test_pause_and_resume_are_stored(played: Played) -> None:
    kept = {key.rpartition("#")[2] for key in played.state if "#pause#" in key}
    assert kept == {"ScaleOut", "ScaleIn"}


def test_observe_answers_with_a_decision(played: Played) -> None:
    assert f'"{workload.KEY}": {{"current": 2, "desired": 2' in played.observed


def test_new_policies_come_with_the_next_deployment(played: Played) -> None:
    assert played.changes[-1]["desiredCount"] == 3
    assert played.changes[-1]["at"] > played.updated_at


def test_the_log_is_where_the_guide_says(played: Played) -> None:
    assert '"message": "decision"' in played.log or '"message":"decision"' in played.log


def test_deleting_leaves_nothing(played: Played) -> None:
    kinds = {found.partition(" ")[0] for found in played.deployed}
    assert {
        "stack",
        "function",
        "layer",
        "table",
        "queue",
        "log",
        "rule",
        "schedule",
        "role",
        "alarm",
        "dashboard",
    } <= kinds
    assert played.left == set()


def test_every_command_of_the_guide_was_run(played: Played) -> None:
    assert played.guide.left_out == []


def test_it_took_less_than_six_minutes(played: Played) -> None:
    assert played.seconds < 360
