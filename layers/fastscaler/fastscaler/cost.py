"""What a policy document costs to run for a month: AWS's list prices times the calls that the loop makes. Pure.

Prices are those of us-east-1 in USD, without free tiers; a month has 30 days. Sources: the pricing pages of Amazon
CloudWatch, AWS Lambda and Amazon DynamoDB (on-demand). GetMetricData is billed per metric that is requested: up to five
statistics of one metric in one call count once, and an expression counts as the metrics that it is made of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from fastscaler.gather import COUNTER_KEY, COUNTERS
from fastscaler.reads import REPEATED_LOOKS, ReadCount, Reads, count_reads
from fastscaler.scaling.policy import Document, Service

HOURS, SECONDS, DAYS = 720, 2_592_000, 30  # In a month.
HAND_OVERS = SECONDS // 60  # EventBridge's rate(1 minute): each invocation takes over from the one before.

PER_METRIC_READ = 0.01 / 1_000
PER_CUSTOM_METRIC = 0.30  # A month; metrics are billed only for the hours in which they are published.
PER_ALARM, PER_DASHBOARD = 0.10, 3.00  # A month; of each account three dashboards are free.
PER_GB_SECOND, PER_INVOCATION = 0.0000166667, 0.20 / 1_000_000  # x86_64; a GB-second of arm64 is 0.0000133334.
PER_READ_UNIT, PER_WRITE_UNIT = 0.125 / 1_000_000, 0.625 / 1_000_000
PER_LOG_BYTE = 0.50 / 1_000_000_000

MEMORY_GB = 0.25  # MemorySize of the template.
OVERLAP = 2.5  # Seconds, on average, until an invocation that was taken over from looks again and ends.
# Metrics that are published about the loop, and about each service: one of them only in hours with a scale-out.
LOOP_METRICS, SERVICE_METRICS, SCALE_OUT_METRICS = 10, 7, 1
ALARMS = 11  # Of the template.
# Bytes of log at INFO in an hour, metrics included: of the loop, and of each service.
LOOP_LOG, SERVICE_LOG = 79_000, 37_000
# Writes of memory for one service in a day: two for each of 20 activities, and one for each 30 s of two hours in which
# it waits to scale in. Each is a transaction of two items, and transactions are billed twice.
WRITES_A_DAY, UNITS_PER_WRITE = 2 * 20 + 2 * 3600 // 30, 4
MEMORIES_PER_READ_UNIT = 4  # A read unit is 4 KB, and the memory of a service is below 1 KB.


@dataclass(frozen=True, slots=True)
class Range:
    """A figure where no service is ever busy, and where all of them always are."""

    calm: float
    busy: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.calm + other.calm, self.busy + other.busy)

    def __mul__(self, factor: float) -> "Range":
        return Range(self.calm * factor, self.busy * factor)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the bill, in USD a month. Where metrics are read: how often, and how many reads that bills."""

    name: str
    usd: Range
    reads_per_hour: Range | None = None
    billed_per_month: Range | None = None


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """What one service (`cluster/service`) adds to the bill."""

    service: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """The bill of a month in USD: what each service adds, what all of them share, and the total."""

    services: tuple[ServiceCost, ...]
    shared: tuple[Item, ...]
    total: Range


def document_cost(document: Document) -> Cost:
    """What it costs to run `document`, besides what the tasks pay for publishing."""
    reads = count_reads(document.services)
    services = tuple(ServiceCost(service.key, tuple(_of_service(service, reads))) for service in document.services)
    looks = Range(reads.looks_per_hour, reads.looks_per_hour + REPEATED_LOOKS)
    shared = tuple(_shared(len(services), looks))
    total = Range(0.0, 0.0)
    for item in (*(item for service in services for item in service.items), *shared):
        total += item.usd
    return Cost(services, shared, total)


def _of_service(service: Service, reads: Reads) -> Iterator[Item]:
    for key in service.used_metrics:
        count = reads.counts[service.key, key]
        yield _read(key if count.metrics == 1 else f"{key}, {count.metrics} metrics", [count])
    if service.load_balancer is not None:
        counters = [reads.counts[service.key, COUNTER_KEY + counter] for counter in COUNTERS]
        yield _read(f"load balancer, {len(counters)} counters", counters)
    published = Range(SERVICE_METRICS, SERVICE_METRICS + SCALE_OUT_METRICS)
    yield Item("FastScaler's own metrics", published * PER_CUSTOM_METRIC)


def _read(name: str, counts: Sequence[ReadCount]) -> Item:
    """An item of metrics that are read together."""
    per_hour = Range(counts[0].per_hour, counts[0].per_hour + counts[0].repeated_per_hour)
    billed = per_hour * (HOURS * sum(count.metrics for count in counts))
    return Item(name, billed * PER_METRIC_READ, per_hour, billed)


def _shared(services: int, looks_per_hour: Range) -> Iterator[Item]:
    yield Item("Lambda, 256 MB, x86_64", _always(SECONDS * MEMORY_GB * PER_GB_SECOND))
    hand_over = OVERLAP * MEMORY_GB * PER_GB_SECOND + PER_INVOCATION
    yield Item("Lambda, overlap at hand-overs", _always(HAND_OVERS * hand_over))
    # A take-over reads the memory of all services, and whether the document is kept.
    taken_over = HAND_OVERS * (ceil(services / MEMORIES_PER_READ_UNIT) + 1)
    yield Item("DynamoDB, reads", (looks_per_hour * HOURS + _always(taken_over)) * PER_READ_UNIT)
    memory = Range(0, services * DAYS * WRITES_A_DAY * UNITS_PER_WRITE)
    yield Item("DynamoDB, writes", (memory + _always(HAND_OVERS)) * PER_WRITE_UNIT)
    yield Item("FastScaler's own metrics", _always(LOOP_METRICS * PER_CUSTOM_METRIC))
    yield Item("alarms", _always(ALARMS * PER_ALARM))
    yield Item("dashboard", _always(PER_DASHBOARD))
    yield Item("logs", _always((LOOP_LOG + services * SERVICE_LOG) * HOURS * PER_LOG_BYTE))


def _always(figure: float) -> Range:
    return Range(figure, figure)
