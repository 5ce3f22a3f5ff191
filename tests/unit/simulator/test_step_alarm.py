"""Step scaling behind a high-resolution alarm: documented examples of steps, cooldown and the alarm's action."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscaler.scaling.policy import StepScalingPolicy
from simulator.peers.step_alarm import StepAlarm, step_policy

VECTORS = json.loads((Path(__file__).parents[1] / "scaling" / "step_scaling_vectors.json").read_text())

STEPS = ((0, 50, 1), (50, 100, 2), (100, None, 4))
IN_STEPS = ((None, 0, -2),)


def alarm(cooldown: int = 60, **settings: int) -> StepAlarm:
    """+1, +2 or +4 above 100 requests/s per task, -2 below 40."""
    scale_in = step_policy(IN_STEPS, 40, "LessThanThreshold", cooldown)
    return StepAlarm(step_policy(STEPS, 100, cooldown=cooldown), scale_in, 2, 50, **settings)


def seen(*values: float, until: float) -> list[tuple[float, float]]:
    """Datapoints of 10 s, the last of which ends at `until`."""
    return [(until - 10 * (len(values) - index), value) for index, value in enumerate(values)]


def from_table(case: dict[str, Any]) -> StepScalingPolicy:
    table = VECTORS["tables"][case["table"]]
    return StepScalingPolicy.model_validate(
        {
            "Name": "steps",
            "PolicyType": "StepScaling",
            "Metric": "alarm",
            "Threshold": table["Threshold"],
            "ComparisonOperator": case.get("ComparisonOperator"),
            "StepScalingPolicyConfiguration": {key: table[key] for key in ("AdjustmentType", "StepAdjustments")},
        }
    )


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['table']} {case['metric']}")
def test_documented_tables(case: dict[str, Any]) -> None:
    """Application Auto Scaling user guide, "Step scaling policies", from as many running tasks."""
    capacity, maximum = case["capacity"], case.get("MaxCapacity", 1000)
    if case["table"] == "documented_in":
        peer = StepAlarm(step_policy(STEPS, 1000), from_table(case), 1, maximum, scale_in_datapoints=1)
    else:
        peer = StepAlarm(from_table(case), None, 1, maximum)
    assert (peer.step(10, capacity, capacity, seen(case["metric"], until=10)) or capacity) == case["expected"]


@pytest.mark.parametrize("case", VECTORS["cooldown"][:2], ids=lambda case: case["about"])
def test_documented_scale_out_cooldown(case: dict[str, Any]) -> None:
    peer = StepAlarm(
        step_policy(((0, 50, case["fired"]), (50, None, case["then_step"])), 100, cooldown=300), None, 1, 50
    )
    assert peer.step(10, 10, 10, seen(120, until=10)) == 10 + case["fired"]
    desired = 10 + case["fired"]
    assert (peer.step(70, 10, desired, seen(160, until=70)) or desired) == desired + case["added"]


def test_documented_scale_out_in_the_cooldown_of_a_scale_in() -> None:
    peer = alarm(cooldown=300, scale_in_datapoints=1)
    assert peer.step(10, 10, 10, seen(30, until=10)) == 8
    assert peer.step(20, 8, 8, seen(250, until=20)) == 12


class TestAlarm:
    def test_the_first_datapoint_above_the_threshold_acts(self) -> None:
        assert alarm().step(20, 10, 10, seen(90, 170, until=20)) == 12

    def test_while_it_stays_in_alarm_the_action_repeats_once_a_minute(self) -> None:
        """Amazon CloudWatch user guide, "Alarm actions"; the alarm itself is evaluated every 10 s."""
        peer, acted, desired = alarm(cooldown=0), [], 10
        for now in range(10, 200, 10):
            count = peer.step(now, desired, desired, seen(120, 120, until=now))
            if count is not None:
                desired = count
                acted.append((now, count))
        assert acted == [(10, 11), (70, 12), (130, 13), (190, 14)]

    def test_a_larger_breach_within_the_minute_has_to_wait(self) -> None:
        peer = alarm(cooldown=0)
        assert peer.step(10, 10, 10, seen(120, until=10)) == 11
        assert [peer.step(now, 10, 11, seen(400, until=now)) for now in range(20, 70, 10)] == [None] * 5
        assert peer.step(70, 10, 11, seen(400, until=70)) == 14

    def test_an_alarm_that_was_ok_in_between_acts_at_once(self) -> None:
        peer = alarm(cooldown=0)
        assert peer.step(10, 10, 10, seen(120, until=10)) == 11
        assert peer.step(20, 11, 11, seen(90, until=20)) is None
        assert peer.step(30, 11, 11, seen(120, until=30)) == 12

    def test_what_is_not_visible_yet_is_not_acted_on(self) -> None:
        peer = alarm()
        assert peer.step(30, 10, 10, seen(90, 90, until=20)) is None
        assert peer.step(40, 10, 10, seen(90, 90, 250, until=30)) == 14

    @pytest.mark.parametrize("value", [10, 300])
    def test_old_data_does_nothing(self, value: float) -> None:
        assert alarm(scale_in_datapoints=1).step(200, 10, 10, seen(value, until=100)) is None

    def test_several_datapoints_may_be_asked_for(self) -> None:
        peer = alarm(scale_out_datapoints=3)
        assert peer.step(30, 10, 10, seen(90, 120, 120, until=30)) is None
        assert peer.step(40, 10, 10, seen(90, 120, 120, 160, until=40)) == 12


class TestCapacity:
    def test_the_steps_count_from_the_running_tasks(self) -> None:
        """So tasks on their way are asked for again only as far as a step from the running ones goes beyond them."""
        assert alarm(cooldown=0).step(10, 8, 12, seen(250, until=10)) is None
        assert alarm(cooldown=0).step(10, 8, 11, seen(250, until=10)) == 12

    def test_a_percentage_of_the_running_tasks(self) -> None:
        policy = step_policy(((0, None, 50),), 100, adjustment_type="PercentChangeInCapacity")
        assert StepAlarm(policy, None, 2, 50).step(10, 9, 9, seen(150, until=10)) == 13

    def test_between_the_bounds(self) -> None:
        assert alarm().step(10, 49, 49, seen(250, until=10)) == 50
        assert alarm(scale_in_datapoints=1).step(10, 3, 3, seen(5, until=10)) == 2

    def test_a_policy_without_a_cooldown_has_the_default_of_300_seconds(self) -> None:
        peer = StepAlarm(from_table({"table": "documented_out"}), None, 2, 50)
        assert peer.step(10, 10, 10, seen(65, until=10)) == 11
        assert peer.step(300, 11, 11, seen(65, until=300)) is None
        assert peer.step(360, 11, 11, seen(65, until=360)) == 12


class TestScaleIn:
    def test_it_has_an_alarm_of_its_own_that_takes_five_minutes(self) -> None:
        peer = alarm()
        quiet = [30.0] * 40
        assert peer.step(290, 10, 10, seen(*quiet[:29], until=290)) is None
        assert peer.step(300, 10, 10, seen(*quiet[:30], until=300)) == 8

    def test_one_busier_datapoint_keeps_the_tasks(self) -> None:
        assert alarm().step(400, 10, 10, seen(*[30.0] * 20, 45, *[30.0] * 19, until=400)) is None

    def test_it_goes_on_after_its_cooldown(self) -> None:
        peer, acted, desired = alarm(cooldown=120), [], 10
        for now in range(400, 800, 10):
            count = peer.step(now, desired, desired, seen(*[30.0] * 40, until=now))
            if count is not None:
                desired = count
                acted.append((now, count))
        assert acted == [(400, 8), (520, 6), (640, 4), (760, 2)]

    def test_without_a_policy_for_it_nothing_is_removed(self) -> None:
        peer = StepAlarm(step_policy(STEPS, 100), None, 2, 50, scale_in_datapoints=1)
        assert peer.step(10, 10, 10, seen(1, until=10)) is None


@given(st.lists(st.floats(0, 500), min_size=1, max_size=60), st.integers(1, 80), st.integers(1, 80))
def test_it_stays_within_its_bounds(values: list[float], running: int, desired: int) -> None:
    peer = alarm(scale_in_datapoints=2)
    for index in range(len(values)):
        now = 10.0 * (index + 1)
        count = peer.step(now, running, desired, seen(*values[: index + 1], until=now))
        assert count is None or 2 <= count <= 50
