"""The sentences that `fastscaler simulate` prints: what an operator would conclude from the same run."""

from dataclasses import replace

from simulator.advice import advice
from simulator.run import Run, Trace
from simulator.settings import Settings
from simulator.simulate import simulate
from tests.unit.simulator.test_score import run_of
from tests.unit.simulator.worlds import Scripted, steady

WORLD = Settings(start_median=20.0, start_sigma=0.0, start_tasks=2, minimum=1)


def said(run: Run, *others: Run) -> str:
    return "\n".join(advice(run, others))


def surge(calls: dict[int, int], world: Settings = WORLD) -> Run:
    """200 requests/s for a minute, then 720, which need 6 tasks, for two."""
    return simulate(Trace("surge", [200.0] * 60 + [720.0] * 120), Scripted(calls), world)


def test_a_calm_run_is_said_to_be_calm() -> None:
    text = said(simulate(steady(200, 600), Scripted(), WORLD))
    assert "No request was late or lost." in text
    assert "direction" not in text


def test_the_worst_period_is_told_with_its_load_and_what_took_so_long() -> None:
    text = said(surge({68: 8}))
    assert "in 1 period." in text
    assert "began at 0:01:00" in text
    assert "the load went from 200 to 720 requests/s" in text
    assert "The first call came after 8 s, and enough tasks served 31 s later." in text


def test_a_maximum_that_is_too_low_is_named() -> None:
    assert "6 tasks were needed, and MaxCapacity is 4: raise it." in said(surge({65: 4}, replace(WORLD, maximum=4)))


def test_a_policy_that_does_nothing_is_told_from_what_load_on_it_should() -> None:
    text = said(surge({}))
    assert "Nothing was scaled out meanwhile, though 6 tasks were needed" in text
    assert "late from 120 requests/s" in text


def test_tasks_that_were_asked_for_before_are_not_blamed_on_the_policy() -> None:
    assert "still starting: a faster start" in said(surge({45: 6}))


def test_a_minimum_above_the_need_is_named_where_it_costs() -> None:
    run = simulate(steady(100, 600), Scripted(), replace(WORLD, minimum=8, start_tasks=8))
    assert "8.0 tasks were paid for where 1.0 were needed, 8.0 times as many." in said(run)
    assert "MinCapacity 8 was more than the need for 100% of the time: lower it." in said(run)


def test_an_overshoot_is_named() -> None:
    run = simulate(steady(700, 900), Scripted({10: 20}), replace(WORLD, start_tasks=6))
    assert "The peak was 20 tasks where 6 were needed." in said(run)


def test_flapping_is_counted() -> None:
    calls = [(100.0, 2, 6), (200.0, 6, 3), (260.0, 3, 6)]
    assert "changed its direction 2 times within 5 minutes; 1 scale-ins were taken back" in said(
        run_of([100] * 600, calls=calls)
    )


def test_the_month_is_the_trace_over_and_over() -> None:
    """Two tasks of 0.024685 an hour, 720 hours."""
    run = run_of([100] * 3600, healthy=[2] * 3600, controller="no-scaling")
    assert "about $36: $36 for tasks of 0.5 vCPU and 1 GB, $0 for metrics and scaling." in said(run)


def test_others_are_compared_by_late_requests_and_cost() -> None:
    run = run_of([100] * 100, healthy=[2] * 100)
    other = run_of([100] * 100, healthy=[1] * 100, late=[50.0] * 100, controller="kubernetes-hpa")
    assert "kubernetes-hpa: 50.00% late or lost, 0.50 times the cost." in said(run, other)
