"""The benchmark's results: made again on a small scale, and RESULTS.md is nothing but what the rows say."""

import re
from pathlib import Path

import pytest

from benchmarks.ablations import SWITCHED, ablations
from benchmarks.goals import Results, goals
from benchmarks.page import PAGE, render
from benchmarks.rows import FOLDER, Row, read, write
from benchmarks.sensitivity import VARIANTS
from benchmarks.surges import surges
from benchmarks.tournament import SEEDS, controllers, rows_of, tournament
from benchmarks.workloads import WORKLOADS

ASKED = """
    trace controller seed late_percent lost_percent task_hours reaction_seconds recovery_seconds direction_changes
    peak_over_need under_accuracy over_accuracy under_share over_share instability elastic_speedup
"""


def test_the_page_is_what_the_rows_say() -> None:
    assert PAGE.read_text() == render(), "RESULTS.md is written by `make bench`, or `python -m benchmarks.page`"


def test_every_link_and_chart_of_the_page_exists() -> None:
    targets = re.findall(r"\]\(([^)#]+)", PAGE.read_text())
    assert len(targets) > len(WORKLOADS)
    assert [target for target in targets if not (PAGE.parent / target).exists()] == []


def test_the_results_in_the_tree_are_complete() -> None:
    rows = read(FOLDER / "results.json")
    names = [controller.name for controller in controllers()]
    assert [(row["trace"], row["controller"], row["seed"]) for row in rows] == [
        (trace, name, seed) for trace in WORKLOADS for name in names for seed in SEEDS
    ]
    assert {row["switched"] for row in read(FOLDER / "ablations.json")} == set(SWITCHED)
    assert {row["variant"] for row in read(FOLDER / "sensitivity.json")} == set(VARIANTS)
    assert {"fastscaler", "aws-target-tracking-20s"} < set(names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bench of two short kinds of traffic; sensitivity is the tree's."""
    folder = tmp_path_factory.mktemp("bench")
    small = ("surge-5x", "noise")
    write(folder / "results.json", tournament(small, seeds=(1,), charts=folder / "charts"))
    write(folder / "ablations.json", ablations(small[:1]))
    write(folder / "surges.json", surges(runs=4, peers_runs=2))
    write(folder / "sensitivity.json", read(FOLDER / "sensitivity.json"))
    return folder


class TestSmallBench:
    def test_it_makes_the_rows_that_are_in_the_tree(self, folder: Path) -> None:
        """The same seeds give the same results. After a change of code they are others, and `make bench` is due."""
        kept = {(row["trace"], row["controller"], row["seed"]): row for row in read(FOLDER / "results.json")}
        made = read(folder / "results.json")
        assert len(made) == 2 * len(controllers())
        for row in made:
            assert_close(row, kept[row["trace"], row["controller"], row["seed"]])

    def test_rows_have_what_readers_ask_for(self, folder: Path) -> None:
        for row in read(folder / "results.json"):
            assert set(ASKED.split()) <= set(row)
            assert 0 <= row["lost_percent"] <= row["late_percent"] <= 100

    def test_it_makes_a_page_with_every_controller_and_a_chart(self, folder: Path) -> None:
        page = render(folder)
        assert all(controller.name in page for controller in controllers())
        for name in ("surge-5x", "noise"):
            assert (folder / "charts" / f"{name}.png").read_bytes().startswith(b"\x89PNG")

    def test_a_surge_is_answered_sooner_than_by_target_tracking(self, folder: Path) -> None:
        rows = {row["controller"]: row for row in read(folder / "surges.json")}
        assert rows["fastscaler"]["reaction_p50"] < rows["aws-target-tracking-20s"]["reaction_p50"] / 4

    def test_arrivals_and_the_shipped_default_are_in_the_ablations(self, folder: Path) -> None:
        late = {row["switched"]: row["late_percent"] for row in read(folder / "ablations.json")}
        assert late["counting arrivals"] > late["nothing"]


def assert_close(row: Row, other: Row) -> None:
    """The last digit may differ between processors."""
    assert row.keys() == other.keys()
    for name, value in row.items():
        assert value == (pytest.approx(other[name], rel=1e-3) if isinstance(value, float) else other[name]), name


def of(trace: str, controller: str, **figures: float) -> Row:
    """A row of results, unremarkable but for `figures`."""
    usual = {
        "late_percent": 1.0,
        "task_hours": 10.0,
        "peak_over_need": 1.2,
        "direction_changes_5_minutes": 0,
        "retriggered_scale_ins": 0,
    }
    return {"trace": trace, "controller": controller, "seed": 1, **usual, **figures}


def answered(controller: str, reaction: float | None, recovery: float | None) -> Row:
    times = {"reaction_p50": reaction, "reaction_p99": reaction, "recovery_p50": recovery, "recovery_p99": recovery}
    return {"controller": controller, **times}


class TestGoals:
    def measured(self, *rows: Row, mine: Row) -> dict[str, tuple[str, bool]]:
        others = [answered("aws-target-tracking-20s", 86.0, 265.0)]
        found = goals(Results(rows), [mine, *others])
        return {goal.what: (goal.measured, goal.met) for goal in found}

    def test_all_is_met(self) -> None:
        """Late: 0.9 + 0.1 against 9.9 + 0.1 and 3.9 + 0.1."""
        rows = [
            of("noise", "fastscaler", late_percent=0.9, task_hours=9.0),
            of("noise", "aws-target-tracking-20s", late_percent=9.9),
            of("noise", "kubernetes-hpa", late_percent=3.9),
        ]
        found = self.measured(*rows, mine=answered("fastscaler", 6.0, 50.0))
        assert all(met for _, met in found.values())
        assert found["late or lost requests, against aws-target-tracking-20s"][0] == "0.10 x"
        assert found["late or lost requests, against kubernetes-hpa"][0] == "0.25 x"
        assert found["task-hours, against aws-target-tracking-20s"][0] == "0.90 x"

    def test_nothing_is_met(self) -> None:
        rows = [
            of(
                "noise",
                "fastscaler",
                late_percent=5.0,
                task_hours=11.0,
                peak_over_need=1.7,
                direction_changes_5_minutes=4,
                retriggered_scale_ins=1,
            ),
            of("noise", "aws-target-tracking-20s"),
            of("noise", "kubernetes-hpa"),
        ]
        found = self.measured(*rows, mine=answered("fastscaler", 11.0, None))
        assert not any(met for _, met in found.values())
        assert found["last late request after a 5x surge, median"][0] == "never"
        assert found["traffic with more late requests than that peer"][0] == "+4.00 points"

    def test_a_geometric_mean_over_traffic_hides_no_ratio(self) -> None:
        """0.4 and 0.1 times as many, and so 0.2 times."""
        rows = [
            of("noise", "fastscaler", late_percent=3.9),
            of("noise", "aws-target-tracking-20s", late_percent=9.9),
            of("noise", "kubernetes-hpa"),
            of("surge", "fastscaler", late_percent=0.9),
            of("surge", "aws-target-tracking-20s", late_percent=9.9),
            of("surge", "kubernetes-hpa"),
        ]
        found = self.measured(*rows, mine=answered("fastscaler", 6.0, 50.0))
        assert found["late or lost requests, against aws-target-tracking-20s"] == ("0.20 x", True)


def test_what_a_seed_gives_does_not_depend_on_what_ran_before() -> None:
    job = ("surge-2x", 2, None)
    assert rows_of(job) == rows_of(job)
