"""FastScaler with one of its ideas switched: each one shows."""

from statistics import mean

import pytest

from simulator.controllers.ablations import (
    ABLATIONS,
    NothingToSwitch,
    with_saturation_boost,
    without_anti_flap,
    without_in_flight_credit,
    without_incomplete_buckets,
    without_looking_again,
    without_proportional_sizing,
    without_scale_in_window,
    without_step_table,
)
from simulator.controllers.fastscaler import FastScaler
from simulator.run import Run, Trace
from simulator.settings import Settings
from simulator.simulate import Controller, simulate
from tests.unit.simulator.worlds import run_five_fold, shipped, steady, surge

SHIPPED = FastScaler(shipped())
FOUR = Settings(start_tasks=4)
SLOW_STARTS = Settings(start_tasks=4, start_median=90.0)
# Datapoints of one bucket come over several seconds.
SPREAD_OUT = Settings(visibility_sigma=0.7)

TRACKING = {"Name": "track", "PolicyType": "TargetTracking", "Metric": "RequestsPerSecond", "TargetValue": 100}
STEPS = {
    "Name": "steps",
    "PolicyType": "StepScaling",
    "Metric": "RequestsPerSecond",
    "Threshold": 100,
    "StepScalingPolicyConfiguration": {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [
            {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 4},
            {"MetricIntervalUpperBound": -15, "ScalingAdjustment": -2},
        ],
    },
}


def both(ablation: FastScaler, trace: Trace, settings: Settings) -> tuple[Run, Run]:
    """The shipped scaler's run, and that of the one with an idea switched."""
    return simulate(trace, SHIPPED, settings), simulate(trace, ablation, settings)


def reactions(controller: Controller, settings: Settings) -> float:
    """Mean seconds to the first call, over 24 surges of ten tasks."""
    runs = (run_five_fold(controller, seed, settings, tasks=10, seconds=60) for seed in range(24))
    return mean(run.calls[0].at - at for at, run in runs)


def test_without_proportional_sizing_a_surge_is_answered_by_a_step() -> None:
    full, without = both(without_proportional_sizing(shipped()), surge(240, 4800, 100, 160), FOUR)
    assert full.calls[0].after > 20
    assert without.calls[0].after == 4 + 4
    assert all(call.after - call.before <= 4 for call in without.calls)


def test_without_proportional_sizing_tasks_are_still_taken_away() -> None:
    _, without = both(without_proportional_sizing(shipped()), Trace("drop", [800.0] * 60 + [200.0] * 900), Settings())
    assert without.calls[-1].after == 3


def test_without_the_step_table_a_load_within_the_tolerance_adds_nothing() -> None:
    full, without = both(without_step_table(shipped()), surge(380, 420, 60, 180), FOUR)
    assert [call.after for call in full.calls] == [5]
    assert without.calls == ()


def test_with_the_boost_saturated_tasks_are_thought_to_hide_as_much_again() -> None:
    full, boosted = both(with_saturation_boost(shipped()), surge(240, 1600, 100, 130), SLOW_STARTS)
    assert full.calls[-1].after == 16
    assert boosted.calls[-1].after == 32


def test_without_credit_the_same_surge_is_answered_again_and_again() -> None:
    """The surge needs 5 tasks for 500 requests/s; new ones serve 100 s later."""
    full, without = both(without_in_flight_credit(shipped()), surge(240, 500, 100, 170), SLOW_STARTS)
    assert full.desired[-1] <= 6
    assert without.desired[-1] >= 10


def test_without_looking_again_there_is_one_look_per_bucket_and_a_later_answer() -> None:
    without = without_looking_again(shipped(MinCapacity=10))
    run = simulate(steady(700, 600), without, Settings(start_tasks=10, visibility_sigma=0.7))
    assert run.usage.looks_again == 0
    assert run.usage.looks == pytest.approx(600 / 5 + run.usage.invocations, abs=3)
    assert reactions(without, SPREAD_OUT) > reactions(FastScaler(shipped(MinCapacity=10)), SPREAD_OUT) + 0.1


def test_without_incomplete_buckets_a_surge_waits_for_most_of_the_tasks() -> None:
    without = without_incomplete_buckets(shipped(MinCapacity=10))
    assert reactions(without, SPREAD_OUT) > reactions(FastScaler(shipped(MinCapacity=10)), SPREAD_OUT) + 0.1


def test_without_anti_flap_a_scale_in_goes_as_far_as_the_target() -> None:
    """385 requests/s: four tasks are within 10% of the threshold of 100, five are not."""
    full, without = both(without_anti_flap(shipped()), Trace("drop", [800.0] * 60 + [385.0] * 600), Settings())
    assert full.desired[-1] == 5
    assert without.desired[-1] == 4


def test_without_anti_flap_steps_that_take_tasks_away_still_do() -> None:
    service = shipped(Policies=[TRACKING, STEPS])
    drop = Trace("drop", [760.0] * 60 + [385.0] * 1800)
    assert simulate(drop, FastScaler(service)).desired[-1] == 5
    assert simulate(drop, without_anti_flap(service)).desired[-1] == 4


def test_without_the_window_a_scale_in_comes_minutes_earlier() -> None:
    full, without = both(without_scale_in_window(shipped()), Trace("drop", [800.0] * 60 + [200.0] * 600), Settings())
    assert full.calls[0].after < full.calls[0].before
    assert full.calls[0].at - without.calls[0].at > 240


def test_every_ablation_has_a_name_of_its_own() -> None:
    names = {ablation(shipped()).name for ablation in ABLATIONS.values()}
    assert len(names) == len(ABLATIONS)


@pytest.mark.parametrize(
    ("idea", "changes"),
    [
        ("proportional sizing", {"Policies": [TRACKING]}),
        ("proportional sizing", {"Policies": [STEPS]}),
        ("step table", {"Policies": [TRACKING]}),
        ("step table", {"Policies": [STEPS]}),
        ("saturation boost, switched on", {"Policies": [STEPS]}),
        ("saturation boost, switched on", {"Policies": [{**TRACKING, "TaskCapacity": 140}]}),
        ("scale-in window", {"Behavior": {"ScaleIn": {"StabilizationWindowSeconds": 0}}}),
    ],
)
def test_what_makes_no_difference_to_a_document_cannot_be_switched(idea: str, changes: dict[str, object]) -> None:
    with pytest.raises(NothingToSwitch):
        ABLATIONS[idea](shipped(**changes))
