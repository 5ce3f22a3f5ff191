"""The policy document as typed, range-checked, immutable models.

Keys are CloudFormation's where CloudFormation has one (`MinCapacity`, `StepScalingPolicyConfiguration`) and Kubernetes'
for `Behavior`. Rules that span several keys (bounds of a step table, references between keys) are in
the package `fastscaler.document`. The descriptions are the one place where a key is explained: they make
`policies.schema.json`, which editors show and from which `fastscaler validate` says what is allowed.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from fastscaler.scaling.metric import Metric, MetricExpression
from fastscaler.scaling.model import Finite, Model, Positive, ecs_name, matching

Direction = Literal["ScaleOut", "ScaleIn"]
Mode = Literal["active", "observe"]


Tasks = Annotated[int, Field(ge=0, le=5000, strict=True)]  # 5,000 tasks per service is the ECS quota.
Seconds = Annotated[int, Field(ge=0, le=3600, strict=True)]


def _metric_kind(block: Any) -> str:
    """Which of the two kinds a block of `Metrics` is."""
    is_expression = "Expression" in block if isinstance(block, dict) else isinstance(block, MetricExpression)
    return "MetricExpression" if is_expression else "Metric"


AnyMetric = Annotated[
    Annotated[Metric, Tag("Metric")] | Annotated[MetricExpression, Tag("MetricExpression")],
    Discriminator(_metric_kind),
]


class LoadBalancer(Model):
    """The Application Load Balancer in front: a second opinion, and the load signal when metrics fail."""

    load_balancer: Annotated[
        str,
        matching(
            r"^app/[A-Za-z0-9-]{1,32}/[0-9a-f]+$",
            "the end of an Application Load Balancer's ARN, such as app/my-alb/50dc6c495c0c9188",
            "The load balancer as CloudWatch names it: the end of its ARN, app/NAME/ID.",
        ),
    ]
    target_group: Annotated[
        str,
        matching(
            r"^targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]+$",
            "the end of the target group's ARN, such as targetgroup/my-targets/73e2d6bc24d8a067",
            "The service's target group as CloudWatch names it: the end of its ARN, targetgroup/NAME/ID.",
        ),
    ]
    request_metric: Annotated[
        str | None,
        Field(
            description="Key of the per-task metric in requests per second that RequestCount stands in for. "
            "Default: the per-task metric whose MetricName is RequestsPerSecond."
        ),
    ] = None


class StepAdjustment(Model):
    """One row of a step table; bounds are relative to the threshold, an absent bound is infinite."""

    metric_interval_lower_bound: Annotated[
        Finite | None,
        Field(description="Where the step begins, in the metric's unit above the threshold. Absent: minus infinity."),
    ] = None
    metric_interval_upper_bound: Annotated[
        Finite | None,
        Field(description="Where the step ends, in the metric's unit above the threshold. Absent: infinity."),
    ] = None
    scaling_adjustment: Annotated[
        int,
        Field(
            strict=True,
            ge=-5000,
            le=5000,
            description="Tasks or percent to add (below zero: to remove), or with ExactCapacity the tasks to have.",
        ),
    ]


class StepScalingPolicyConfiguration(Model):
    """CloudFormation's block of this name, key for key."""

    adjustment_type: Annotated[
        Literal["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"],
        Field(description="What ScalingAdjustment means: tasks to add, percent to add, or tasks to have."),
    ]
    step_adjustments: Annotated[
        tuple[StepAdjustment, ...],
        Field(
            min_length=1,
            max_length=20,
            description="The step table: no gap and no overlap between steps. A table that reaches above the threshold "
            "is open at its upper end, one that reaches below it at its lower end.",
        ),
    ]
    min_adjustment_magnitude: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=5000)] | None,
        Field(description="Tasks that a step changes at least; with PercentChangeInCapacity only."),
    ] = None
    cooldown: Annotated[
        Seconds, Field(description="Seconds; within it only a larger step of this policy acts, by the difference.")
    ] = 0
    metric_aggregation_type: Annotated[
        Literal["Average", "Minimum", "Maximum"],
        Field(description="Accepted so that a pasted block works; one datapoint is evaluated, so it changes nothing."),
    ] = "Average"


PolicyName = Annotated[
    str,
    Field(min_length=1, max_length=256, description="What decisions and logs call this policy; once per service."),
]
MetricKey = Annotated[str, Field(min_length=1, description="The metric that is evaluated: a key of Metrics.")]


class StepScalingPolicy(Model):
    """A step table over one metric, with the threshold of the alarm that Application Auto Scaling would need."""

    name: PolicyName
    policy_type: Annotated[Literal["StepScaling"], Field(description="A step table over one metric.")]
    metric: MetricKey
    threshold: Annotated[
        Finite, Field(description="The value that the steps' bounds count from, in the metric's unit.")
    ]
    comparison_operator: Annotated[
        Literal[
            "GreaterThanThreshold",
            "GreaterThanOrEqualToThreshold",
            "LessThanThreshold",
            "LessThanOrEqualToThreshold",
        ]
        | None,
        Field(description="The alarm's: no step acts unless it holds. Without it the bounds alone decide."),
    ] = None
    step_scaling_policy_configuration: StepScalingPolicyConfiguration


class TargetTrackingPolicy(Model):
    """Keeps the load per task at `TargetValue`."""

    name: PolicyName
    policy_type: Annotated[Literal["TargetTracking"], Field(description="As many tasks as keep the load at a target.")]
    metric: MetricKey
    target_value: Annotated[Positive, Field(description="The load that one task should have, in the metric's unit.")]
    scale_out_tolerance: Annotated[
        float,
        Field(
            strict=True,
            ge=0,
            lt=1,
            description="Share above TargetValue that is still left alone (Kubernetes' HPA: 0.1).",
        ),
    ] = 0.1
    scale_in_tolerance: Annotated[
        float,
        Field(strict=True, ge=0, lt=1, description="Share below TargetValue that is still left alone (AWS: 0.1)."),
    ] = 0.15
    disable_scale_in: Annotated[
        bool, Field(strict=True, description="This policy only ever adds tasks; others may still remove them.")
    ] = False
    task_capacity: Annotated[
        Positive | None,
        Field(description="What one task can serve, in the metric's unit. Without it there is no saturation boost."),
    ] = None
    saturation_threshold: Annotated[
        float,
        Field(
            strict=True,
            gt=0,
            le=1,
            description="Share of TaskCapacity above which the load shown is taken to be cut off.",
        ),
    ] = 0.95
    saturation_factor: Annotated[
        float,
        Field(
            strict=True, ge=1, le=10, description="While saturated, size for this many times the load that is shown."
        ),
    ] = 2.0


Policy = Annotated[StepScalingPolicy | TargetTrackingPolicy, Field(discriminator="policy_type")]


class RatePolicy(Model):
    """How much one direction may change within a period; Kubernetes' HPAScalingPolicy, with Tasks for Pods."""

    type: Annotated[Literal["Tasks", "Percent"], Field(description="The unit of Value.")]
    value: Annotated[
        int,
        Field(strict=True, ge=1, le=5000, description="Tasks or percent that may come or go within the period."),
    ]
    period_seconds: Annotated[int, Field(strict=True, ge=1, le=1800, description="Length of the period, in seconds.")]


SelectPolicy = Annotated[
    Literal["Max", "Min", "Disabled"],
    Field(description="Of several rate policies the one that allows most or least change; Disabled: never this way."),
]


class ScaleOutBehavior(Model):
    """How fast the service may grow."""

    stabilization_window_seconds: Annotated[
        Seconds, Field(description="The lowest recommendation of this many seconds counts.")
    ] = 0
    cooldown: Annotated[Seconds, Field(description="Seconds in which only a larger step acts, by the difference.")] = 10
    policies: Annotated[
        tuple[RatePolicy, ...], Field(max_length=10, description="Rate policies; an empty list means no rate limit.")
    ] = ()
    select_policy: SelectPolicy = "Max"


class ScaleInBehavior(Model):
    """How slowly the service may shrink."""

    stabilization_window_seconds: Annotated[
        Seconds, Field(description="The highest recommendation of this many seconds counts.")
    ] = 300
    cooldown: Annotated[Seconds, Field(description="Seconds between two scale-ins.")] = 30
    policies: Annotated[
        tuple[RatePolicy, ...], Field(max_length=10, description="Rate policies; an empty list means no rate limit.")
    ] = (RatePolicy.model_validate({"Type": "Percent", "Value": 50, "PeriodSeconds": 60}),)
    select_policy: SelectPolicy = "Max"


class Behavior(Model):
    """Limits of the service as a whole, per direction."""

    scale_out: ScaleOutBehavior = ScaleOutBehavior()
    scale_in: ScaleInBehavior = ScaleInBehavior()


class Service(Model):
    """One ECS service and everything that decides its desired count."""

    cluster: Annotated[str, ecs_name("Name of the ECS cluster.")]
    service: Annotated[str, ecs_name("Name of the ECS service.")]
    mode: Annotated[
        Mode | None, Field(description="observe: decide and report, call nothing. Default: the document's Mode.")
    ] = None
    min_capacity: Annotated[
        Tasks, Field(ge=1, description="Fewest tasks; a count below it is lifted to it at once. At most MaxCapacity.")
    ]
    max_capacity: Annotated[Tasks, Field(ge=1, description="Most tasks that the service is ever given.")]
    metrics: Annotated[
        dict[str, AnyMetric],
        Field(min_length=1, max_length=20, description="The metrics to read, under names that policies refer to."),
    ]
    load_balancer: LoadBalancer | None = None
    policies: Annotated[
        tuple[Policy, ...],
        Field(min_length=1, max_length=20, description="The largest scale-out of all policies wins."),
    ]
    behavior: Behavior = Behavior()
    stale_after: Annotated[
        int,
        Field(
            strict=True,
            ge=10,
            le=900,
            description="Seconds after which the newest datapoint is no data; for a slow metric at least Period, "
            "ReadEvery and the time that its datapoints take to appear.",
        ),
    ] = 30
    task_start_timeout: Annotated[
        int, Field(strict=True, ge=10, le=1800, description="Seconds that a task asked for counts as capacity.")
    ] = 120
    fallback_capacity: Annotated[
        Annotated[Tasks, Field(ge=1)] | None,
        Field(
            description="Tasks to have at least while neither metrics nor load balancer tell the load. "
            "From MinCapacity to MaxCapacity. Absent: the count is held."
        ),
    ] = None
    fallback_behavior: Annotated[
        Literal["currentReplicasIfHigher", "static"],
        Field(
            description="With FallbackCapacity. currentReplicasIfHigher: more tasks are kept. static: more tasks are "
            "taken away, by the rules of ScaleIn, though nothing tells the load."
        ),
    ] = "currentReplicasIfHigher"
    on_conflict: Annotated[
        Literal["ScaleOutOnly", "Yield", "Ignore"],
        Field(
            description="While an Application Auto Scaling target acts on the same service. ScaleOutOnly: nothing is "
            "taken away. Yield: nothing is changed, below MinCapacity either. Ignore: it is not asked for."
        ),
    ] = "ScaleOutOnly"

    @property
    def key(self) -> str:
        """`cluster/service`: the name of this service in logs, the table and directives."""
        return f"{self.cluster}/{self.service}"

    @cached_property
    def used_metrics(self) -> dict[str, Metric | MetricExpression]:
        """The metrics that a policy refers to. Others are not read, since every read is billed."""
        used = {policy.metric for policy in self.policies}
        return {key: metric for key, metric in self.metrics.items() if key in used}

    def components(self, metric: Metric | MetricExpression) -> dict[str, Metric]:
        """The metrics that an expression is made of, by key; of any other metric none."""
        if isinstance(metric, Metric):
            return {}
        found = ((key, self.metrics[key]) for key in metric.names)
        return {key: component for key, component in found if isinstance(component, Metric)}

    @cached_property
    def patience(self) -> dict[str, float]:
        """Seconds after which the newest datapoint of each metric is no data.

        `StaleAfter`, except that a datapoint is not stale before the next one can have been read.
        """
        return {
            key: max(self.stale_after, metric.period + metric.read_interval + self._visible_after(metric))
            for key, metric in self.metrics.items()
        }

    @cached_property
    def settling(self) -> dict[str, float]:
        """Seconds after the end of a period in which the datapoints of each metric still change."""
        return {
            key: max((source.settles_after for source in self._sources(metric)), default=0.0)
            for key, metric in self.metrics.items()
        }

    def _visible_after(self, metric: Metric | MetricExpression) -> float:
        return max((source.visible_after for source in self._sources(metric)), default=0.0)

    def _sources(self, metric: Metric | MetricExpression) -> Iterable[Metric]:
        return [metric] if isinstance(metric, Metric) else self.components(metric).values()

    @cached_property
    def request_metric(self) -> str | None:
        """Key of the metric that the load balancer's RequestCount can stand in for; None where there is none."""
        if self.load_balancer is None:
            return None
        per_task = (
            key
            for key, metric in self.metrics.items()
            if isinstance(metric, Metric) and metric.metric_name == "RequestsPerSecond" and metric.per_task
        )
        return self.load_balancer.request_metric or next(per_task, None)


class Document(Model):
    """The whole policy document."""

    model_config = ConfigDict(title="FastScaler policy document")

    mode: Annotated[Mode, Field(description="observe: decide and report for every service, call nothing.")] = "active"
    services: Annotated[
        tuple[Service, ...],
        Field(min_length=1, max_length=1000, description="The services; one block per Cluster and Service."),
    ]

    def service(self, key: str) -> Service | None:
        """The service named `cluster/service`, or None."""
        return next((service for service in self.services if service.key == key), None)

    def observes(self, service: Service) -> bool:
        """Whether nothing may be called for this service."""
        return (service.mode or self.mode) == "observe"
