"""What an event may say, and how its author is told what is wrong with it."""

from typing import Any

import pytest
from load_profile import Constant, Ramp, Sine, Spike, Step, Trace
from synthetic_event import parse_event

from fastscaler.errors import EventInvalid

COMMON = {"Cluster": "shop", "Service": "web", "DurationSeconds": 60}
PEAK = {"BaseRequestsPerSecond": 100, "PeakRequestsPerSecond": 500}
STEP = {"Profile": "step", **COMMON, **PEAK, "StepAtSeconds": 30}


def problems(event: Any) -> dict[str, str]:
    """Key -> what is allowed, of every problem reported."""
    with pytest.raises(EventInvalid) as caught:
        parse_event(event)
    assert len(str(caught.value).splitlines()) == len(caught.value.problems)
    return {problem.key: problem.allowed for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("event", "profile"),
    [
        ({"Profile": "constant", "BaseRequestsPerSecond": 100}, Constant(100)),
        ({"Profile": "step", **PEAK, "StepAtSeconds": 7.5}, Step(100, 500, 7.5)),
        ({"Profile": "ramp", **PEAK, "RampAtSeconds": 5, "RampSeconds": 20}, Ramp(100, 500, 5, 20)),
        ({"Profile": "spike", **PEAK, "SpikeAtSeconds": 5, "DecaySeconds": 20}, Spike(100, 500, 5, 20)),
        ({"Profile": "sine", **PEAK, "PeriodSeconds": 60}, Sine(100, 500, 60)),
        ({"Profile": "trace", "RequestsPerSecond": [1, 2.5], "IntervalSeconds": 10}, Trace((1, 2.5), 10)),
    ],
    ids=lambda value: value["Profile"] if isinstance(value, dict) else "",
)
def test_every_profile(event: dict[str, Any], profile: object) -> None:
    assert parse_event(COMMON | event).load() == profile


def test_defaults() -> None:
    event = parse_event(STEP)
    assert (event.tasks, event.task_capacity, event.spread, event.seed) == ("running", 140, 0, 0)


def test_an_unknown_profile_is_told_which_there_are() -> None:
    assert problems(STEP | {"Profile": "sawtooth"}) == {
        "Profile": "must be one of constant, step, ramp, spike, sine, trace"
    }


def test_the_message_names_key_value_and_what_is_allowed() -> None:
    with pytest.raises(EventInvalid) as caught:
        parse_event(STEP | {"BaseRequestsPerSecond": -5})
    assert str(caught.value) == "event: BaseRequestsPerSecond = -5: must be a number from 0 to 1e+09"


def test_a_choice_of_kinds_is_told_with_both() -> None:
    assert problems(STEP | {"Tasks": "all"}) == {"Tasks": "must be running or a whole number from 1 to 5000"}


def test_a_misspelt_profile_is_told_which_key_was_meant() -> None:
    event = {"profile" if key == "Profile" else key: value for key, value in STEP.items()}
    assert problems(event) == {"profile": "no such key; did you mean Profile?"}


def test_all_problems_are_reported_at_once() -> None:
    event = STEP | {"BaseRequestsPerSecond": -1, "StepAtSeconds": 90, "Tasks": 0, "Spred": 0.1, "Seed": "one"}
    del event["Cluster"]
    assert set(problems(event)) == {"BaseRequestsPerSecond", "StepAtSeconds", "Tasks", "Spred", "Seed", "Cluster"}


def test_an_unknown_profile_does_not_hide_other_problems() -> None:
    assert set(problems({"Profile": "sawtooth", "Cluster": "a/b", "DurationSeconds": -1})) == {
        "Profile",
        "Cluster",
        "Service",
        "DurationSeconds",
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PeakRequestsPerSecond", -1),
        ("PeakRequestsPerSecond", "500"),
        ("PeakRequestsPerSecond", float("nan")),
        ("PeakRequestsPerSecond", float("inf")),
        ("BaseRequestsPerSecond", 501),  # Above the peak.
        ("StepAtSeconds", -1),
        ("StepAtSeconds", 60),  # The profile is over by then.
        ("DurationSeconds", 4),
        ("DurationSeconds", 901),
        ("Tasks", 2.5),
        ("Tasks", -1),
        ("Tasks", "all"),
        ("TaskCapacity", 0),
        ("BaseResponseTimeSeconds", 0),
        ("Spread", 0.6),
        ("Service", "arn:aws:ecs:us-east-1:111122223333:service/shop/web"),
        ("Cluster", None),
        ("DecaySeconds", 5),  # A key of another profile.
    ],
)
def test_a_bad_value_is_the_one_problem_reported(key: str, value: object) -> None:
    assert set(problems(STEP | {key: value})) == {key}


def test_bad_values_in_a_trace_are_told_by_their_place() -> None:
    event = COMMON | {"Profile": "trace", "RequestsPerSecond": [1, -2, "x"], "IntervalSeconds": 5}
    assert set(problems(event)) == {"RequestsPerSecond[1]", "RequestsPerSecond[2]"}


@pytest.mark.parametrize("event", [None, [], "step", 5])
def test_what_is_not_an_object_is_refused(event: object) -> None:
    assert "must be an object" in problems(event)["event"]


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(EventInvalid) as caught:
        parse_event(STEP | {"Cluster": "x" * 10_000})
    assert len(str(caught.value)) < 300
