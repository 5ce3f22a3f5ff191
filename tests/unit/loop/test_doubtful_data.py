"""What one bad answer must not do: shrink a fleet, blow it up, or stop the loop for the others."""

from collections.abc import Mapping, Sequence

from fastscaler.aws.cloudwatch import Answer, MetricName, MetricRead
from fastscaler.errors import Defect, Throttled, Unavailable
from fastscaler.scaling.observation import Datapoint
from tests.unit.loop.fakes import EPOCH, FakeMetrics, Outcome, Simulation, a_service, per_task_metric

FAST = {"ScaleIn": {"StabilizationWindowSeconds": 0, "Cooldown": 0}}
LATENCY = {
    "Namespace": "Shop",
    "MetricName": "Latency",
    "Statistic": "p90",
    "Period": 5,
    "Dimensions": {"Service": "shop"},
}
SLOW = {
    "Name": "slow",
    "PolicyType": "StepScaling",
    "Metric": "Latency",
    "Threshold": 1,
    "StepScalingPolicyConfiguration": {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}],
    },
}
TRACK = {"Name": "track", "PolicyType": "TargetTracking", "Metric": "Load", "TargetValue": 100}


class OneAnswer(FakeMetrics):
    """Answers for single metrics that differ from what was published, from `since` seconds on."""

    def __init__(self, sim: Simulation, since: float) -> None:
        super().__init__(sim.clock, sim.ecs)
        self.since, self.instead = since, dict[str, Answer]()
        self.only_once = False

    def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
        answers = dict(super().read(reads, now))
        if now - EPOCH < self.since:
            return answers
        changed = {name: self.instead[name[1]] for name in answers if name[1] in self.instead}
        if changed and self.only_once:
            self.instead = {}
        return answers | changed


def test_a_metric_that_could_not_be_read_forbids_scale_in() -> None:
    sim = Simulation()
    sim.metrics = metrics = OneAnswer(sim, since=0)
    policies = [TRACK, SLOW]
    shop = a_service(Metrics={"Load": per_task_metric(), "Latency": LATENCY}, Policies=policies, Behavior=FAST)
    sim.add(shop, tasks=20, load=600)
    metrics.instead = {"Latency": Unavailable("GetMetricData", "InternalError")}
    sim.run([shop], until=60)
    assert sim.fleet(shop).counts == []


def test_its_silence_does_not_while_the_publishers_are_alive() -> None:
    sim = Simulation()
    shop = a_service(Metrics={"Load": per_task_metric(), "Latency": LATENCY}, Policies=[TRACK, SLOW], Behavior=FAST)
    sim.add(shop, tasks=20, load=600)
    sim.run([shop], until=60)
    assert sim.fleet(shop).counts[:1] == [10]


def test_one_empty_answer_is_no_outage() -> None:
    sim = Simulation()
    sim.metrics = metrics = OneAnswer(sim, since=20)
    shop = sim.add(a_service(FallbackCapacity=60), tasks=10, load=900)
    metrics.instead, metrics.only_once = {"Load": []}, True
    sim.run([shop], until=60)
    assert metrics.instead == {}
    assert sim.fleet(shop).counts == []


def test_half_a_total_takes_nothing_away() -> None:
    sim = Simulation()
    total = {"Namespace": "Shop", "MetricName": "Load", "DivideByTasks": True, "Dimensions": {"Service": "shop"}}
    shop = a_service(Metrics={"Load": total}, Policies=[TRACK], Behavior=FAST)
    sim.add(shop, tasks=20, load=0)
    buckets = [Datapoint(EPOCH - 5 * age, 2000) for age in range(1, 5)]
    sim.metrics.datapoints[shop.key, "Load"] = [Datapoint(EPOCH, 200), *buckets]
    sim.clock.sleep(5.5)
    sim.run([shop], until=6.5, looks=1)
    assert sim.fleet(shop).counts == []


def test_a_defect_met_in_one_service_is_that_services_alone() -> None:
    class Poisoned(FakeMetrics):
        def read(self, reads: Sequence[MetricRead], now: float) -> Mapping[MetricName, Answer]:
            poison = Datapoint(EPOCH, "not a number", 4)  # type: ignore[arg-type]  # What no adapter should ever return.
            answers = super().read(reads, now)
            return {name: [poison] if name[0] == broken.key else answer for name, answer in answers.items()}

    sim = Simulation()
    sim.metrics = Poisoned(sim.clock, sim.ecs)
    broken = sim.add(a_service("broken"), tasks=4, load=300)
    shop = sim.add(a_service("shop"), tasks=4, load=1200)
    report = sim.run([broken, shop], until=30)
    assert sim.fleet(shop).counts == [12]
    assert sim.fleet(broken).counts == []
    assert {name for name, error in report.errors() if isinstance(error, Defect)} == {broken.key}


def test_the_loops_own_scale_in_is_never_taken_for_someone_elses() -> None:
    sim = Simulation()
    shop = sim.add(a_service(Behavior={"ScaleIn": {"StabilizationWindowSeconds": 0}}), tasks=40, load=100)
    report = sim.run([shop], until=300)
    assert sim.fleet(shop).counts[:2] == [20, 10]
    assert [note for note in report.noted(shop.key) if "someone else" in note] == []


def test_a_count_that_was_set_by_hand_and_set_right_at_once_is_not_cut_by_a_raise() -> None:
    """1 for 10, put right four seconds later; the raise that the 1 had called for was throttled."""
    sim = Simulation()
    shop = sim.add(a_service(), tasks=10, load=800)
    sim.ecs.outcomes[shop.key] = [Outcome(error=Throttled("UpdateService", "ThrottlingException"), applied_after=None)]
    sim.clock.at(14, lambda: sim.fleet(shop).set_desired(1, 14))
    sim.clock.at(18, lambda: sim.fleet(shop).set_desired(10, 18))
    sim.run([shop], until=40)
    assert sim.fleet(shop).counts == [1, 10]
