"""Step scaling policies with their alarms, as Application Auto Scaling has them and as FastScaler then decides."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastscaler.migration.translate import NothingToImport
from fastscaler.scaling.metric import Metric
from fastscaler.scaling.step_scaling import change_in_capacity
from tests.unit.migration.existing import alarm, dimensions, imported, names, policy_arn, step, steps, target

BOTH_SIDES = (step(-2, None, -10.0), step(0, -10.0, 10.0), step(3, 10.0))


def test_table_threshold_and_operator_are_carried_over_unchanged() -> None:
    policy = steps(
        "out", step(2, 0.0, 15.0), step(4, 15.0), AdjustmentType="PercentChangeInCapacity", MinAdjustmentMagnitude=2
    )
    result = imported(policy, alarms=(alarm(),))
    [found] = result.service.policies
    assert found.model_dump(by_alias=True, exclude_none=True, mode="json") == {
        "Name": "out",
        "PolicyType": "StepScaling",
        "Metric": "CPUUtilization",
        "Threshold": 75.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "StepScalingPolicyConfiguration": {
            **policy["StepScalingPolicyConfiguration"],
            "StepAdjustments": [
                {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 15.0, "ScalingAdjustment": 2},
                {"MetricIntervalLowerBound": 15.0, "ScalingAdjustment": 4},
            ],
        },
    }


@pytest.mark.parametrize(("adjustment_type", "change"), [("ChangeInCapacity", 1), ("ExactCapacity", -9)])
def test_a_least_change_that_its_adjustment_type_does_not_know_is_left_out(adjustment_type: str, change: int) -> None:
    """API reference: the minimum value to scale by when the adjustment type is PercentChangeInCapacity."""
    policy = steps("out", step(1, 0.0), AdjustmentType=adjustment_type, MinAdjustmentMagnitude=3)
    result = imported(policy, alarms=(alarm(),))
    assert change_in_capacity(result.steps("out"), 80.0, 10) == change
    words = f"MinAdjustmentMagnitude 3 is left out: it is for PercentChangeInCapacity, not {adjustment_type}."
    assert words in result.comments


@pytest.mark.parametrize(
    ("keys", "statistic"),
    [
        ({"Statistic": "Maximum"}, "Maximum"),
        ({"Statistic": "Sum"}, "Sum"),
        ({"Statistic": None, "ExtendedStatistic": "p99.9"}, "p99.9"),
    ],
)
def test_the_metric_is_the_alarms(keys: dict[str, Any], statistic: str) -> None:
    watched = alarm(
        Namespace="Shop", MetricName="Orders", Period=10, Dimensions=dimensions(Shop="a b", Kind="1e3"), **keys
    )
    metric = imported(steps("out"), alarms=(watched,)).service.metrics["Orders"]
    assert isinstance(metric, Metric)
    assert (metric.namespace, metric.metric_name, metric.period) == ("Shop", "Orders", 10)
    assert (metric.dimensions, metric.statistic) == ({"Shop": "a b", "Kind": "1e3"}, statistic)


def test_high_and_low_alarms_of_separate_policies_are_two_policies_on_one_metric() -> None:
    low = alarm("low", "in", Threshold=25.0, ComparisonOperator="LessThanOrEqualToThreshold")
    result = imported(
        steps("out", step(2, 0.0)), steps("in", step(-1, None, 0.0), alarms=("low",)), alarms=(alarm(), low)
    )
    assert list(result.service.metrics) == ["CPUUtilization"]
    assert [change_in_capacity(result.steps("out"), cpu, 10) for cpu in (75.0, 76.0)] == [None, 2]
    assert [change_in_capacity(result.steps("in"), cpu, 10) for cpu in (26.0, 25.0)] == [None, -1]


def test_several_alarms_of_one_policy_are_a_policy_each() -> None:
    memory = alarm("memory-high", MetricName="MemoryUtilization", Threshold=80.0)
    result = imported(steps("out", alarms=("high", "memory-high")), alarms=(alarm(), memory))
    assert names(result.service) == ["out (high)", "out (memory-high)"]
    assert [policy.metric for policy in result.service.policies] == ["CPUUtilization", "MemoryUtilization"]


def test_a_table_on_both_sides_of_the_threshold_is_split_between_its_alarms() -> None:
    """The policy's steps count from each alarm's threshold: above 50 they add, below 50 they remove."""
    high, low = alarm("high", Threshold=50.0), alarm("low", Threshold=50.0, ComparisonOperator="LessThanThreshold")
    result = imported(steps("cpu", *BOTH_SIDES, alarms=("high", "low")), alarms=(high, low))
    above, below = result.steps("cpu (high)"), result.steps("cpu (low)")
    assert [change_in_capacity(above, cpu, 10) for cpu in (30.0, 50.0, 55.0, 60.0, 90.0)] == [None, None, 0, 3, 3]
    assert [change_in_capacity(below, cpu, 10) for cpu in (90.0, 50.0, 45.0, 40.0, 10.0)] == [None, None, 0, -2, -2]
    assert "1 of 3 steps lie on the side of the threshold that this alarm never reports." in result.comments


def test_an_exact_count_is_set_on_the_side_of_its_alarm() -> None:
    low = alarm("low", "in", Threshold=20.0, ComparisonOperator="LessThanThreshold", EvaluationPeriods=30)
    exact = {"AdjustmentType": "ExactCapacity"}
    result = imported(
        steps("out", step(12, 0.0), **exact),
        steps("in", step(3, None, 0.0), alarms=("low",), **exact),
        alarms=(alarm(), low),
    )
    assert change_in_capacity(result.steps("out"), 90.0, 10) == 2
    assert change_in_capacity(result.steps("in"), 10.0, 10) == -7
    assert result.service.behavior.scale_in.stabilization_window_seconds == 1800


def test_two_metrics_of_one_name_get_keys_of_their_own() -> None:
    peak = alarm("peak", "peak", Statistic="Maximum", Threshold=95.0)
    other = alarm("other", "other", Dimensions=dimensions(ClusterName="shop", ServiceName="api"))
    policies = (steps("out"), steps("peak", alarms=("peak",)), steps("other", alarms=("other",)))
    result = imported(*policies, alarms=(alarm(), peak, other))
    keys = [policy.metric for policy in result.service.policies]
    assert keys == ["CPUUtilization", "CPUUtilizationMaximum", "CPUUtilizationAverage"]
    assert [result.service.metrics[key].statistic for key in keys] == ["Average", "Maximum", "Average"]


# --- Cooldown


def test_a_cooldown_is_carried_over() -> None:
    result = imported(steps("out", Cooldown=45), alarms=(alarm(),))
    assert result.steps("out").step_scaling_policy_configuration.cooldown == 45


def test_awss_default_cooldown_is_written_out() -> None:
    """Application Auto Scaling waits 300 s where none is given; FastScaler would not wait at all."""
    result = imported(steps("out", Cooldown=None), alarms=(alarm(),))
    assert result.steps("out").step_scaling_policy_configuration.cooldown == 300
    assert "AWS's default, written out; FastScaler's is 0." in result.comments


def test_a_cooldown_shorter_than_the_datapoints_is_kept_and_said_to_act_more_often() -> None:
    result = imported(steps("out", Cooldown=10), alarms=(alarm(),))
    assert result.steps("out").step_scaling_policy_configuration.cooldown == 10
    assert "AWS acts once a minute" in result.comments
    fast = alarm(Namespace="Shop", Period=10)
    assert "AWS acts once a minute" not in imported(steps("out", Cooldown=10), alarms=(fast,)).comments


def test_a_cooldown_longer_than_an_hour_is_cut_and_said_so() -> None:
    result = imported(steps("out", Cooldown=7200), alarms=(alarm(),))
    assert result.steps("out").step_scaling_policy_configuration.cooldown == 3600
    assert "It is 7200 s there; FastScaler takes 3600 at most." in result.comments


# --- What an alarm does beside its threshold


def test_datapoints_that_the_alarm_waits_for_are_named() -> None:
    result = imported(steps("out"), alarms=(alarm(EvaluationPeriods=5, DatapointsToAlarm=3),))
    assert (
        "Alarm high acts once 3 of 5 datapoints of 60 s breach; FastScaler acts on the newest one." in result.comments
    )


def test_a_scale_in_alarm_that_waits_long_becomes_the_stabilization_window() -> None:
    low = alarm("low", "in", EvaluationPeriods=20, ComparisonOperator="LessThanThreshold", Threshold=20.0)
    result = imported(steps("in", step(-1, None, 0.0), alarms=("low",)), alarms=(low,))
    assert result.service.behavior.scale_in.stabilization_window_seconds == 1200
    assert "alarm low looks at 20 datapoints of 60 s" in result.comments


def test_a_scale_in_alarm_that_waits_less_leaves_the_default_window() -> None:
    low = alarm("low", "in", EvaluationPeriods=3, ComparisonOperator="LessThanThreshold", Threshold=20.0)
    result = imported(steps("in", step(-1, None, 0.0), alarms=("low",)), alarms=(low,))
    assert result.service.behavior.scale_in.stabilization_window_seconds == 300
    assert "StabilizationWindowSeconds (300 by default) waits in their place" in result.comments


@pytest.mark.parametrize(
    ("treatment", "comment"),
    [
        ("breaching", "Missing data breaches the alarm; FastScaler never acts on it"),
        ("notBreaching", "FastScaler takes no task away while this metric is silent"),
        ("ignore", "the alarm keeps its state and goes on acting; FastScaler holds the count"),
    ],
)
def test_how_missing_data_is_treated_differs_and_is_said_so(treatment: str, comment: str) -> None:
    assert comment in imported(steps("out"), alarms=(alarm(TreatMissingData=treatment),)).comments


def test_the_alarms_default_for_missing_data_needs_no_comment() -> None:
    assert "issing data" not in imported(steps("out"), alarms=(alarm(TreatMissingData="missing"),)).comments


def test_a_unit_limits_the_alarm_and_not_fastscaler() -> None:
    own = alarm(Namespace="Shop", Unit="Seconds")
    assert "AWS reads samples in Seconds only" in imported(steps("out"), alarms=(own,)).comments
    assert "samples in" not in imported(steps("out"), alarms=(alarm(Unit="Percent"),)).comments


def test_percentiles_of_few_samples_are_named() -> None:
    watched = alarm(Statistic=None, ExtendedStatistic="p90", EvaluateLowSampleCountPercentile="ignore")
    assert "percentiles of few samples" in imported(steps("out"), alarms=(watched,)).comments


def test_policies_that_scale_in_have_to_agree_and_that_is_said() -> None:
    low = {"ComparisonOperator": "LessThanThreshold", "Threshold": 20.0}
    alarms = (alarm("cpu-low", "cpu", **low), alarm("memory-low", "memory", MetricName="MemoryUtilization", **low))
    policies = [steps(name, step(-1, None, 0.0), alarms=(f"{name}-low",)) for name in ("cpu", "memory")]
    assert "Scale-in needs all of these to agree: cpu, memory." in imported(*policies, alarms=alarms).comments


# --- What is left out

FINE = steps("fine", alarms=("fine",))
FINE_ALARM = alarm("fine", "fine")


@pytest.mark.parametrize(
    ("policy", "watched", "reason"),
    [
        (steps("out", alarms=()), None, "no alarm sets it off"),
        (steps("out", alarms=("gone",)), None, "its alarm gone does not exist any more"),
        (steps("out"), alarm(ActionsEnabled=False), "the actions of alarm high are disabled"),
        (
            steps("out"),
            alarm(ComparisonOperator="GreaterThanUpperThreshold", Threshold=None, ThresholdMetricId="ad1"),
            "alarm high has no fixed threshold",
        ),
        (steps("out"), alarm(AlarmActions=[], OKActions=[policy_arn("out")]), "sets it off on leaving ALARM"),
        (
            steps("out"),
            alarm(MetricName=None, Namespace=None, Statistic=None),
            "watches neither a metric nor metric math",
        ),
        (steps("out"), alarm(Statistic="SampleCount"), "Statistic = 'SampleCount': must be Average, Sum"),
        (steps("out"), alarm(Statistic=None, ExtendedStatistic="tm90"), "Statistic = 'tm90': must be Average, Sum"),
        (steps("out"), alarm(Period=900), "Period = 900: must be one of 1, 5, 10"),
        (steps("out"), alarm(Namespace="Shop", Dimensions=[]), "Dimensions = a block of 0: must be a block of 1 to 30"),
        (steps("out", step(-1, None, 0.0)), alarm(), "alarm high is not in ALARM where its steps are"),
    ],
)
def test_what_cannot_be_expressed_is_left_out_with_the_reason(
    policy: dict[str, Any], watched: dict[str, Any] | None, reason: str
) -> None:
    alarms = (FINE_ALARM, *([watched] if watched else []))
    result = imported(FINE, policy, alarms=alarms)
    assert names(result.service) == ["fine"]
    assert list(result.service.metrics) == ["CPUUtilization"]
    assert "Policy out is not carried over: " in result.comments
    assert reason in result.comments
    with pytest.raises(NothingToImport, match="shop/web has no policy that can be carried over"):
        imported(policy, alarms=alarms[1:])


def test_more_policies_than_a_document_has_are_left_out() -> None:
    policies = [steps(f"out-{number}") for number in range(22)]
    result = imported(*policies, alarms=(alarm(),))
    assert len(result.service.policies) == 20
    assert "Policy out-21 is not carried over" in result.comments


# --- Anything that AWS accepts

BOUNDS = st.lists(st.integers(-50, 50), min_size=1, max_size=4, unique=True).map(sorted)


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Step tables by AWS's rules: no gap, no overlap, open at each end that it reaches beyond 0."""
    inner = draw(BOUNDS)
    edges: list[float | None] = [float(bound) for bound in inner]
    edges = ([None] if inner[0] < 0 or len(inner) == 1 else []) + edges
    edges += [None] if inner[-1] > 0 or len(edges) == 1 else []
    adjustments = draw(st.lists(st.integers(-5, 5), min_size=len(edges), max_size=len(edges)))
    pairs = pairwise(edges)
    return [step(by, lower, upper) for by, (lower, upper) in zip(adjustments, pairs, strict=False)]


@settings(max_examples=150)
@given(
    table=tables(),
    operator=st.sampled_from(
        ["GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"]
    ),
    lowest=st.integers(0, 10),
    name=st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=30),
    metric=st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=30),
)
def test_whatever_aws_accepts_is_carried_over_where_the_alarm_reaches_a_step(
    table: list[dict[str, Any]], operator: str, lowest: int, name: str, metric: str
) -> None:
    watched = alarm(name, name, ComparisonOperator=operator, MetricName=metric)
    policies = (FINE, steps(name, *table, alarms=(name,)))
    result = imported(*policies, alarms=(FINE_ALARM, watched), target=target(lowest, 20))
    above, below = operator.startswith("Greater"), operator.startswith("Less")
    acts = any(
        (above and one.get("MetricIntervalUpperBound", 1) > 0)
        or (below and one.get("MetricIntervalLowerBound", -1) < 0)
        for one in table
    )
    assert (name in names(result.service)) == (acts or name == "fine")
