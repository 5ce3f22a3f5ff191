"""The sample policy documents: every one is valid, and decides in its situation as it says."""

import json
import re
from itertools import pairwise

import pytest
from cfnlint.api import lint
from samtranslator.yaml_helper import yaml_parse

from fastscaler.aws.dynamodb import Head
from fastscaler.directives import Prewarm, carry_out, parse_directive
from fastscaler.document.parse import parse_document
from fastscaler.scaling.observation import Floor, Pause
from tests.unit.examples.fleet import EXAMPLES, START, Fleet, document
from tests.unit.examples.template import transformed

STOREFRONT = ("storefront/policies.yaml", "fast-scaling-cluster/fast-scaling-service")
TICKETS = "policies/ticket-shop.yaml"
SALE = EXAMPLES / "policies" / "ticket-shop-sale.yaml"
WORKER = ("policies/sqs-worker.yaml", "orders/order-worker")
INFERENCE = ("policies/inference.yaml", "models/inference")
HPA = ("policies/hpa-behavior.yaml", "apps/web")

DOCUMENTS = sorted(
    str(path.relative_to(EXAMPLES))
    for path in [*EXAMPLES.glob("policies/*.yaml"), *EXAMPLES.glob("*/policies.yaml")]
    if path != SALE
)
CALM = {"RequestsPerSecond": 80.0, "ActiveConnections": 8.0, "ResponseTime": 0.05}


def changes(counts: list[int], before: int) -> list[tuple[int, int]]:
    """(second, desired count) of every change in counts that were taken each 5 s."""
    return [(5 * at, now) for at, (then, now) in enumerate(pairwise([before, *counts])) if now != then]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_sample_is_a_valid_document(path: str) -> None:
    for service in document(path).services:
        assert service.used_metrics


def test_the_samples_have_the_capacities_of_their_situations() -> None:
    found = {
        service.service: (service.min_capacity, service.max_capacity)
        for path in DOCUMENTS
        for service in document(path).services
    }
    assert found == {
        "fast-scaling-service": (2, 20),
        "events": (2, 20),
        "waiting-room": (10, 100),
        "reservations": (20, 200),
        "order-worker": (1, 50),
        "inference": (2, 10),
        "web": (1, 100),
    }


class TestStorefront:
    def test_a_surge_is_answered_in_one_action(self) -> None:
        fleet = Fleet(*STOREFRONT, tasks=2)
        fleet.hold_starts = True
        assert fleet.look(**CALM).desired == 2
        surge = fleet.look(**CALM | {"RequestsPerSecond": 600})
        # Tasks that can serve 140 show 300, so the load may be larger still: sized for twice what is seen.
        assert (surge.desired, surge.cause) == (12, "requests-per-task")
        assert set(fleet.watch(30, **CALM | {"RequestsPerSecond": 600})) == {12}

    @pytest.mark.parametrize(
        ("per_task", "desired", "cause"),
        [(95, 4, "steady"), (105, 5, "requests-steps"), (130, 6, "requests-per-task")],
    )
    def test_of_target_and_step_table_the_larger_wins(self, per_task: int, desired: int, cause: str) -> None:
        found = Fleet(*STOREFRONT, tasks=4).look(**CALM | {"RequestsPerSecond": 4 * per_task})
        assert (found.desired, found.cause) == (desired, cause)

    @pytest.mark.parametrize(("open_per_task", "added"), [(40, 0), (80, 1), (120, 2), (200, 4)])
    def test_expensive_requests_show_as_open_ones(self, open_per_task: int, added: int) -> None:
        # 20 requests/s per task is nothing to the policies on requests.
        fleet = Fleet(*STOREFRONT, tasks=4)
        found = fleet.look(**CALM | {"ActiveConnections": 4 * open_per_task})
        assert found.desired == 4 + added
        assert not added or found.cause == "connections-steps"

    @pytest.mark.parametrize(("seconds", "added"), [(0.4, 0), (0.8, 1), (1.5, 2), (3.0, 4)])
    def test_slow_answers_add_tasks_whatever_the_reason(self, seconds: float, added: int) -> None:
        fleet = Fleet(*STOREFRONT, tasks=4)
        found = fleet.look(**CALM | {"ResponseTime": seconds})
        assert found.desired == 4 + added
        assert not added or found.cause == "response-time-steps"

    def test_after_the_surge_it_shrinks_slowly_and_stops_short_of_the_threshold(self) -> None:
        fleet = Fleet(*STOREFRONT, tasks=20)
        quiet = CALM | {"RequestsPerSecond": 200.0}
        found = changes(fleet.watch(900, **quiet), 20)
        assert found[0][0] >= 300
        assert [count for _, count in found] == [10, 5, 3]  # Two would carry 100 each, the threshold itself.

    def test_cpu_is_switched_on_by_removing_the_comment_signs(self) -> None:
        text = (EXAMPLES / STOREFRONT[0]).read_text()
        assert "Cpu" not in parse_document(text, STOREFRONT[0]).services[0].used_metrics
        switched_on = re.sub(r"^( *)#(?=\S)", r"\1", text, flags=re.MULTILINE)
        assert "Cpu" in parse_document(switched_on, STOREFRONT[0]).services[0].used_metrics


class TestTicketShop:
    def test_events_follow_cpu(self) -> None:
        fleet = Fleet(TICKETS, "tickets/events", tasks=4)
        assert fleet.look(Cpu=72).desired == 4  # Within the tolerance.
        assert fleet.look(Cpu=100).desired == 6

    def test_a_line_that_forms_fills_the_waiting_room_at_once_and_once(self) -> None:
        fleet = Fleet(TICKETS, "tickets/waiting-room", tasks=10)
        fleet.hold_starts = True
        assert fleet.look(QueueLength=2_000, Connections=2_000).desired == 10
        assert fleet.look(QueueLength=30_000, Connections=2_000).desired == 60
        assert set(fleet.watch(30, QueueLength=30_000, Connections=2_000)) == {60}

    def test_the_waiting_room_grows_with_connections_alone_too(self) -> None:
        fleet = Fleet(TICKETS, "tickets/waiting-room", tasks=10)
        found = fleet.look(QueueLength=100, Connections=5_200)
        assert (found.desired, found.cause) == (13, "connections")

    @pytest.mark.parametrize(
        ("cpu", "requests", "desired", "cause"), [(100, 600, 25, "cpu"), (85, 1_300, 26, "requests")]
    )
    def test_the_hotter_metric_decides_for_reservations(
        self, cpu: int, requests: int, desired: int, cause: str
    ) -> None:
        fleet = Fleet(TICKETS, "tickets/reservations", tasks=20)
        found = fleet.look(Cpu=cpu, RequestsPerSecond=requests)
        assert (found.desired, found.cause) == (desired, cause)

    def test_reservations_wait_ten_minutes_for_the_next_wave(self) -> None:
        fleet = Fleet(TICKETS, "tickets/reservations", tasks=80)
        found = changes(fleet.watch(900, Cpu=10, RequestsPerSecond=400), 80)
        assert found[0][0] >= 600
        assert found[0][1] == 40


class Stored:
    """A directive store that keeps what it is given."""

    def __init__(self) -> None:
        self.directives: list[Floor | Pause] = []

    def put_directive(self, directive: Floor | Pause, at: float, request_id: str) -> bool:
        self.directives.append(directive)
        return True

    def poll(self) -> Head:
        return Head(1, tuple(self.directives))


def floors_of_the_sale() -> list[Floor]:
    """What the loop finds when the schedules have fired at START."""
    store = Stored()
    for block in yaml_parse(SALE.read_text()).values():
        sent = block["Properties"]["Input"].replace("<aws.scheduler.scheduled-time>", "2027-01-15T08:00:00Z")
        request = parse_directive(json.loads(sent))
        assert isinstance(request, Prewarm)
        carry_out(request, document(TICKETS), store, START, request_id="1")
    return [directive for directive in store.directives if isinstance(directive, Floor)]


class TestSale:
    def test_the_blocks_fit_into_the_template(self) -> None:
        blocks = yaml_parse(SALE.read_text())
        template = transformed("template.yaml", events={"ScalerFunction": blocks})
        assert lint(json.dumps(template), config={"include_checks": ["I"]}) == []
        schedules = [template["Resources"][f"ScalerFunction{name}"]["Properties"] for name in blocks]
        assert {schedule["ScheduleExpression"] for schedule in schedules} == {"at(2027-11-26T09:45:00)"}
        assert {schedule["State"] for schedule in schedules} == {"ENABLED"}
        assert {json.dumps(schedule["Target"]["Arn"]) for schedule in schedules} == {
            json.dumps({"Fn::GetAtt": ["ScalerFunction", "Arn"]})
        }

    def test_it_is_the_waiting_room_and_the_reservations_that_are_prewarmed_for_75_minutes(self) -> None:
        assert {(floor.service, floor.min_capacity) for floor in floors_of_the_sale()} == {
            ("tickets/waiting-room", 60),
            ("tickets/reservations", 120),
        }
        assert {floor.expires_at - START for floor in floors_of_the_sale()} == {75 * 60}

    def test_the_tasks_are_there_before_anybody_asks(self) -> None:
        fleet = Fleet(TICKETS, "tickets/reservations", tasks=20)
        fleet.floors = tuple(floor for floor in floors_of_the_sale() if floor.service == "tickets/reservations")
        found = fleet.look(Cpu=5, RequestsPerSecond=10)
        assert (found.desired, found.cause) == (120, "pre-warm floor")
        assert "sale opens at 10:00" in found.reason
        assert set(fleet.watch(600, Cpu=5, RequestsPerSecond=10)) == {120}

    def test_afterwards_they_go_by_the_rules_and_not_in_one_drop(self) -> None:
        fleet = Fleet(TICKETS, "tickets/reservations", tasks=120)
        (fleet.floors,) = [(floor,) for floor in floors_of_the_sale() if floor.service == "tickets/reservations"]
        counts = fleet.watch(75 * 60 + 300, Cpu=5, RequestsPerSecond=10)
        found = changes(counts, 120)
        assert [count for _, count in found] == [60, 30, 20]
        assert found[0][0] >= 75 * 60
        assert all(later - earlier >= 60 for (earlier, _), (later, _) in pairwise(found))


class TestWorker:
    def test_a_backlog_is_shared_by_the_tasks_that_are_asked_for(self) -> None:
        fleet = Fleet(*WORKER, tasks=1)
        fleet.hold_starts = True
        assert fleet.look(Backlog=2_000).desired == 20
        assert set(fleet.watch(60, Backlog=2_000)) == {20}  # Not 20 more at every look while they start.

    def test_messages_being_worked_on_keep_their_workers(self) -> None:
        # The queue is empty, and each of ten workers has its hundred messages.
        worker = document(WORKER[0]).services[0]
        assert set(worker.components(worker.metrics["Backlog"])) == {"Waiting", "Taken"}
        assert set(Fleet(*WORKER, tasks=10).watch(900, Backlog=1_000)) == {10}

    def test_an_empty_queue_leaves_one_worker(self) -> None:
        fleet = Fleet(*WORKER, tasks=10)
        counts = fleet.watch(900, Backlog=0)
        assert counts[:59] == [10] * 59
        assert counts[-1] == 1

    def test_no_answer_of_the_queue_stops_nobody(self) -> None:
        fleet = Fleet(*WORKER, tasks=10)
        assert set(fleet.watch(900)) == {10}


class TestInference:
    def test_it_grows_by_cpu(self) -> None:
        assert Fleet(*INFERENCE, tasks=4).look(Cpu=95, ResponseTime=2).desired == 6

    @pytest.mark.parametrize(("seconds", "added"), [(4.9, 0), (6, 1), (12, 2)])
    def test_answers_over_five_seconds_add_tasks(self, seconds: float, added: int) -> None:
        assert Fleet(*INFERENCE, tasks=4).look(Cpu=60, ResponseTime=seconds).desired == 4 + added

    def test_the_next_step_waits_for_a_minute(self) -> None:
        counts = Fleet(*INFERENCE, tasks=2).watch(120, Cpu=60, ResponseTime=7)
        assert changes(counts, 2) == [(0, 3), (60, 4)]

    def test_a_task_that_loads_its_model_for_four_minutes_is_not_asked_for_twice(self) -> None:
        fleet = Fleet(*INFERENCE, tasks=2)
        fleet.hold_starts = True
        assert set(fleet.watch(240, Cpu=85, ResponseTime=7)) == {3}

    def test_two_minutes_lie_between_two_scale_ins(self) -> None:
        found = changes(Fleet(*INFERENCE, tasks=10).watch(1200, Cpu=10, ResponseTime=1), 10)
        assert found[0][0] >= 300
        assert [count for _, count in found] == [5, 2]
        assert found[1][0] - found[0][0] >= 120


class TestHpa:
    @pytest.mark.parametrize(("tasks", "expected"), [(1, [5, 10, 20, 40]), (10, [20, 40, 80, 90])])
    def test_up_by_100_percent_or_4_every_15_seconds_whichever_is_more(self, tasks: int, expected: list[int]) -> None:
        counts = Fleet(*HPA, tasks=tasks).watch(60, RequestsPerSecond=9_000)
        assert changes(counts, tasks) == list(zip([0, 15, 30, 45], expected, strict=True))

    def test_down_by_half_a_minute_after_five_minutes(self) -> None:
        found = changes(Fleet(*HPA, tasks=80).watch(600, RequestsPerSecond=500), 80)
        assert [count for _, count in found] == [40, 20, 10, 6]
        assert 300 <= found[0][0] <= 330  # The window is kept in slots of 30 s, and counts whole ones.
        assert [later - earlier for (earlier, _), (later, _) in pairwise(found)] == [60, 60, 60]

    def test_a_dip_within_the_window_takes_nothing_away(self) -> None:
        fleet = Fleet(*HPA, tasks=80)
        for _ in range(5):
            assert set(fleet.watch(240, RequestsPerSecond=500)) == {80}
            assert set(fleet.watch(10, RequestsPerSecond=8_000)) == {80}
