"""The figures of a run, on runs that are written down: every expected figure is computed by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from simulator.run import Call, Run, Trace, Usage
from simulator.score.cost import TaskSize, control_plane_usd, cost_usd, task_hours
from simulator.score.elasticity import elasticity, speedup
from simulator.score.late import late_periods
from simulator.score.score import elastic_speedup, over_oracle, score
from simulator.score.stability import direction_changes, peak_over_need, retriggers
from simulator.score.surge import capacity_seconds, reaction_seconds, recovery_seconds
from simulator.settings import Settings
from simulator.simulate import simulate
from tests.unit.simulator.worlds import Scripted

# A task meets the objective with up to 120 requests/s.
SETTINGS = Settings(minimum=1, maximum=50)


def run_of(
    load: Sequence[float],
    *,
    healthy: Sequence[int] | None = None,
    late: Sequence[float] | None = None,
    lost: Sequence[float] | None = None,
    calls: Sequence[tuple[float, int, int]] = (),
    controller: str = "written-down",
    usage: Usage | None = None,
    settings: Settings = SETTINGS,
) -> Run:
    """A run with these figures per second; one task and no trouble where none are given."""
    seconds = len(load)
    tasks = np.array(healthy or [1] * seconds)
    none = [0.0] * seconds
    return Run(
        trace="written-down",
        controller=controller,
        seed=1,
        settings=settings,
        load=np.array(load, dtype=float),
        served=np.array(load, dtype=float),
        late=np.array(late or none, dtype=float),
        lost=np.array(lost or none, dtype=float),
        queue=np.zeros(seconds),
        desired=tasks,
        running=tasks,
        healthy=tasks,
        billed=tasks,
        calls=tuple(Call(at, before, after) for at, before, after in calls),
        usage=usage or Usage(),
    )


class TestRequests:
    def test_lost_requests_are_late_ones_too(self) -> None:
        row = score(run_of([100, 100, 100, 100], late=[0, 30, 0, 0], lost=[0, 0, 10, 0]))
        assert row["late_percent"] == 10
        assert row["lost_percent"] == 2.5
        assert row["late_requests"] == 40

    def test_no_traffic_is_no_trouble(self) -> None:
        assert score(run_of([0, 0]))["late_percent"] == 0

    def test_periods_that_are_close_together_are_one(self) -> None:
        late = [0.0] * 200
        late[10] = late[12] = late[72] = late[150] = 1.0
        assert late_periods(run_of([100] * 200, late=late)) == [(10, 73), (150, 151)]
        assert late_periods(run_of([100] * 3)) == []


class TestSurge:
    def test_the_first_call_that_raises_is_the_reaction(self) -> None:
        calls = [(5.0, 2, 3), (21.0, 3, 2), (26.5, 2, 6), (40.0, 6, 9)]
        assert reaction_seconds(run_of([100] * 60, calls=calls), 20.25, 60) == 6.25

    def test_a_surge_that_nobody_answers_before_the_next_one_has_no_reaction(self) -> None:
        assert reaction_seconds(run_of([100] * 60, calls=[(50.0, 2, 6)]), 20, 45) is None

    def test_capacity_is_there_when_the_highest_load_is_met(self) -> None:
        """600 requests/s need 5 tasks."""
        healthy = [1] * 8 + [3] * 4 + [5] * 8
        assert capacity_seconds(run_of([100] * 5 + [600] * 15, healthy=healthy), 5.5, 20) == 6.5
        assert capacity_seconds(run_of([100] * 5 + [601] * 15, healthy=healthy), 5.5, 20) is None

    def test_recovery_ends_with_the_last_late_request(self) -> None:
        late = [0.0] * 5 + [1, 1, 0, 1] + [0.0] * 11
        assert recovery_seconds(run_of([100] * 20, late=late), 5.5, 20) == 3.5
        assert recovery_seconds(run_of([100] * 20), 5.5, 20) == 0

    def test_late_to_the_end_is_no_recovery(self) -> None:
        assert recovery_seconds(run_of([100] * 10, lost=[0.0] * 5 + [1.0] * 5), 5, 10) is None

    def test_a_trace_without_a_surge_has_no_such_figures(self) -> None:
        row = score(run_of([100] * 10, calls=[(3.0, 1, 2)]))
        assert (row["reaction_seconds"], row["capacity_seconds"], row["recovery_seconds"]) == (None, None, None)


class TestStability:
    CALLS = ((10.0, 2, 6), (100.0, 6, 8), (350.0, 8, 4), (460.0, 4, 5), (800.0, 5, 3))

    def test_direction_changes(self) -> None:
        """Up, up, down after 250 s, up after 110 s, down after 340 s."""
        run = run_of([100] * 1000, calls=self.CALLS)
        assert direction_changes(run) == 3
        assert direction_changes(run, 300) == 2

    def test_a_scale_in_that_was_needed_again_within_two_minutes(self) -> None:
        assert retriggers(run_of([100] * 1000, calls=self.CALLS)) == 1
        assert retriggers(run_of([100] * 1000, calls=[(10.0, 6, 4), (131.0, 4, 6)])) == 0

    def test_a_call_that_changes_nothing_is_no_direction(self) -> None:
        assert direction_changes(run_of([100] * 100, calls=[(1.0, 2, 3), (2.0, 3, 3), (3.0, 3, 4)])) == 0

    def test_the_peak_is_compared_with_the_most_that_was_needed(self) -> None:
        """600 requests/s need 5 tasks, and 12 were there."""
        assert peak_over_need(run_of([100, 600, 100], healthy=[1, 8, 12])) == 2.4

    def test_the_minimum_is_always_needed(self) -> None:
        assert peak_over_need(run_of([10, 10], healthy=[4, 4], settings=Settings(minimum=4))) == 1


class TestElasticity:
    # Demand 1, 1, 4, 4, 2; supply 1, 2, 2, 5, 4.
    RUN = run_of([100, 120, 480, 400, 240], healthy=[1, 2, 2, 5, 4])

    def test_accuracies_are_shares_of_the_demand(self) -> None:
        """Lacking: 2 of 4 in one of five seconds. Too many: 1 of 1, 1 of 4, 2 of 2 in three of five."""
        figures = elasticity(self.RUN)
        assert figures.under_accuracy == pytest.approx(100 * 0.5 / 5)
        assert figures.over_accuracy == pytest.approx(100 * (1 + 0.25 + 1) / 5)

    def test_shares_of_the_time(self) -> None:
        figures = elasticity(self.RUN)
        assert (figures.under_share, figures.over_share) == (20, 60)

    def test_instability_is_the_time_in_which_the_two_move_differently(self) -> None:
        """Demand: stays, rises, stays, falls. Supply: rises, stays, rises, falls."""
        assert elasticity(self.RUN).instability == 75

    def test_speedup_is_the_geometric_mean_over_not_scaling(self) -> None:
        scaled = elasticity(self.RUN)
        unscaled = replace(
            scaled,
            under_accuracy=16 * scaled.under_accuracy,
            over_accuracy=scaled.over_accuracy,
            under_share=scaled.under_share,
            over_share=scaled.over_share,
        )
        assert speedup(scaled, unscaled) == pytest.approx(2)
        assert speedup(scaled, scaled) == pytest.approx(1)

    def test_speedup_is_not_defined_without_anything_lacking(self) -> None:
        enough = run_of([100, 120], healthy=[2, 2])
        assert elastic_speedup(self.RUN, enough) is None


class TestCost:
    def test_a_task_of_half_a_core(self) -> None:
        """0.5 x 0.04048 + 1 x 0.004445."""
        assert TaskSize().usd_per_hour == pytest.approx(0.024685)
        assert TaskSize(2, 4).usd_per_hour == pytest.approx(0.09874)

    def test_two_tasks_for_half_an_hour(self) -> None:
        run = run_of([10] * 1800, healthy=[2] * 1800, controller="no-scaling")
        assert task_hours(run) == 1
        assert cost_usd(run) == pytest.approx(0.024685)
        assert cost_usd(run, TaskSize(2, 4)) == pytest.approx(0.09874)

    def test_target_tracking_pays_for_its_alarms(self) -> None:
        """Two alarms of 0.30 a month of 720 hours."""
        run = run_of([10] * 3600, controller="aws-target-tracking-20s")
        assert control_plane_usd(run) == pytest.approx(0.60 / 720)

    def test_who_publishes_pays_per_call(self) -> None:
        """Ten tasks every 5 s for an hour are 7,200 calls of 0.00001, and three metrics of 0.30 a month."""
        run = run_of([10] * 3600, usage=Usage(published=7200))
        assert control_plane_usd(run) == pytest.approx(0.072 + 0.90 / 720)

    def test_fastscaler_pays_for_its_function_and_what_it_reads(self) -> None:
        """3,600 s of 0.25 GB are 0.015; 60 overlaps of 2.5 s are 0.000625; 780 metrics are 0.0078."""
        idle = control_plane_usd(run_of([10] * 3600, usage=Usage(invocations=60)))
        assert 0.015 + 0.000625 < idle < 0.03
        reading = control_plane_usd(run_of([10] * 3600, usage=Usage(invocations=60, metrics_read=780)))
        assert reading - idle == pytest.approx(0.0078)


def test_the_oracle_is_one() -> None:
    run = run_of([100, 600, 100], healthy=[1, 5, 5], calls=[(0.5, 1, 5)])
    other = run_of([100, 600, 100], healthy=[1, 10, 12], calls=[(0.5, 1, 10), (1.5, 10, 12)])
    assert over_oracle(score(run), score(run))["task_hours_over_oracle"] == 1
    ratios = over_oracle(score(other), score(run))
    assert ratios["task_hours_over_oracle"] == pytest.approx(23 / 11, rel=1e-5)
    assert ratios["peak_over_need_over_oracle"] == 2.4


def test_the_row_of_a_simulated_run_agrees_with_what_happened() -> None:
    """480 requests/s need 4 tasks; there are 2 until two more come, after 20 s of start and 10 s of checks."""
    world = Settings(start_median=20.0, start_sigma=0.0, start_tasks=2, minimum=1)
    run = simulate(Trace("surge", [200.0] * 20 + [480.0] * 100), Scripted({25: 4}), world)
    row = score(run, surge_at=20)
    assert row["reaction_seconds"] == pytest.approx(5.2)
    assert row["capacity_seconds"] == 36
    assert isinstance(row["recovery_seconds"], float | int)
    assert row["recovery_seconds"] > 36, "queues are worked off after that"
    assert row["peak_over_need"] == 1
    assert row["peak_desired"] == 4
