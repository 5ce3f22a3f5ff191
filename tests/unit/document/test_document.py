"""What a policy document may say, and how each problem is named: file, line, service, key, value, what is allowed."""

import json

import pytest

from fastscaler.document.parse import parse_document
from tests.unit.document.documents import (
    METRIC,
    SERVICE,
    STEPS_PATH,
    Change,
    changed,
    configuration,
    metric,
    problems_after,
    problems_of,
    tracking,
    with_expression,
)


def test_a_valid_document_is_parsed_with_its_defaults() -> None:
    document = parse_document(changed(lambda service: None), "policies.yaml")
    service = document.services[0]
    assert (document.mode, service.key, service.max_capacity) == ("active", "prod/web", 100)
    assert service.metrics["Requests"].period == 5
    assert service.behavior.scale_in.stabilization_window_seconds == 300
    assert service.stale_after == 30


@pytest.mark.parametrize(
    ("change", "key", "value", "allowed"),
    [
        # One key: type, range, form.
        (lambda s: s.update(MinCapacity="2"), "MinCapacity", "'2'", "a whole number from 1 to 5000"),
        (lambda s: s.update(MinCapacity=2.5), "MinCapacity", "2.5", "a whole number from 1 to 5000"),
        (lambda s: s.update(MaxCapacity=5001), "MaxCapacity", "5001", "a whole number from 1 to 5000"),
        (lambda s: s.pop("MaxCapacity"), "MaxCapacity", "(missing)", "is required: a whole number from 1 to 5000"),
        (lambda s: s.update(Mode="observer"), "Mode", "'observer'", "one of active, observe"),
        (lambda s: s.update(Metrics={}), "Metrics", "a block of 0", "a block of 1 to 20 names and values"),
        (lambda s: s.update(Policies=[]), "Policies", "a list of 0", "a list of 1 to 20 items"),
        (lambda s: s.update(Behavior=None), "Behavior", "null", "a block with the keys ScaleOut, ScaleIn"),
        (lambda s: s.update(StaleAfter=9), "StaleAfter", "9", "a whole number from 10 to 900"),
        (
            lambda s: metric(s).update(PerTask=False, Statistic="avg"),
            "Metrics.Requests.Statistic",
            "'avg'",
            "a percentile from p0",
        ),
        (lambda s: metric(s).update(PerTask="yes"), "Metrics.Requests.PerTask", "'yes'", "true or false"),
        (lambda s: metric(s).update(Namespace=":App"), "Metrics.Requests.Namespace", "':App'", "no colon in front"),
        (
            lambda s: metric(s).update(Dimensions={"Port": 80}),
            "Metrics.Requests.Dimensions.Port",
            "80",
            "text of 1 to 1024 characters; put it in quotes",
        ),
        (
            lambda s: metric(s).update(Dimensions={"": "x"}),
            "Metrics.Requests.Dimensions.''",
            "the name",
            "a name of 1 to 255 characters",
        ),
        (lambda s: tracking(s).update(TargetValue=0), "Policies[tracking].TargetValue", "0", "a number above 0"),
        (lambda s: tracking(s).update(TargetValue=True), "Policies[tracking].TargetValue", "true", "a number above 0"),
        (
            lambda s: tracking(s).update(ScaleInTolerance=1),
            "Policies[tracking].ScaleInTolerance",
            "1",
            "a number from 0 to below 1",
        ),
        (
            lambda s: s["LoadBalancer"].update(LoadBalancer="arn:aws:elb"),
            "LoadBalancer.LoadBalancer",
            "'arn:aws:elb'",
            "the end of an Application Load Balancer's ARN",
        ),
        (
            lambda s: configuration(s).update(Cooldown=-1),
            f"{STEPS_PATH}.Cooldown",
            "-1",
            "a whole number from 0 to 3600",
        ),
        (
            lambda s: s["Policies"].append(7),
            "Policies[2]",
            "7",
            "a block with the keys Name, PolicyType, Metric",
        ),
        (
            lambda s: tracking(s).update(PolicyType="TargetTrackingScaling"),
            "Policies[tracking].PolicyType",
            "'TargetTrackingScaling'",
            "one of StepScaling, TargetTracking",
        ),
        (
            lambda s: tracking(s).pop("PolicyType"),
            "Policies[tracking].PolicyType",
            "(missing)",
            "one of StepScaling, TargetTracking",
        ),
        # Keys that do not exist.
        (lambda s: s.update(MinCapacty=3), "MinCapacty", "3", "no such key; did you mean MinCapacity?"),
        (lambda s: s.update(stale_after=60), "stale_after", "60", "did you mean StaleAfter?"),
        (lambda s: s.update(Zone="a"), "Zone", "'a'", "no such key; allowed here: Cluster, Service, Mode"),
        (
            lambda s: s["Policies"][0].update(Treshold=5),
            "Policies[steps].Treshold",
            "5",
            "did you mean Threshold?",
        ),
        (
            lambda s: tracking(s).update(Threshold=5),
            "Policies[tracking].Threshold",
            "5",
            "no such key; allowed here: Name, PolicyType, Metric, TargetValue",
        ),
        # Several keys of a service.
        (lambda s: s.update(MinCapacity=101), "MinCapacity", "101", "at most MaxCapacity (100)"),
        (lambda s: s.update(FallbackCapacity=1), "FallbackCapacity", "1", "at least MinCapacity (2)"),
        (lambda s: s.update(FallbackCapacity=101), "FallbackCapacity", "101", "at most MaxCapacity (100)"),
        (lambda s: tracking(s).update(Metric="CPU"), "Policies[tracking].Metric", "'CPU'", "the Metrics: Requests"),
        (lambda s: tracking(s).update(Name="steps"), "Policies[1].Name", "'steps'", "no other policy of the service"),
        (
            lambda s: metric(s).update(Statistic="Sum"),
            "Metrics.Requests.Statistic",
            "'Sum'",
            "Average, because PerTask is true",
        ),
        (lambda s: metric(s).update(Period=7), "Metrics.Requests.Period", "7", "one of 1, 5, 10, 20, 30, 60, 120"),
        (
            lambda s: metric(s).update(Period=20, ReadEvery=10),
            "Metrics.Requests.ReadEvery",
            "10",
            "at least Period (20)",
        ),
        (
            lambda s: metric(s).update(Namespace="AWS/SQS"),
            "Metrics.Requests.Period",
            "(missing)",
            "at least 60; AWS/SQS has no finer datapoints",
        ),
        (
            lambda s: metric(s).update(Namespace="AWS/ECS", Period=10),
            "Metrics.Requests.Period",
            "10",
            "at least 20",
        ),
        (
            lambda s: metric(s).update(DivideByTasks=True),
            "Metrics.Requests.DivideByTasks",
            "true",
            "must be false, because PerTask is true",
        ),
        (
            lambda s: with_expression(s, "Visible + Waiting"),
            "Metrics.Backlog.Expression",
            "'Visible + Waiting'",
            "Waiting must be the name of another of the Metrics, no expression: Requests, Visible",
        ),
        (
            lambda s: with_expression(s, "Visible + Backlog"),
            "Metrics.Backlog.Expression",
            "'Visible + Backlog'",
            "Backlog must be the name of another of the Metrics, no expression",
        ),
        (
            lambda s: with_expression(s, "FILL(Visible, 0)"),
            "Metrics.Backlog.Expression",
            "'FILL(Visible, 0)'",
            "has no function FILL; allowed are ABS, AVG",
        ),
        (
            lambda s: with_expression(s, "Visible + 'm1'"),
            "Metrics.Backlog.Expression",
            "\"Visible + 'm1'\"",
            "cannot be read from \"'m1'\" on",
        ),
        (
            lambda s: with_expression(s, "Visible", Period=300),
            "Metrics.Backlog.Period",
            "300",
            "must be that of Visible (60)",
        ),
        (
            lambda s: with_expression(s, "Visible", Statistic="Sum"),
            "Metrics.Backlog.Statistic",
            "'Sum'",
            "no such key; allowed here: Period, DivideByTasks, ReadEvery, Expression",
        ),
        (
            lambda s: s["Metrics"].update(Backlog=7),
            "Metrics.Backlog",
            "7",
            "a block with the keys Period, DivideByTasks, ReadEvery, Namespace",
        ),
        (
            lambda s: s["LoadBalancer"].update(RequestMetric="CPU"),
            "LoadBalancer.RequestMetric",
            "'CPU'",
            "the name of one of the Metrics: Requests",
        ),
        (
            lambda s: (metric(s).update(PerTask=False), s["LoadBalancer"].update(RequestMetric="Requests")),
            "LoadBalancer.RequestMetric",
            "'Requests'",
            "PerTask: true",
        ),
        (
            lambda s: s["Metrics"].update(Others=METRIC),
            "LoadBalancer.RequestMetric",
            "(missing)",
            "is required where several metrics fit: one of Requests, Others",
        ),
        (
            lambda s: tracking(s).update(TaskCapacity=105),
            "Policies[tracking].TaskCapacity",
            "105",
            "above TargetValue / SaturationThreshold (105.263)",
        ),
        (
            lambda s: s["Behavior"]["ScaleIn"]["Policies"][0].update(Value=101),
            "Behavior.ScaleIn.Policies[0].Value",
            "101",
            "1 to 100 with Type Percent",
        ),
    ],
)
def test_each_wrong_value_is_one_problem_that_names_key_value_and_what_is_allowed(
    change: Change, key: str, value: str, allowed: str
) -> None:
    (problem,) = problems_after(change)
    assert (problem.service, problem.key, problem.value) == ("prod/web", key, value)
    assert allowed in problem.allowed


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(FallbackCapacity=2),
        lambda s: s["Behavior"]["ScaleIn"]["Policies"][0].update(Type="Tasks", Value=500),
        lambda s: s["Behavior"].update(ScaleOut={"Policies": [{"Type": "Percent", "Value": 500, "PeriodSeconds": 60}]}),
        lambda s: metric(s).update(Namespace="AWS/ECS", Period=20),
        lambda s: metric(s).update(Period=60, ReadEvery=300),
        lambda s: metric(s).update(PerTask=False, DivideByTasks=True),
        lambda s: with_expression(s, "IF(Visible > 5, Visible - 5, 0) / 2.5"),
        lambda s: s.update(FallbackCapacity=2, FallbackBehavior="static"),
        lambda s: s["Behavior"].update(ScaleOut={"StabilizationWindowSeconds": 60}),
        lambda s: (s["Metrics"].update(Others=METRIC), s["LoadBalancer"].update(RequestMetric="Others")),
        lambda s: s["Metrics"].update(
            Unused={**METRIC, "MetricName": "Latency", "PerTask": False, "Statistic": "p99.9"}
        ),
        lambda s: tracking(s).update(TaskCapacity=106),
        lambda s: configuration(s).update(AdjustmentType="PercentChangeInCapacity", MinAdjustmentMagnitude=2),
        lambda s: configuration(s).update(MetricAggregationType="Maximum"),
        lambda s: s.update(Mode=None, LoadBalancer=None, FallbackCapacity=None),
    ],
)
def test_what_is_just_allowed_is_accepted(change: Change) -> None:
    assert parse_document(changed(change), "policies.yaml").services[0].key == "prod/web"


def test_a_service_stands_in_a_document_once() -> None:
    others = [{**SERVICE, "Service": "api"}, {**SERVICE, "Cluster": "test"}]
    assert parse_document(json.dumps({"Services": [SERVICE, *others]}), "policies.yaml")
    (problem,) = problems_of(json.dumps({"Services": [SERVICE, *others, SERVICE]}))
    assert (problem.service, problem.key) == ("prod/web", "Service")
    assert "Services[0] is the same service" in problem.allowed


def test_a_name_is_not_an_arn() -> None:
    (problem,) = problems_after(lambda s: s.update(Cluster="arn:aws:ecs"))
    assert (problem.key, problem.value) == ("Cluster", "'arn:aws:ecs'")
    assert problem.allowed == "must be 1 to 255 letters, digits, hyphens or underscores: the name, not the ARN"


def test_a_target_tracking_block_pasted_from_cloudformation_is_told_where_its_keys_go() -> None:
    pasted = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 60}}
    policy = {"Name": "cpu", "Metric": "Requests", **pasted}
    found = {problem.key: problem.allowed for problem in problems_after(lambda s: s.update(Policies=[policy]))}
    assert found["Policies[cpu].PolicyType"] == "must be one of StepScaling, TargetTracking"
    assert found["Policies[cpu].TargetValue"] == "is required: a number above 0"
    words = found["Policies[cpu].TargetTrackingScalingPolicyConfiguration"]
    assert words.startswith("no such key; allowed here: Name, PolicyType, Metric, TargetValue")


def test_a_service_without_a_usable_name_is_named_by_its_place() -> None:
    problems = problems_of(json.dumps({"Services": [SERVICE, {**SERVICE, "Service": 5}, 6]}))
    assert [(problem.service, problem.key, problem.value) for problem in problems] == [
        ("Services[1]", "Service", "5"),
        ("", "Services[2]", "6"),
    ]


EVERY_KIND_AT_ONCE = """
Services:
  - Cluster: prod
    Service: web
    MinCapacity: 10
    MaxCapacity: 5
    StaleAfter: soon
    Metrics:
      Requests:
        Namespace: App
        MetricName: RequestsPerSecond
        MetricName: Requests
        Dimensions: {Cluster: !Ref Cluster}
    Policies:
      - Name: steps
        PolicyType: StepScaling
        Metric: Request
        Treshold: 100
        StepScalingPolicyConfiguration:
          AdjustmentType: ChangeInCapacity
          StepAdjustments:
            - {MetricIntervalLowerBound: 0, MetricIntervalUpperBound: 50, ScalingAdjustment: few}
            - {MetricIntervalLowerBound: 60, ScalingAdjustment: 2}
      - Name: tracking
        PolicyType: Tracking
        Metric: Requests
        TargetValue: -1
        Colour: blue
"""


def test_all_problems_are_reported_at_once_in_the_order_of_lines() -> None:
    found = [str(problem).removeprefix("policies.yaml:") for problem in problems_of(EVERY_KIND_AT_ONCE)]
    metrics, table = "Metrics.Requests", f"{STEPS_PATH}.StepAdjustments"
    wanted = [
        "5: prod/web: MinCapacity = 10: must be at most MaxCapacity (5)",
        "7: prod/web: StaleAfter = 'soon': must be a whole number from 10 to 900",
        f"12: prod/web: {metrics}.MetricName = 'Requests': must stand once; the key stands on line 11 already",
        f"13: prod/web: {metrics}.Dimensions.Cluster = '!Ref': must be the value itself; tags",
        "17: prod/web: Policies[steps].Metric = 'Request': must be the name of one of the Metrics: Requests",
        "18: prod/web: Policies[steps].Treshold = 100: no such key; did you mean Threshold?",
        f"22: prod/web: {table}[0].ScalingAdjustment = 'few': must be a whole number from -5000 to 5000",
        f"23: prod/web: {table}[1].MetricIntervalLowerBound = 60: must be 50, where the step below ends",
        "25: prod/web: Policies[tracking].PolicyType = 'Tracking': must be one of StepScaling, TargetTracking",
        "27: prod/web: Policies[tracking].TargetValue = -1: must be a number above 0",
        "28: prod/web: Policies[tracking].Colour = 'blue': no such key",
    ]
    assert len(found) == len(wanted)
    assert [line for line, start in zip(found, wanted, strict=True) if not line.startswith(start)] == []


def test_what_is_wrong_is_never_said_in_the_words_of_a_library() -> None:
    problems = problems_of(EVERY_KIND_AT_ONCE) + problems_of('{"Services": [{"Policies": [{}], "Metrics": {"a": 5}}]}')
    jargon = ("input should", "pydantic", "dictionary", "tuple", "instance", "discriminator", "unable to", "pattern")
    assert not [problem for problem in problems for word in jargon if word in problem.allowed.lower()]
