"""What policies read: one CloudWatch metric each, or metric math over several of them."""

from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, Field

from fastscaler.scaling import metric_math
from fastscaler.scaling.model import Model, matching

# CloudWatch, MetricStat: "the period can be 1, 5, 10, 20, 30, 60, or any multiple of 60". Nothing above 300 s is of use
# to a loop that looks every 5 s.
PERIODS = (1, 5, 10, 20, 30, 60, 120, 180, 240, 300)

OWN_DELAY = 5.0  # Seconds in which a datapoint that is published at the end of its period appears (a bucket of slack).
# AWS's own services aggregate first. AWS gives no figure; ALB and SQS counters are usually there within a minute.
AWS_DELAY = 60.0


def _readable_period(seconds: int) -> int:
    if seconds not in PERIODS:
        raise ValueError(f"not one of {PERIODS}")
    return seconds


# CloudWatch, Dimension: names of 1 to 255 characters, values of 1 to 1024.
DimensionName = Annotated[str, Field(min_length=1, max_length=255)]
DimensionValue = Annotated[str, Field(min_length=1, max_length=1024)]


class MetricBase(Model):
    """What every metric has."""

    period: Annotated[
        int,
        Field(
            strict=True,
            ge=1,
            le=300,
            description="Seconds in one datapoint: 1, 5, 10, 20, 30 or a multiple of 60. Below 60 needs a "
            "high-resolution metric; AWS/ECS has 20, AWS/SQS and AWS/ApplicationELB have 60.",
            json_schema_extra={"enum": list(PERIODS)},
        ),
        AfterValidator(_readable_period),
    ] = 5
    divide_by_tasks: Annotated[
        bool,
        Field(
            strict=True,
            description="The value is the load of the whole service, such as the messages in a queue: policies meet it "
            "divided by the tasks. Without it, and without PerTask, they meet the value as it is.",
        ),
    ] = False
    read_every: Annotated[
        int | None,
        Field(
            strict=True,
            ge=5,
            le=300,
            description="Seconds between two reads; each is billed. At least Period. Default: Period, but not below 5.",
        ),
    ] = None

    @property
    def read_interval(self) -> int:
        """Seconds between two reads: a datapoint changes once per period, and the loop looks every 5 s at most."""
        return self.read_every or max(self.period, 5)

    @property
    def is_shared_load(self) -> bool:
        """Whether the tasks share the load that is measured, so that it can be projected onto another count."""
        return self.divide_by_tasks


class Metric(MetricBase):
    """One CloudWatch metric that policies refer to by its key in `Metrics`."""

    namespace: Annotated[
        str,
        matching(
            r"^[A-Za-z0-9._/# -][A-Za-z0-9._/#: -]*$",
            "1 to 255 letters, digits, spaces or . - _ / # : with no colon in front",
            "CloudWatch namespace, such as FastScaling/Application. AWS's own can be read too, such as AWS/ECS.",
            max_length=255,
        ),
    ]
    metric_name: Annotated[str, Field(min_length=1, max_length=255, description="CloudWatch name of the metric.")]
    statistic: Annotated[
        str,
        matching(
            r"^(Average|Sum|Minimum|Maximum|p(\d{1,2}(\.\d{1,2})?|100))$",
            "Average, Sum, Minimum, Maximum or a percentile from p0 to p100 such as p99.9",
            "Average, Sum, Minimum, Maximum or a percentile such as p90. Average where PerTask is true.",
        ),
    ] = "Average"
    per_task: Annotated[
        bool,
        Field(
            strict=True,
            description="Every task publishes exactly one sample per period, so that SampleCount counts the tasks that "
            "reported and Sum is the load of the whole service.",
        ),
    ] = False
    dimensions: Annotated[
        dict[DimensionName, DimensionValue],
        Field(min_length=1, max_length=30, description="Exactly the dimensions that the metric was published with."),
    ]

    @property
    def is_shared_load(self) -> bool:
        """Whether the tasks share the load that is measured, so that it can be projected onto another count."""
        return self.per_task or self.divide_by_tasks

    @property
    def is_of_aws(self) -> bool:
        """Whether an AWS service publishes this metric."""
        return self.namespace.startswith("AWS/")

    @property
    def visible_after(self) -> float:
        """Seconds after the end of a period in which its datapoint is usually there."""
        return AWS_DELAY if self.is_of_aws else OWN_DELAY

    @property
    def settles_after(self) -> float:
        """Seconds after the end of a period in which its datapoint still changes.

        A Sum of AWS's own grows while its nodes report (design, section 4: the newest minute is always incomplete); an
        Average of part of them is an average all the same.
        """
        return AWS_DELAY if self.is_of_aws and self.statistic == "Sum" else OWN_DELAY


class MetricExpression(MetricBase):
    """Metric math over other metrics of the service: one value computed by CloudWatch."""

    expression: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="CloudWatch metric math over keys of Metrics, such as Visible + InFlight. "
            "Each of them is billed.",
        ),
    ]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The keys of Metrics in the expression, each once, in their order."""
        return metric_math.names(self.expression)

    @property
    def per_task(self) -> bool:
        """An expression has no sample per task."""
        return False
