"""What outlives an invocation: the tasks that a slow datapoint is of, and how long nothing has been seen."""

from dataclasses import replace

import pytest

from fastscaler.scaling import history
from fastscaler.scaling.decision import decide
from fastscaler.scaling.memory import MAX_ACTIVITIES, MAX_RUNNING, Activity, Memory, from_json, to_json
from fastscaler.scaling.observation import Datapoint, MetricReading, NoData, Observation, ServiceState, read_metric
from fastscaler.scaling.policy import Behavior, Service
from tests.unit.scaling.build import CPU, START, carried_out, floor, observe, service, stepping, tracking
from tests.unit.scaling.plant import BusyCpu, surge

SLOW_CPU = {**CPU, "Period": 60, "Namespace": "AWS/ECS"}
AT_60_PERCENT = service(tracking(60, "Cpu"), Metrics={"Cpu": SLOW_CPU})


class TestMeanRunning:
    def test_is_weighted_by_time(self) -> None:
        known = ((0, 4), (75, 8))
        assert history.mean_running(known, 60, 120) == pytest.approx((15 * 4 + 45 * 8) / 60)
        assert history.mean_running(known, 120, 180) == 8
        assert history.mean_running(known, 0, 60) == 4

    def test_is_unknown_before_it_begins(self) -> None:
        assert history.mean_running((), 0, 60) is None
        assert history.mean_running(((30, 4),), 0, 60) is None

    def test_forgets_what_has_not_been_yet(self) -> None:
        """A machine whose clock was ahead has seen tasks go; counted beside those of now, they would be double."""
        memory = Memory(running=((int(START), 50), (int(START) + 3600, 6)))
        memory = history.remember_running(AT_60_PERCENT, memory, 6, START + 60, horizon=300)
        assert history.mean_running(memory.running, START + 60, START + 120) == 6

    def test_is_bounded_and_forgets_what_no_datapoint_is_of(self) -> None:
        memory = Memory()
        for second in range(0, 3000, 5):
            memory = history.remember_running(AT_60_PERCENT, memory, second % 7, START + second, horizon=300)
        assert len(memory.running) <= MAX_RUNNING
        memory = history.remember_running(AT_60_PERCENT, memory, 3, START + 4000, horizon=300)
        assert len(memory.running) <= 2
        assert from_json(to_json(memory)) == memory

    def test_is_not_kept_for_a_service_whose_metrics_are_shared_loads(self) -> None:
        assert history.remember_running(service(), Memory(), 4, START, horizon=300) == Memory()


class TestDeployment:
    @pytest.mark.parametrize("remembers", [True, False])
    def test_a_second_generation_does_not_double_the_load(self, remembers: bool) -> None:
        """4 tasks at 55%; then 8 run, and the newest datapoint is still of the four, or of all at half of it."""
        memory = Memory(desired=4, running=((int(START), 4),) if remembers else ())
        for second, shown, running in ((120, 55.0, 4), (180, 55.0, 8), (240, 36.7, 8), (300, 27.5, 8)):
            now = START + second + 90
            seen = read_metric(AT_60_PERCENT.metrics["Cpu"], [Datapoint(START + second, shown)], running, 180, now)
            state = ServiceState(4, running, deployment_in_progress=running == 8)
            decision = decide(AT_60_PERCENT, Observation(state, {"Cpu": seen}), memory, now)
            assert decision.desired == 4
            memory = carried_out(decision)


class TestSlowStarts:
    @pytest.mark.parametrize("starts_in", [30.0, 60.0, 90.0, 115.0, 150.0])
    @pytest.mark.parametrize("visible_after", [5.0, 60.0])
    @pytest.mark.parametrize("period", [20, 60])
    def test_an_old_average_is_not_multiplied_by_tasks_that_came_since(
        self, period: int, visible_after: float, starts_in: float
    ) -> None:
        scaled = service(tracking(60, "Cpu"), Metrics={"Cpu": {**SLOW_CPU, "Period": period}})
        load = surge(550, 825, at=300)
        plant = BusyCpu(scaled, load, 10, starts_in=starts_in, visible_after=visible_after, period=period).run(1200)
        assert [added for _, added in plant.changes()] == [4]

    @pytest.mark.parametrize("starts_in", [30.0, 90.0])
    @pytest.mark.parametrize("period", [20, 60])
    def test_a_step_is_not_repeated_before_its_tasks_are_in_the_average(self, period: int, starts_in: float) -> None:
        steps = stepping(((0, None, 4),), 60, metric="Cpu", Cooldown=0)
        scaled = service(steps, Metrics={"Cpu": {**SLOW_CPU, "Period": period}})
        plant = BusyCpu(scaled, surge(550, 770, at=300), 10, starts_in=starts_in, period=period).run(1200)
        assert [added for _, added in plant.changes()] == [4]


class TestChangedByHandWhileNobodyLooked:
    """The schedule was disabled, or the service out of the document: when the count was changed nobody knows."""

    MINUTE_CPU = service(tracking(50, "Cpu"), Metrics={"Cpu": SLOW_CPU})

    def counts(self, memory: Memory, desired: int, shown: float) -> set[int]:
        """What is asked for in the two minutes after an hour, of tasks that have run for long and show this much."""
        asked = set()
        for second in range(3600, 3720, 5):
            now, cpu = START + second, self.MINUTE_CPU.metrics["Cpu"]
            points = [Datapoint(now // 60 * 60 - 60 * age, shown) for age in (1, 2, 3)]
            seen = read_metric(cpu, points, desired, 180, now, settles_after=60)
            decision = decide(self.MINUTE_CPU, Observation(ServiceState(desired, desired), {"Cpu": seen}), memory, now)
            memory = carried_out(decision)
            asked.add(decision.desired)
        return asked

    @pytest.mark.parametrize("running", [(), ((int(START), 50),)])
    def test_the_tasks_that_are_gone_are_not_asked_for_again(self, running: tuple[tuple[int, int], ...]) -> None:
        assert self.counts(Memory(50, running=running), 5, shown=60) == {6}

    @pytest.mark.parametrize("running", [(), ((int(START), 5),)])
    def test_those_that_came_are_not_taken_away(self, running: tuple[tuple[int, int], ...]) -> None:
        fast = Behavior.model_validate({"ScaleIn": {"StabilizationWindowSeconds": 0, "Policies": []}})
        self.MINUTE_CPU = self.MINUTE_CPU.model_copy(update={"behavior": fast})
        assert self.counts(Memory(5, running=running), 50, shown=50) == {50}


class TestSilence:
    """A metric of 60 s may be silent for 180 s, and an invocation lasts 60 s."""

    FALLBACK = service(tracking(60, "Cpu"), Metrics={"Cpu": SLOW_CPU}, FallbackCapacity=20)

    def looks(self, scaled: Service, failed: bool) -> list[int]:
        """The counts of looks each 5 s, with an invocation each minute that knows only what was saved."""
        memory, desired, counts = Memory(desired=10), 10, []
        for second in range(0, 600, 5):
            now, in_invocation = START + second, float(second % 60)
            stored = from_json(to_json(memory))
            assert stored is not None
            silent = MetricReading(NoData("no datapoints", in_invocation, failed=failed))
            decision = decide(scaled, Observation(ServiceState(desired, desired), {"Cpu": silent}), stored, now)
            memory, desired = carried_out(decision), decision.desired
            counts.append(desired)
        return counts

    @pytest.mark.parametrize("failed", [True, False])
    def test_lasts_over_hand_overs_until_the_fallback_comes(self, failed: bool) -> None:
        counts = self.looks(self.FALLBACK, failed)
        assert counts.count(10) * 5 == pytest.approx(180, abs=10)
        assert counts[-1] == 20

    def test_ends_with_the_first_datapoint(self) -> None:
        silent = replace(Memory(desired=10), silent={"Cpu": int(START)})
        now = START + 600
        seen = read_metric(self.FALLBACK.metrics["Cpu"], [Datapoint(now - 70, 55.0)], 10, 180, now)
        decision = decide(self.FALLBACK, Observation(ServiceState(10, 10), {"Cpu": seen}), silent, now)
        assert (decision.desired, decision.memory.silent) == (10, {})

    def test_of_a_look_or_two_is_not_written(self) -> None:
        for age in (0.0, 10.0):
            absent = Observation(ServiceState(10, 10), {"Cpu": MetricReading(NoData("throttled", age, failed=True))})
            memory = Memory(desired=10, running=((int(START), 10),))
            assert not decide(self.FALLBACK, absent, memory, START + 600).memory.worth_saving(memory)

    def test_of_one_metric_among_others_is_not_written(self) -> None:
        """Response times are silent whenever nobody asks; the load is known all the same."""
        both = service(tracking(), stepping(metric="Latency", threshold=0.5))
        now = START + 601.5
        seen = read_metric(both.metrics["Requests"], [Datapoint(START + 595, 0.0, 10)], 10, 30, now)
        observation = Observation(ServiceState(10, 10), {"Requests": seen, "Latency": MetricReading(NoData("-", 400))})
        assert decide(both, observation, Memory(desired=10), now).memory.silent == {}


def test_activities_are_bounded_and_what_they_add_up_to_stays() -> None:
    memory = Memory(desired=1)
    for number in range(1, 200):
        activity = Activity(START + 5 * number, number, number + 1, "policy", 1, {"a": number % 3})
        memory = memory.intend(activity, None).acknowledge()
    assert len(memory.activities) == MAX_ACTIVITIES
    assert memory.raised_since(START) == 199
    assert (memory.activities[0].previous, memory.activities[0].steps) == (1, {"a": 2})
    assert memory.activities[-1].at == START + 5 * 199


AT_ONCE = {"ScaleIn": {"StabilizationWindowSeconds": 0, "Cooldown": 0, "Policies": []}}
FAST = {"ScaleIn": {"Cooldown": 0, "Policies": [{"Type": "Percent", "Value": 100, "PeriodSeconds": 15}]}}


class TestGivenBack:
    """What a floor or a higher MaxCapacity has held goes by halves a minute, however fast ScaleIn may be."""

    def counts(self, behavior: object, load: float, seconds: int, floors: int = 0, highest: int = 100) -> list[int]:
        scaled = service(tracking(), highest=highest, Behavior=behavior)
        memory, desired, counts = Memory(desired=60), 60, []
        for second in range(0, seconds, 5):
            now = START + 1.5 + second
            held = [floor(floors, START + 400)] if floors else []
            decision = decide(scaled, observe(scaled, desired, now, load=load, floors=held), memory, now)
            stored = from_json(to_json(carried_out(decision)))
            assert stored is not None
            memory, desired = stored, decision.desired
            counts.append(desired)
        return counts

    @pytest.mark.parametrize("behavior", [AT_ONCE, FAST], ids=["no rate", "100% in 15 s"])
    def test_an_expired_floor(self, behavior: object) -> None:
        counts = self.counts(behavior, load=100, seconds=1200, floors=60)
        assert counts[79] == 60
        assert counts[-1] == 2
        assert all(after >= before // 2 for before, after in zip(counts, counts[11:], strict=False))

    @pytest.mark.parametrize("behavior", [AT_ONCE, FAST], ids=["no rate", "100% in 15 s"])
    def test_a_lower_maximum(self, behavior: object) -> None:
        counts = self.counts(behavior, load=6000, seconds=600, highest=10)
        assert counts[-1] == 10
        assert all(after >= before // 2 for before, after in zip(counts, counts[11:], strict=False))

    def test_the_load_s_own_decline_is_as_fast_as_the_document_says(self) -> None:
        assert self.counts(AT_ONCE, load=100, seconds=10)[0] == 2


def test_steps_both_ways_on_utilisation_do_not_flap() -> None:
    """Out above 70%, in below 50%, as in many a template; 45 tasks' worth of load on few tasks."""
    out = stepping(((0, None, 1),), 70, metric="Cpu", Cooldown=60, name="out")
    into = stepping(((None, 0, -1),), 50, "LessThanThreshold", metric="Cpu", Cooldown=60, name="in")
    scaled = service(out, into, lowest=1, Metrics={"Cpu": SLOW_CPU})
    plant = BusyCpu(scaled, lambda second: 90, 3, period=60).run(7200)
    assert plant.turns() == 0
    assert plant.at(7200) == 2
