"""The decision: what is done, why, and what stands in the way."""

from typing import Any

import pytest

from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Activity, Memory
from fastscaler.scaling.observation import (
    Datapoint,
    Floor,
    LoadBalancerReading,
    MetricReading,
    NoData,
    Observation,
    ServiceState,
)
from fastscaler.scaling.policy import Direction, Service
from tests.unit.scaling.build import (
    BALANCER,
    START,
    Row,
    carried_out,
    floor,
    observe,
    service,
    stepping,
    tracking,
    watched,
)

NOW = START + 1.5
TRACKING = service(tracking())
WITH_BALANCER = service(tracking(), LoadBalancer=BALANCER)
DEFAULTS = service(tracking(TaskCapacity=140), stepping(Cooldown=10))
QUIET = LoadBalancerReading(1, 1, START - 60)


def decided(scaled: Service, desired: int, memory: Memory | None = None, now: float = NOW, **seen: Any) -> Decision:
    """The decision of a scaler that has known `desired` for long, or has `memory`."""
    return decide(scaled, observe(scaled, desired, now, **seen), memory or Memory(desired=desired), now)


def after_calm(scaled: Service, desired: int, *, calm: float, now: float = NOW, **seen: Any) -> Decision:
    """The decision of a scaler that has seen `calm` (requests/s in all) long enough to scale in."""
    memory = watched(scaled, desired, until=now, load=calm)
    return decided(scaled, desired, memory, now, **{"load": calm, **seen})


class TestScaleOut:
    def test_a_surge_is_answered_at_once_and_in_one_action(self) -> None:
        decision = decided(TRACKING, 10, load=5000)
        assert (decision.current, decision.desired, decision.cause) == (10, 50, "Requests-tracking")
        assert decision.reason == "Requests-tracking: 500 per task against 100: 10 to 50 tasks"

    def test_the_decision_says_what_to_record(self) -> None:
        decision = decided(TRACKING, 10, load=5000)
        assert decision.activity == Activity(NOW, 10, 50, "policy", 40, {"Requests-tracking": 40})

    def test_a_steady_load_changes_nothing(self) -> None:
        decision = decided(TRACKING, 10, load=1000)
        assert (decision.desired, decision.activity, decision.cause, decision.held) == (10, None, "steady", False)

    def test_the_largest_scale_out_wins(self) -> None:
        both = service(tracking(), stepping())
        assert decided(both, 10, load=1150).desired == 12
        assert decided(both, 2, load=420).desired == 6

    def test_a_hotter_policy_is_never_averaged_away(self) -> None:
        both = service(tracking(), stepping(metric="Latency"))
        assert decided(both, 10, load=100, latency=160).desired == 12

    def test_a_saturated_service_is_sized_for_twice_its_load(self) -> None:
        decision = decided(DEFAULTS, 10, load=1400)
        assert decision.desired == 28
        assert "saturated" in decision.reason

    def test_the_boost_is_not_taken_back_at_once(self) -> None:
        memory, desired = Memory(desired=10), 10
        for tick in range(60):
            now = NOW + 5 * tick
            load, serving = (1400, 10) if tick < 6 else (1400, 28)
            decision = decided(DEFAULTS, desired, memory, now, load=load, running=serving)
            memory, desired = carried_out(decision), decision.desired
            assert desired == 28

    def test_max_capacity_caps_it(self) -> None:
        decision = decided(service(tracking(), highest=30), 10, load=5000)
        assert (decision.desired, decision.recommended) == (30, 30)
        assert "MaxCapacity" in decision.reason

    def test_rate_limits_bound_it(self) -> None:
        limited = service(
            tracking(), Behavior={"ScaleOut": {"Policies": [{"Type": "Tasks", "Value": 5, "PeriodSeconds": 60}]}}
        )
        first = decided(limited, 10, load=5000)
        assert (first.desired, first.cause) == (15, "rate limit")
        second = decided(limited, 15, carried_out(first), NOW + 5, load=5000, running=10)
        assert (second.desired, second.held) == (15, True)
        third = decided(limited, 15, carried_out(second), NOW + 60, load=5000, running=10)
        assert third.desired == 20

    def test_scale_out_can_be_disabled(self) -> None:
        off = service(tracking(), Behavior={"ScaleOut": {"SelectPolicy": "Disabled"}})
        assert decided(off, 10, load=5000).desired == 10
        assert decided(off, 1, load=5000).desired == 2  # MinCapacity is no scale-out of the policies.

    def test_what_a_limit_cuts_off_is_not_in_effect(self) -> None:
        limited = service(
            stepping(), Behavior={"ScaleOut": {"Policies": [{"Type": "Tasks", "Value": 2, "PeriodSeconds": 60}]}}
        )
        activity = decided(limited, 10, load=2500).activity
        assert activity is not None
        assert (activity.desired, activity.size, activity.steps) == (12, 2, {"Requests-steps": 2})

    def test_what_a_floor_adds_is_no_part_of_a_step(self) -> None:
        activity = decided(service(stepping()), 10, load=2500, floors=[floor(30, NOW + 60)]).activity
        assert activity is not None
        assert (activity.desired, activity.steps) == (30, {"Requests-steps": 4})

    def test_the_cooldown_of_the_service_counts_all_that_was_added_in_it(self) -> None:
        both = service(stepping(), stepping(metric="Latency"))
        memory, desired = Memory(desired=10), 10
        for second, load, latency, expected in ((0, 1300, 90, 11), (5, 2500, 90, 14), (9, 2500, 250, 14)):
            decision = decided(both, desired, memory, NOW + second, load=load, latency=latency)
            memory, desired = carried_out(decision), decision.desired
            assert desired == expected


class TestInFlight:
    def test_the_same_surge_is_not_answered_again(self) -> None:
        for scaled in (TRACKING, DEFAULTS, service(stepping(Cooldown=10))):
            memory, desired, grown = Memory(desired=10), 10, []
            for tick in range(24):
                decision = decided(scaled, desired, memory, NOW + 5 * tick, load=1300, running=10)
                memory, desired = carried_out(decision), decision.desired
                grown.append(desired)
            assert grown[-1] == max(grown) <= 13

    def test_credit_lapses_after_task_start_timeout(self) -> None:
        scaled = service(stepping(), TaskStartTimeout=60)
        first = decided(scaled, 10, load=1300)
        memory, desired = carried_out(first), first.desired
        assert desired == 11
        for second in (10, 20, 30, 40, 50):
            again = decided(scaled, desired, memory, NOW + second, load=1300, running=10)
            memory, desired = carried_out(again), again.desired
        assert desired == 13
        lapsed = decided(scaled, desired, memory, NOW + 200, load=1300, running=10)
        assert lapsed.desired == 14

    def test_tasks_that_someone_else_asked_for_count_too(self) -> None:
        assert decided(service(stepping()), 14, Memory(desired=10), load=1300, running=10).desired == 14

    def test_so_do_those_found_by_a_new_memory(self) -> None:
        assert decided(service(stepping()), 14, Memory(), load=1300, running=10).desired == 14

    def test_a_latency_step_acts_again_only_if_it_is_larger(self) -> None:
        scaled = service(stepping(metric="Latency"))
        memory, desired = Memory(desired=10), 10
        for second, latency, expected in ((0, 160, 12), (20, 160, 12), (40, 220, 14), (60, 260, 14)):
            decision = decided(scaled, desired, memory, NOW + second, latency=latency, running=10)
            memory, desired = carried_out(decision), decision.desired
            assert desired == expected


class TestIncompleteBuckets:
    """Ten tasks, of which some have reported the newest bucket. The one before it is complete and calm."""

    @staticmethod
    def decision(total: float, tasks: int, age: float = 1.5, scaled: Service = TRACKING) -> Decision:
        arriving = Datapoint(NOW - age - 5, total, tasks)
        complete = Datapoint(NOW - age - 10, 500, 10)
        return decided(scaled, 10, points=[arriving, complete])

    def test_a_sum_that_breaches_already_scales_out(self) -> None:
        assert self.decision(2000, 4).desired == 20

    def test_a_young_one_is_not_scaled_up(self) -> None:
        assert self.decision(700, 5).desired == 10

    def test_an_old_one_is(self) -> None:
        assert self.decision(700, 5, age=5.5).desired == 14

    def test_one_busy_task_that_reports_first_adds_nothing(self) -> None:
        assert self.decision(180, 1, scaled=service(stepping())).desired == 10

    def test_nor_do_tasks_that_report_late(self) -> None:
        assert self.decision(720, 8, scaled=service(stepping())).desired == 10

    def test_it_never_scales_in(self) -> None:
        memory = watched(TRACKING, 10, until=NOW, load=300)
        points = [Datapoint(NOW - 6.5, 1, 7), Datapoint(NOW - 11.5, 1000, 10)]
        assert decided(TRACKING, 10, memory, points=points).desired == 10

    def test_it_limits_a_scale_in_to_what_it_shows_already(self) -> None:
        memory = watched(TRACKING, 10, until=NOW, load=500)
        points = [Datapoint(NOW - 6.5, 490, 7), Datapoint(NOW - 11.5, 500, 10)]
        assert decided(TRACKING, 10, memory, points=points).desired == 8

    def test_the_bucket_that_asked_for_the_tasks_is_named(self) -> None:
        assert self.decision(2000, 4).bucket_end == NOW - 1.5
        hot_before = [Datapoint(NOW - 6.5, 500, 5), Datapoint(NOW - 11.5, 2000, 10)]
        decision = decided(TRACKING, 10, points=hot_before)
        assert (decision.desired, decision.bucket_end) == (20, NOW - 6.5)

    def test_of_two_that_ask_for_more_the_larger_counts(self) -> None:
        arriving, complete = Datapoint(NOW - 6.5, 1200, 5), Datapoint(NOW - 11.5, 2000, 10)
        decision = decided(TRACKING, 10, points=[arriving, complete])
        assert (decision.desired, decision.bucket_end) == (20, NOW - 6.5)


class TestScaleIn:
    def test_after_a_calm_window_the_count_follows_the_load(self) -> None:
        decision = after_calm(TRACKING, 10, calm=620)
        assert (decision.desired, decision.cause) == (7, "Requests-tracking")
        assert decision.activity is not None
        assert decision.activity.change == -3

    def test_a_limit_that_is_not_needed_is_not_named(self) -> None:
        decision = after_calm(TRACKING, 10, calm=490)
        assert (decision.desired, decision.cause) == (5, "Requests-tracking")

    def test_not_before(self) -> None:
        decision = decided(TRACKING, 10, watched(TRACKING, 10, until=NOW, seconds=290, load=620), load=620)
        assert (decision.desired, decision.cause, decision.held) == (10, "stabilization window", True)

    def test_a_cold_start_never_shrinks_a_fleet(self) -> None:
        assert decided(TRACKING, 80, Memory(), load=10).desired == 80

    def test_a_moment_without_data_does_not_start_the_window_over(self) -> None:
        memory = watched(TRACKING, 10, until=NOW, load=620)
        dark = decided(TRACKING, 10, memory)
        assert decided(TRACKING, 10, dark.memory, NOW + 5, load=620).desired == 7

    def test_a_threshold_of_zero_is_no_obstacle(self) -> None:
        assert after_calm(service(tracking(), stepping(threshold=0)), 10, calm=0).desired == 5

    def test_at_most_half_at_once(self) -> None:
        decision = after_calm(TRACKING, 40, calm=100)
        assert (decision.desired, decision.cause) == (20, "rate limit")

    def test_at_most_half_a_minute_and_not_below_min(self) -> None:
        memory, desired, counts = watched(TRACKING, 40, until=NOW, load=100), 40, []
        for tick in range(60):
            decision = decided(TRACKING, desired, memory, NOW + 5 * tick, load=100)
            memory, desired = carried_out(decision), decision.desired
            counts.append(desired)
        assert [counts[second // 5] for second in (0, 55, 60, 120, 180, 240)] == [20, 20, 10, 5, 2, 2]

    def test_the_cooldown_of_the_service_separates_two(self) -> None:
        scaled = service(
            tracking(), Behavior={"ScaleIn": {"StabilizationWindowSeconds": 0, "Cooldown": 40, "Policies": []}}
        )
        first = decided(scaled, 10, load=780)
        assert first.desired == 8
        second = decided(scaled, 8, carried_out(first), NOW + 35, load=500)
        assert (second.desired, second.cause) == (8, "cooldown")
        assert decided(scaled, 8, carried_out(first), NOW + 40, load=480).desired == 5

    def test_every_policy_with_data_must_agree(self) -> None:
        both = service(tracking(), tracking(50, metric="Cpu"))
        memory = watched(both, 10, until=NOW, load=300, cpu=20)
        assert decided(both, 10, memory, load=300, cpu=20).desired == 5
        assert decided(both, 10, memory, load=300, cpu=50).desired == 10

    def test_the_smallest_step_counts(self) -> None:
        both = service(tracking(), tracking(50, metric="Cpu"))
        assert decided(both, 10, watched(both, 10, until=NOW, load=300, cpu=39), load=300, cpu=39).desired == 8

    @pytest.mark.parametrize(("latency", "desired"), [(90, 7), (130, 10), (None, 7)])
    def test_a_policy_that_cannot_remove_objects_only_while_it_breaches(
        self, latency: float | None, desired: int
    ) -> None:
        both = service(tracking(), stepping(((0, 50, 0), (50, None, 2)), metric="Latency"))
        memory = watched(both, 10, until=NOW, load=620, latency=90)
        assert decided(both, 10, memory, load=620, latency=latency).desired == desired

    def test_it_can_be_disabled(self) -> None:
        off = service(tracking(), Behavior={"ScaleIn": {"SelectPolicy": "Disabled"}})
        assert after_calm(off, 10, calm=100).desired == 10

    def test_it_goes_only_where_no_scale_out_would_follow(self) -> None:
        """After it the load per task is 10% below the threshold of the step table."""
        touchy = service(tracking(), stepping(threshold=80))
        decision = after_calm(touchy, 20, calm=1000)
        assert (decision.desired, decision.cause) == (14, "anti-flap")
        again = decided(touchy, 14, carried_out(decision), NOW + 5, load=1000)
        assert again.desired == 14

    def test_a_step_table_that_begins_below_its_threshold_counts_from_there(self) -> None:
        rows: tuple[Row, ...] = ((None, -50, -5), (-50, None, 1))
        scaled = service(stepping(rows, operator=None))
        decision = after_calm(scaled, 20, calm=840)
        assert (decision.desired, decision.cause) == (19, "anti-flap")

    def test_silent_tasks_may_carry_their_share(self) -> None:
        """Half of the publishers broke long ago: the count shrinks to what the running tasks may carry."""
        assert after_calm(TRACKING, 10, calm=290, reporters=5).desired == 6

    def test_a_scale_out_cancels_the_scale_in_cooldown(self) -> None:
        decision = after_calm(TRACKING, 10, calm=620)
        surge = decided(TRACKING, 7, carried_out(decision), NOW + 5, load=1400)
        assert surge.desired == 14


class TestNoScaleIn:
    """Everything that stands in the way of a scale-in that all policies want."""

    def test_without_obstacle_it_happens(self) -> None:
        assert after_calm(TRACKING, 10, calm=620).desired == 7
        assert after_calm(WITH_BALANCER, 10, calm=620, balancer=QUIET).desired == 7
        assert after_calm(WITH_BALANCER, 10, calm=620, balancer=LoadBalancerReading()).desired == 7

    def test_without_data(self) -> None:
        decision = after_calm(TRACKING, 10, calm=620, points=[])
        assert (decision.desired, decision.cause) == (10, "no data")

    def test_with_stale_data(self) -> None:
        decision = after_calm(TRACKING, 10, calm=620, points=[Datapoint(NOW - 36, 10, 10)])
        assert (decision.desired, decision.cause) == (10, "no data")
        assert "stale" in decision.reason

    def test_with_half_a_bucket(self) -> None:
        points = [Datapoint(NOW - 6.5, 10, 5), Datapoint(NOW - 36, 10, 10)]
        assert after_calm(TRACKING, 10, calm=620, points=points).desired == 10

    def test_while_one_of_two_metrics_is_missing(self) -> None:
        both = service(tracking(), tracking(50, metric="Cpu"))
        memory = watched(both, 10, until=NOW, load=300, cpu=20)
        assert decided(both, 10, memory, cpu=20).desired == 10

    def test_during_a_deployment(self) -> None:
        decision = after_calm(TRACKING, 10, calm=620, deployment_in_progress=True)
        assert (decision.desired, decision.cause) == (10, "deployment")

    def test_while_an_earlier_call_is_on_its_way(self) -> None:
        memory = watched(TRACKING, 10, until=NOW, load=620)
        waiting = memory.intend(Activity(NOW - 3, 10, 12, "policy", 2), None)
        decision = decided(TRACKING, 10, waiting, load=620)
        assert (decision.desired, decision.cause) == (10, "call on its way")
        assert decided(TRACKING, 10, waiting, load=5000).desired == 50

    @pytest.mark.parametrize(
        ("balancer", "why"),
        [
            (LoadBalancerReading(62, 62, START - 60, rejected_connections=3), "rejected 3"),
            (LoadBalancerReading(62, 62, START - 60, error_share=0.011), "1.1%"),
            (NoData("AccessDenied"), "AccessDenied"),
        ],
    )
    def test_while_the_load_balancer_objects(self, balancer: LoadBalancerReading | NoData, why: str) -> None:
        decision = after_calm(WITH_BALANCER, 10, calm=620, balancer=balancer)
        assert (decision.desired, decision.cause) == (10, "load balancer")
        assert why in decision.reason

    def test_one_percent_of_errors_is_no_objection(self) -> None:
        assert after_calm(WITH_BALANCER, 10, calm=620, balancer=LoadBalancerReading(62, 62, 0, 0, 0.01)).desired == 7

    def test_while_the_load_balancer_counted_more_requests(self) -> None:
        """Publishers say 620 requests/s, the load balancer 900 within the last two minutes."""
        decision = after_calm(WITH_BALANCER, 10, calm=620, balancer=LoadBalancerReading(620, 900, START - 60))
        assert decision.desired == 10
        decision = after_calm(WITH_BALANCER, 10, calm=620, balancer=LoadBalancerReading(620, 780, START - 60))
        assert decision.desired == 8


class TestWithoutMetrics:
    FALLBACK = service(tracking(), LoadBalancer=BALANCER, FallbackCapacity=30)

    def test_the_count_is_held(self) -> None:
        decision = decided(TRACKING, 10)
        assert (decision.desired, decision.cause) == (10, "no data")

    def test_the_load_balancer_takes_over(self) -> None:
        counted = LoadBalancerReading(4000, 4000, START - 60)
        decision = decided(self.FALLBACK, 10, balancer=counted)
        assert (decision.desired, decision.cause) == (40, "Requests-tracking")

    def test_it_only_adds(self) -> None:
        memory = watched(self.FALLBACK, 40, until=NOW, balancer=LoadBalancerReading(10, 10, START - 60))
        decision = decided(self.FALLBACK, 40, memory, balancer=LoadBalancerReading(10, 10, START - 60))
        assert decision.desired == 40

    def test_it_waits_until_the_data_is_stale(self) -> None:
        counted = LoadBalancerReading(4000, 4000, START - 60)
        one_missed = {"Requests": MetricReading(NoData("throttled", 12))}
        seen = Observation(ServiceState(10, 10), one_missed, counted)
        assert decide(self.FALLBACK, seen, Memory(desired=10), NOW).desired == 10

    def test_with_neither_the_fallback_capacity_is_taken(self) -> None:
        decision = decided(self.FALLBACK, 10, balancer=NoData("AccessDenied"))
        assert (decision.desired, decision.cause) == (30, "fallback capacity")
        assert decided(self.FALLBACK, 30, carried_out(decision), NOW + 5).desired == 30

    def test_the_fallback_never_takes_away(self) -> None:
        assert decided(self.FALLBACK, 50).desired == 50

    def test_a_static_fallback_takes_away_by_the_rules_of_scale_in(self) -> None:
        """Asked for in so many words; still after the window, and at most half at once."""
        static = service(tracking(), LoadBalancer=BALANCER, FallbackCapacity=30, FallbackBehavior="static")
        silent = NoData("AccessDenied")
        assert decided(static, 10, balancer=silent).desired == 30
        assert decided(static, 80, balancer=silent).desired == 80
        memory = watched(static, 80, until=NOW, balancer=silent)
        decision = decided(static, 80, memory, balancer=silent)
        assert (decision.desired, decision.cause) == (40, "rate limit")
        later = NOW + 400
        memory = watched(static, 40, until=later, memory=carried_out(decision), balancer=silent)
        assert decided(static, 40, memory, later, balancer=silent).desired == 30

    def test_data_that_comes_back_takes_nothing_away_at_once(self) -> None:
        risen = decided(self.FALLBACK, 10, balancer=NoData("AccessDenied"))
        counted = LoadBalancerReading(800, 800)
        back = decided(self.FALLBACK, 30, carried_out(risen), NOW + 60, load=800, balancer=counted)
        assert back.desired == 30

    def test_a_metric_that_has_failed_for_some_seconds_is_no_reason(self) -> None:
        one_missed = Observation(ServiceState(10, 10), {"Requests": MetricReading(NoData("throttled", 12))})
        assert decide(self.FALLBACK, one_missed, Memory(desired=10), NOW).desired == 10


class TestSlowMetrics:
    """A queue, read once a minute: its newest datapoint is a minute or two old, and good."""

    WORKERS = service(tracking(10, metric="Backlog"), stepping([(0, None, 3)], 20, metric="Backlog"))

    def after_calm_backlog(self, scaled: Service, desired: int, backlog: float) -> Decision:
        memory = watched(scaled, desired, until=NOW, backlog=backlog)
        return decided(scaled, desired, memory, backlog=backlog)

    def test_the_backlog_is_sized_for(self) -> None:
        decision = decided(self.WORKERS, 5, backlog=300)
        assert (decision.desired, decision.cause) == (30, "Backlog-tracking")

    def test_steps_meet_it_divided_by_the_tasks(self) -> None:
        steps = service(stepping([(0, None, 3)], 20, metric="Backlog"))
        assert decided(steps, 5, backlog=100).desired == 5
        assert decided(steps, 5, backlog=101).desired == 8

    def test_tasks_in_flight_are_not_asked_for_twice(self) -> None:
        steps = service(stepping([(0, None, 3)], 20, metric="Backlog"))
        first = decided(steps, 5, backlog=130)
        again = decided(steps, 8, carried_out(first), NOW + 15, running=5, backlog=130)
        assert (first.desired, again.desired) == (8, 8)

    def test_it_scales_in_though_its_data_is_older_than_stale_after(self) -> None:
        assert self.after_calm_backlog(self.WORKERS, 20, 40).desired == 10

    def test_but_not_down_to_where_it_would_scale_out_again(self) -> None:
        """At 20 a step adds tasks, so 10% below it are 18 a task: 300 messages need 17 tasks."""
        loose = service(tracking(100, metric="Backlog"), stepping([(0, None, 3)], 20, metric="Backlog"))
        assert self.after_calm_backlog(loose, 30, 300).desired == 17

    def test_a_queue_that_says_nothing_is_not_empty(self) -> None:
        memory = watched(self.WORKERS, 20, until=NOW, backlog=40)
        decision = decided(self.WORKERS, 20, memory)
        assert (decision.desired, decision.cause) == (20, "no data")


class TestScaleOutWindow:
    PATIENT = service(tracking(), Behavior={"ScaleOut": {"StabilizationWindowSeconds": 30}})

    def test_it_waits_and_then_adds_the_lowest(self) -> None:
        memory = watched(self.PATIENT, 10, until=NOW, seconds=60, load=3000)
        first = decided(self.PATIENT, 10, load=3000)
        later = decided(self.PATIENT, 10, memory, load=4000)
        assert (first.desired, first.cause) == (10, "stabilization window")
        assert later.desired == 30

    def test_floors_do_not_wait(self) -> None:
        assert decided(self.PATIENT, 10, load=3000, floors=[floor(25, NOW + 60)]).desired == 25


class TestFloors:
    LATER = NOW + 3600

    def test_a_floor_lifts_at_once(self) -> None:
        decision = decided(TRACKING, 10, load=1000, floors=[floor(25, self.LATER, reason="sale")])
        assert (decision.desired, decision.cause) == (25, "pre-warm floor")
        assert "morning" in decision.reason
        assert "sale" in decision.reason

    def test_one_that_is_reached_is_not_named(self) -> None:
        assert decided(TRACKING, 10, load=1000, floors=[floor(10, self.LATER)]).cause == "steady"

    def test_of_several_the_highest_wins(self) -> None:
        floors = [floor(25, self.LATER), floor(40, self.LATER, "sale"), floor(60, NOW - 1, "past")]
        assert decided(TRACKING, 10, load=1000, floors=floors).desired == 40

    def test_more_load_goes_above_it(self) -> None:
        assert decided(TRACKING, 10, load=5000, floors=[floor(25, self.LATER)]).desired == 50

    def test_it_holds_against_scale_in(self) -> None:
        assert after_calm(TRACKING, 10, calm=100, floors=[floor(8, self.LATER)]).desired == 8
        decision = after_calm(TRACKING, 10, calm=100, floors=[floor(10, self.LATER)])
        assert (decision.desired, decision.activity) == (10, None)

    def test_above_max_it_is_capped(self) -> None:
        decision = decided(TRACKING, 10, load=1000, floors=[floor(500, self.LATER)])
        assert (decision.desired, decision.cause) == (100, "MaxCapacity")

    def test_an_expired_one_goes_by_the_rules(self) -> None:
        expiring = [floor(40, NOW)]
        memory, desired, counts = watched(TRACKING, 40, until=NOW, load=200, floors=expiring), 40, []
        for tick in range(60):
            decision = decided(TRACKING, desired, memory, NOW + 5 * tick, load=200, floors=expiring)
            memory, desired = carried_out(decision), decision.desired
            counts.append(desired)
        assert counts[0] == 20
        assert counts[-1] == 3
        assert all(after >= before // 2 for before, after in zip(counts, counts[12:], strict=False))

    def test_it_lifts_while_the_policies_want_fewer(self) -> None:
        decision = decided(TRACKING, 10, load=100, floors=[floor(25, self.LATER)])
        assert decision.activity == Activity(NOW, 10, 25, "bound")

    def test_it_counts_as_no_step_of_a_policy(self) -> None:
        scaled = service(stepping(Cooldown=60))
        lifted = decided(scaled, 10, load=500, floors=[floor(12, self.LATER)])
        surge = decided(scaled, 12, carried_out(lifted), NOW + 5, load=1800, floors=[floor(12, self.LATER)])
        assert surge.desired == 14


class TestBounds:
    def test_below_min_the_count_is_lifted_at_once(self) -> None:
        for seen in ({"load": 10.0}, {}):
            decision = decided(service(tracking(), lowest=5), 3, **seen)
            assert (decision.desired, decision.cause) == (5, "MinCapacity")

    def test_a_service_at_zero_is_lifted_too(self) -> None:
        assert decided(TRACKING, 0).desired == 2

    @pytest.mark.parametrize("load", [200, 0])
    def test_at_min_there_is_nothing_to_lift_and_nothing_to_hold(self, load: float) -> None:
        decision = decided(TRACKING, 2, load=load)
        assert (decision.cause, decision.held, decision.memory.maxima) == ("steady", False, ())

    def test_scale_in_ends_at_min(self) -> None:
        assert after_calm(service(tracking(), lowest=8), 10, calm=10).desired == 8

    def test_above_a_lowered_max_the_count_comes_down_by_the_rules(self) -> None:
        lowered = service(tracking(), highest=20)
        memory, desired, counts = Memory(desired=90), 90, []
        for tick in range(60):
            decision = decided(lowered, desired, memory, NOW + 5 * tick, load=9000)
            memory, desired = carried_out(decision), decision.desired
            counts.append(desired)
        assert [counts[second // 5] for second in (0, 55, 60, 120, 180)] == [45, 45, 22, 20, 20]

    @pytest.mark.parametrize("seen", [{}, {"load": 9000, "deployment_in_progress": True}])
    def test_not_even_then_without_data_or_in_a_deployment(self, seen: dict[str, Any]) -> None:
        assert decided(service(tracking(), highest=20), 90, **seen).desired == 90

    def test_above_a_lowered_max_nothing_is_added(self) -> None:
        decision = decided(service(tracking(), highest=20), 30, load=9000, floors=[floor(60, NOW + 60)])
        assert decision.desired <= 30


class TestLeftAlone:
    @pytest.mark.parametrize(
        "state", [{"status": "DRAINING"}, {"scheduling_strategy": "DAEMON"}, {"express_managed": True}]
    )
    @pytest.mark.parametrize("seen", [{"load": 90000}, {"floors": [floor(50, NOW + 60)]}])
    def test_services_that_are_not_ours_to_scale(self, state: dict[str, Any], seen: dict[str, Any]) -> None:
        decision = decided(TRACKING, 1, **state, **seen)
        assert (decision.desired, decision.activity, decision.cause) == (1, None, "left alone")
        assert decision.reason


class TestPause:
    @pytest.mark.parametrize(
        ("scaled", "desired", "seen"),
        [
            (TRACKING, 10, {"load": 9000}),
            (TRACKING, 10, {"load": 1000, "floors": [floor(50, NOW + 60)]}),
            (service(tracking(), lowest=20), 10, {"load": 1000}),
            (service(tracking(), FallbackCapacity=50), 10, {}),
        ],
    )
    def test_of_scale_out_is_absolute(self, scaled: Service, desired: int, seen: dict[str, Any]) -> None:
        assert decided(scaled, desired, **seen).desired > desired
        paused = decided(scaled, desired, paused=["ScaleOut"], **seen)
        assert (paused.desired, paused.cause, paused.activity) == (desired, "paused", None)

    def test_of_scale_in_is_absolute(self) -> None:
        paused = after_calm(TRACKING, 10, calm=100, paused=["ScaleIn"])
        assert (paused.desired, paused.cause) == (10, "paused")
        assert decided(service(tracking(), highest=20), 90, load=9000, paused=["ScaleIn"]).desired == 90

    @pytest.mark.parametrize(("direction", "load", "desired"), [("ScaleIn", 9000, 90), ("ScaleOut", 620, 7)])
    def test_the_other_direction_goes_on(self, direction: Direction, load: float, desired: int) -> None:
        assert after_calm(TRACKING, 10, calm=620, load=load, paused=[direction]).desired == desired

    def test_nothing_to_do_is_not_called_paused(self) -> None:
        assert decided(TRACKING, 10, load=1000, paused=["ScaleOut", "ScaleIn"]).cause == "steady"

    def test_a_resumed_service_need_not_wait_for_a_new_window(self) -> None:
        memory = watched(TRACKING, 10, until=NOW, load=620, paused=["ScaleIn"])
        assert decided(TRACKING, 10, memory, load=620).desired == 7


class TestOtherHands:
    def test_a_lost_answer_is_found_by_its_effect(self) -> None:
        waiting = Memory(10).intend(Activity(NOW - 5, 10, 50, "policy", 40), None)
        decision = decided(TRACKING, 50, waiting, load=5000, running=10)
        assert (decision.desired, decision.activity) == (50, None)
        assert decision.memory.intent is None
        assert decision.noted

    def test_an_old_answer_of_ecs_does_not_repeat_a_call(self) -> None:
        memory = carried_out(decided(TRACKING, 10, load=5000))
        decision = decided(TRACKING, 10, memory, NOW + 1, load=5000)
        assert (decision.current, decision.desired, decision.activity) == (50, 50, None)

    def test_a_late_cut_is_raised_back_in_one_tick(self) -> None:
        calm = watched(TRACKING, 20, until=NOW, load=1200)
        stalled = calm.intend(Activity(NOW - 4, 20, 12, "policy", -8), None)
        surge = decided(TRACKING, 20, stalled, load=3000)
        assert surge.desired == 30
        late = decided(TRACKING, 12, carried_out(surge), NOW + 5, load=1200, running=20)
        assert (late.desired, late.cause) == (30, "correction")
        assert "late" in late.noted

    def test_a_late_raise_comes_down_by_the_rules(self) -> None:
        stalled = Memory(20).intend(Activity(NOW - 4, 20, 60, "policy", 40), None)
        surge = decided(TRACKING, 20, stalled, load=3000)
        late = decided(TRACKING, 60, carried_out(surge), NOW + 5, load=3000, running=20)
        assert late.desired == 60

    def test_a_count_set_by_hand_is_kept(self) -> None:
        up = decided(TRACKING, 40, Memory(desired=10), load=1000)
        assert (up.desired, up.activity) == (40, None)
        assert "someone else" in up.noted
        down = decided(TRACKING, 9, watched(TRACKING, 20, until=NOW, load=900), load=900)
        assert (down.desired, down.activity) == (9, None)

    def test_a_count_lowered_by_hand_is_not_fought_by_the_window(self) -> None:
        memory = watched(TRACKING, 20, until=NOW, load=1500)
        assert decided(TRACKING, 5, memory, load=300).desired == 5


class TestShowingItsWork:
    def test_the_trail_says_what_each_policy_and_each_guard_did(self) -> None:
        both = service(tracking(), stepping(), highest=14)
        trail = [(step.stage, step.desired) for step in decided(both, 10, load=2500).trail]
        assert trail == [("Requests-tracking", 25), ("Requests-steps", 14), ("Requests-tracking", 14)]

    def test_the_cause_has_no_figures_so_that_it_is_logged_once(self) -> None:
        causes = {decided(TRACKING, 10, load=load).cause for load in (1000, 1001, 1050)}
        assert causes == {"steady"}

    def test_a_hold_is_told_from_a_wish_to_stay(self) -> None:
        assert not decided(TRACKING, 10, load=1000).held
        assert decided(TRACKING, 10, load=500).held
        assert decided(TRACKING, 10, load=5000, paused=["ScaleOut"]).held

    @pytest.mark.parametrize(("load", "hot"), [(540, False), (560, True), (5000, True)])
    def test_above_half_of_a_threshold_a_service_is_hot(self, load: float, hot: bool) -> None:
        assert decided(TRACKING, 10, load=load).hot is hot

    def test_a_hot_step_table_makes_a_service_hot(self) -> None:
        scaled = service(tracking(1000), stepping(metric="Latency"))
        assert decided(scaled, 10, load=10, latency=51).hot
        assert not decided(scaled, 10, load=10, latency=49).hot

    def test_without_data_nothing_is_hot(self) -> None:
        assert not decided(TRACKING, 10).hot

    def test_the_load_is_told_as_a_share_of_the_threshold_that_is_nearest(self) -> None:
        both = service(tracking(200, ScaleOutTolerance=0), stepping(threshold=400, metric="Latency"))
        assert decided(both, 10, load=1000, latency=100).load_share == 0.5
        assert decided(both, 10, load=1000, latency=300).load_share == 0.75
        assert decided(both, 10, load=3000, latency=300).load_share == 1.5
        assert decided(both, 10).load_share is None

    def test_above_a_threshold_of_nothing_anything_is_too_much(self) -> None:
        empty = service(stepping(threshold=0, metric="Backlog"))
        assert decided(empty, 10, backlog=0).load_share == 0
        assert decided(empty, 10, backlog=3).load_share == 1

    def test_data_that_has_been_away_for_stale_after_is_told(self) -> None:
        for age, stale in ((29, False), (31, True)):
            absent = Observation(ServiceState(10, 10), {"Requests": MetricReading(NoData("no datapoints", age))})
            assert decide(TRACKING, absent, Memory(desired=10), NOW).stale is stale

    def test_it_is_stale_too_while_the_load_balancer_stands_in(self) -> None:
        absent = {"Requests": MetricReading(NoData("stale", 31))}
        seen = Observation(ServiceState(10, 10), absent, LoadBalancerReading(30, 30, START - 60))
        assert decide(WITH_BALANCER, seen, Memory(desired=10), NOW).stale

    def test_latency_is_not_stale_while_there_are_no_requests(self) -> None:
        assert not decided(service(tracking(), stepping(metric="Latency")), 10, load=0).stale

    @pytest.mark.parametrize(("load", "at_maximum"), [(900, False), (1000, True), (9000, True)])
    def test_a_count_that_cannot_rise_is_told(self, load: float, at_maximum: bool) -> None:
        assert decided(service(highest=10), 9, load=load).at_maximum is at_maximum

    def test_a_service_that_is_pinned_to_one_count_is_not_at_its_maximum(self) -> None:
        assert not decided(service(lowest=10, highest=10), 10, load=9000).at_maximum

    def test_what_the_load_is(self) -> None:
        decision = decided(TRACKING, 10, load=1000)
        assert decision.loads["Requests"].shown == 100
        assert decision.bucket_end == NOW - 1.5
        assert decided(TRACKING, 10).bucket_end is None

    def test_the_bucket_is_that_of_the_metric_that_asks_for_most(self) -> None:
        both = service(tracking(), stepping(metric="Latency"))
        now = NOW + 5
        assert decided(both, 10, now=now, load=1200, latency=90).bucket_end == now - 1.5
        assert decided(both, 10, now=now, load=1200, latency=250).bucket_end == now - 6.5
        assert decided(both, 10, now=now, load=900, latency=90).bucket_end == now - 1.5


def test_memory_is_kept_no_longer_than_a_rule_needs_it() -> None:
    scaled = service(stepping(Cooldown=400))
    memory = Memory(14, activities=(Activity(NOW - 399, 10, 14, "policy", 4, {"Requests-steps": 4}),))
    assert decided(scaled, 14, memory, load=3500).desired == 14
    assert decided(scaled, 14, memory, NOW + 1, load=3500).desired == 18
    assert decided(scaled, 14, memory, NOW + 1, load=900).memory.activities == ()


def test_a_floor_of_another_time_is_no_floor() -> None:
    past = Floor("shops/shop", "morning", 50, NOW)
    assert decided(TRACKING, 10, load=1000, floors=[past]).desired == 10
