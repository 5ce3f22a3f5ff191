"""FastScaler in the simulated world: the real loop, in simulated time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from fastscaler.errors import AwsError, Superseded, Throttled
from fastscaler.look import Look
from fastscaler.pace import AGAIN
from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import Observation
from fastscaler.scaling.policy import Service
from simulator.controllers.fastscaler import FastScaler, fires_at
from simulator.metric_source import NotSimulated
from simulator.ports import SimulatedClock, SimulatedReport, SimulatedStore
from simulator.run import Run, Trace
from simulator.settings import Settings
from simulator.simulate import simulate
from simulator.world import START, World
from tests.unit.simulator.worlds import run_five_fold, shipped, steady, surge, unaccounted

# The design's reaction has no jitter of publishers in it, and calls take no time.
DESIGN = {"publish_jitter": 0.0, "read_seconds": 0.0, "update_seconds": 0.0}


def run_surge(seed: int, settings: Settings, *, tasks: int, seconds: int) -> tuple[float, Run]:
    """A 5x surge from 60% of the threshold on `tasks` tasks: when it came, and the run until `seconds` later."""
    return run_five_fold(FastScaler(shipped(MinCapacity=tasks)), seed, settings, tasks=tasks, seconds=seconds)


def surge_near(at: float, seed: int) -> Run:
    """A surge to 1.3 times the threshold; hand-overs come on the minute, and no new task serves before the end."""
    settings = Settings(start_tasks=10, minimum=10, start_median=90.0, beat_spread=0.0)
    return simulate(surge(600, 1300, at, int(at) + 60), FastScaler(shipped(MinCapacity=10)), settings, seed)


class TestReaction:
    @pytest.mark.parametrize(
        ("what", "settings", "median"),
        [
            ("as the design counts it", Settings(**DESIGN), (5.8, 6.8)),
            ("with jitter and calls that take time", Settings(), (6.3, 7.6)),
        ],
    )
    def test_a_surge_is_answered_within_seconds(
        self, what: str, settings: Settings, median: tuple[float, float]
    ) -> None:
        """The design's figures are 6.3 s and 10 s (p50, p99)."""
        reactions = []
        for seed in range(40):
            at, run = run_surge(seed, settings, tasks=10, seconds=15)
            assert not [call for call in run.calls if call.at < at], "called before the surge"
            reactions.append(run.calls[0].at - at)
        p50, p99 = np.percentile(reactions, [50, 99])
        print(f"reaction {what}, 40 seeds: p50 {p50:.2f} s, p99 {p99:.2f} s")
        assert median[0] <= p50 <= median[1]
        assert p99 <= 10

    def test_the_last_late_request_comes_within_75_seconds_of_the_surge(self) -> None:
        ends = []
        for seed in range(8):
            at, run = run_surge(seed, Settings(), tasks=4, seconds=120)
            ends.append(float(np.flatnonzero(run.late + run.lost)[-1]) + 1 - at)
            assert unaccounted(run) == pytest.approx(0, abs=1e-3)
        assert max(ends) <= 75

    def test_a_call_says_why_it_was_made(self) -> None:
        _, run = run_surge(1, Settings(), tasks=4, seconds=30)
        assert run.calls[0].reason.startswith("requests-per-task: ")
        assert run.calls[0].before == 4
        assert all(earlier.after == later.before for earlier, later in pairwise(run.calls))


class TestHandOvers:
    def test_every_minute_a_new_invocation_takes_over(self) -> None:
        run = simulate(steady(240, 1800), FastScaler(shipped()), Settings(start_tasks=4), seed=2)
        assert run.usage.invocations == pytest.approx(30, abs=2)

    def test_they_come_anywhere_within_their_minutes(self) -> None:
        """A rule fires once a minute, so two hand-overs may be seconds or nearly two minutes apart."""
        world = World(steady(100, 60), Settings(), seed=2)
        moments = [fires_at(world, minute) for minute in range(600)]
        assert [int(moment // 60) for moment in moments] == list(range(600))
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert min(gaps) < 5
        assert max(gaps) > 110

    @pytest.mark.parametrize("spread", [0.0, 60.0])
    def test_no_bucket_is_looked_at_twice_or_not_at_all(self, spread: float) -> None:
        """A look per bucket, and one as each invocation begins, on the minute or anywhere within it."""
        calm = Settings(start_tasks=4, beat_spread=spread)
        run = simulate(steady(100, 3600), FastScaler(shipped(MinCapacity=4)), calm, seed=2)
        assert run.usage.looks_again == 0
        assert 720 <= run.usage.looks <= 720 + run.usage.invocations

    @pytest.mark.parametrize("before_hand_over", range(12))
    def test_a_surge_around_a_hand_over_is_answered_once(self, before_hand_over: int) -> None:
        """One bucket may show a part of the surge and the next one all of it; nobody asks for the same tasks again."""
        run = surge_near(240.0 - before_hand_over, seed=before_hand_over)
        assert len(run.calls) in (1, 2)
        assert run.calls[-1].after == 13

    def test_a_hand_over_makes_no_answer_later(self) -> None:
        """Half a minute later each of these surges meets the same part of its bucket, and no hand-over."""
        moments = [240.0 - before for before in range(12)]
        around = [surge_near(at, seed).calls[0].at - at for seed, at in enumerate(moments)]
        elsewhere = [surge_near(at + 30, seed).calls[0].at - at - 30 for seed, at in enumerate(moments)]
        assert max(around) <= max(elsewhere) + AGAIN
        assert sum(around) <= sum(elsewhere) + len(moments) * AGAIN / 2

    def test_what_is_remembered_survives_many_hand_overs(self) -> None:
        """A scale-in waits for a window of 300 s: five invocations each watch a part of it."""
        load = [400.0] * 300 + [100.0] * 900
        run = simulate(Trace("drop", load), FastScaler(shipped()), Settings(start_tasks=4), seed=4)
        first = run.calls[0]
        assert first.after < first.before
        assert 300 + 300 <= first.at <= 300 + 300 + 2 * 30 + 15

    def test_a_successor_knows_only_what_was_stored(self) -> None:
        """The first half minute of a window is not worth a write; who takes over begins without it."""
        seen: list[tuple[float, Memory]] = []

        def watched(service: Service, observation: Observation, memory: Memory, now: float) -> Decision:
            seen.append((now - START, memory))
            return decide(service, observation, memory, now)

        drop = Trace("drop", [400.0] * 222 + [100.0] * 60)
        settings = Settings(start_tasks=4, beat_spread=0.0)
        simulate(drop, FastScaler(shipped(), decide=watched), settings, seed=4)
        assert len([memory for at, memory in seen if at < 240][-1].maxima) == 1
        assert next(memory for at, memory in seen if at >= 240).maxima == ()
        assert next(memory for at, memory in seen if at >= 240).desired == 4


class TestDeterminism:
    def test_the_same_seed_gives_the_same_calls_at_the_same_moments(self) -> None:
        rng = np.random.default_rng(3)
        trace = Trace("noise", rng.poisson(np.linspace(200, 2500, 900)).astype(float).tolist())
        runs = [simulate(trace, FastScaler(shipped()), seed=5) for _ in range(3)]
        assert len(runs[0].calls) > 5
        assert runs[0].calls == runs[1].calls == runs[2].calls
        assert runs[0].usage == runs[1].usage == runs[2].usage
        assert np.array_equal(runs[0].late, runs[2].late)

    def test_another_seed_gives_other_moments(self) -> None:
        _, one = run_surge(1, Settings(), tasks=4, seconds=30)
        _, other = run_surge(13, Settings(), tasks=4, seconds=30)
        assert [call.at for call in one.calls] != [call.at for call in other.calls]


class TestWhatIsSeen:
    def test_silent_publishers_do_not_stop_a_scale_out(self) -> None:
        at, run = run_surge(3, Settings(silent_share=0.3), tasks=10, seconds=40)
        assert run.calls[0].at - at < 15

    def test_with_no_publisher_at_all_the_load_balancer_tells_the_load(self) -> None:
        """Its minutes are late, so this takes a minute or two; without them nothing would happen."""
        at, run = run_surge(3, Settings(silent_share=1.0), tasks=4, seconds=240)
        assert max(call.after for call in run.calls) >= 10
        assert 15 < run.calls[0].at - at < 150

    def test_cpu_of_the_service_can_be_what_is_tracked(self) -> None:
        cpu = {
            "Namespace": "AWS/ECS",
            "MetricName": "CPUUtilization",
            "Period": 20,
            "Dimensions": {"ServiceName": "any"},
        }
        policy = {"Name": "cpu", "PolicyType": "TargetTracking", "Metric": "Cpu", "TargetValue": 66.0}
        service = shipped(Metrics={"Cpu": cpu}, Policies=[policy], LoadBalancer=None, StaleAfter=90)
        run = simulate(surge(240, 500, 200, 500), FastScaler(service), Settings(start_tasks=4, minimum=4), 1)
        assert run.calls[0].after > 4
        assert run.calls[0].at < 200 + 60

    def test_response_time_can_add_tasks(self) -> None:
        latency = {
            "Namespace": "FastScaling/Application",
            "MetricName": "AverageResponseTime",
            "Statistic": "p90",
            "Period": 10,
            "Dimensions": {"Service": "any"},
        }
        steps = {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}],
        }
        policy = {
            "Name": "latency",
            "PolicyType": "StepScaling",
            "Metric": "Latency",
            "Threshold": 0.45,
            "StepScalingPolicyConfiguration": steps | {"Cooldown": 60},
        }
        service = shipped(Metrics={"Latency": latency}, Policies=[policy], LoadBalancer=None)
        run = simulate(surge(240, 560, 200, 300), FastScaler(service), Settings(start_tasks=4, minimum=4), 1)
        assert [call.after for call in run.calls][:1] == [7]
        assert 205 < run.calls[0].at < 235

    def test_a_metric_that_the_world_does_not_have_is_refused_before_anything_runs(self) -> None:
        queue = {"Namespace": "AWS/SQS", "MetricName": "Depth", "Period": 60, "Dimensions": {"QueueName": "q"}}
        policy = {"Name": "queue", "PolicyType": "TargetTracking", "Metric": "Queue", "TargetValue": 10.0}
        service = shipped(Metrics={"Queue": queue}, Policies=[policy], LoadBalancer=None, StaleAfter=300)
        with pytest.raises(NotSimulated, match=r"Metrics\.Queue cannot be simulated: the simulator has Requests"):
            simulate(steady(100, 60), FastScaler(service))

    def test_what_is_read_is_counted_as_it_would_be_billed(self) -> None:
        """One metric each 5 s, three counters a minute and at each hand-over; repeats are few while it is calm."""
        run = simulate(steady(100, 3600), FastScaler(shipped(MinCapacity=4)), Settings(start_tasks=4), seed=2)
        per_look = run.usage.looks
        assert per_look + 3 * 60 <= run.usage.metrics_read <= per_look + 3 * 2 * run.usage.invocations
        assert run.usage.published == 4 * 720


@dataclass
class Failing:
    """A look that met an error, as a defect of the library or of the world would make one."""

    error: AwsError
    scaled: Sequence[object] = ()
    again: bool = False
    errors: list[tuple[str, AwsError]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.errors = [("shop/web", self.error)]


class TestPorts:
    def world(self) -> World:
        return World(steady(100, 120), Settings(), seed=1)

    def test_an_error_ends_the_simulation_and_is_not_scored(self) -> None:
        report = SimulatedReport(self.world())
        look: Look = Failing(Throttled("GetMetricData", "Throttling"))  # type: ignore[assignment]
        with pytest.raises(Throttled):
            report.looked(look)
        with pytest.raises(Throttled):
            report.failed("reading the epoch", Throttled("Query", "Throttling"))

    def test_who_was_superseded_cannot_write(self) -> None:
        world = self.world()
        clock = SimulatedClock(world)
        store = SimulatedStore(world, clock)
        first, memories = store.take_over(), {"shop/web": Memory(desired=3)}
        store.save(first, memories)
        second = store.take_over()
        with pytest.raises(Superseded):
            store.save(first, memories)
        store.save(second, {"shop/web": Memory(desired=5)})
        kept: Mapping[str, Memory] = store.read_all().memories
        assert kept["shop/web"].desired == 5

    def test_time_stops_at_a_hand_over_and_the_epoch_has_changed_then(self) -> None:
        world = self.world()
        clock = SimulatedClock(world)
        store = SimulatedStore(world, clock)
        epoch = store.take_over()
        clock.limit = 30.5
        clock.sleep(20)
        assert store.poll().epoch == epoch
        clock.sleep(20)
        assert clock.t == 30.5
        assert world.now == 30
        assert store.poll().epoch != epoch
