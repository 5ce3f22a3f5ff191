"""`fastscaler simulate` as a user runs it."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fastscaler.cli import app

ROOT = Path(__file__).parents[3]
POLICIES = str(ROOT / "policies.yaml")
SURGE = "second,rps\n" + "".join(f"{second},{300 if second < 120 else 1500}\n" for second in range(300))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with a surge of five times the load in it."""
    monkeypatch.chdir(tmp_path)
    Path("traffic.csv").write_text(SURGE)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments], env={"COLUMNS": "80"})


def found(*arguments: str) -> dict[str, Any]:
    done = run(POLICIES, "--trace", "traffic.csv", "--json", *arguments)
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_table_advice_and_a_chart(folder: Path) -> None:
    done = run(POLICIES, "--trace", "traffic.csv", "--compare", "aws-20s,hpa")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert "5 minutes, 1,020 requests/s on average, 1,500 at most" in said
    for name in ("fastscaler", "aws-target-tracking-20s", "kubernetes-hpa"):
        assert name in done.stdout
    assert "were late or lost, in 1 period" in said
    assert "A month like this costs about $" in said
    assert "chart: simulation.png" in done.stdout
    assert (folder / "simulation.png").read_bytes().startswith(b"\x89PNG")
    assert done.stderr == "", "a bar is for terminals"


def test_json_has_the_same_for_programs(folder: Path) -> None:
    answer = found("--compare", "none,oracle", "--chart", "charts/mine.png")
    assert answer["service"] == "fast-scaling-cluster/fast-scaling-service"
    assert answer["seconds"] == 300
    mine, none, oracle = answer["controllers"]
    assert [one["controller"] for one in (mine, none, oracle)] == ["fastscaler", "no-scaling", "oracle"]
    assert oracle["late_percent"] <= mine["late_percent"] < none["late_percent"]
    assert mine["usd_a_month"] == pytest.approx(mine["cost_usd"] * 720 * 12, rel=1e-3)
    assert answer["advice"]
    assert Path(answer["chart"]) == Path("charts/mine.png")
    assert (folder / "charts" / "mine.png").exists()


def test_a_task_that_can_do_more_has_fewer_late_requests(folder: Path) -> None:
    usual, strong = (found("--task-capacity", capacity)["controllers"][0] for capacity in ("150", "600"))
    assert strong["late_percent"] < usual["late_percent"]


def test_tasks_that_start_sooner_have_fewer_late_requests(folder: Path) -> None:
    slow, fast = (found("--start-seconds", seconds)["controllers"][0] for seconds in ("60", "10"))
    assert fast["late_percent"] < slow["late_percent"]


def test_larger_tasks_cost_more(folder: Path) -> None:
    small, large = found(), found("--vcpu", "2", "--memory", "4")
    assert large["controllers"][0]["usd_a_month"] > 2 * small["controllers"][0]["usd_a_month"]
    assert large["controllers"][0]["late_percent"] == small["controllers"][0]["late_percent"]


def test_all_compares_with_all(folder: Path) -> None:
    assert len(found("--compare", "all")["controllers"]) == 9


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--trace", "none.csv"], 2, "none.csv: cannot be read: No such file or directory"),
        (["--trace", "bad.csv"], 2, "bad.csv, line 3: rps 'x': must be a number of at least 0"),
        (["--trace", "traffic.csv", "--compare", "ecs"], 2, "--compare ecs: must be one of aws-20s, aws-60s"),
        (["--trace", "traffic.csv", "--service", "other"], 2, "--service other: no such service"),
        (["--trace", "traffic.csv", "--task-capacity", "0"], 2, "--task-capacity 0: must be above 0"),
        (["--trace", "traffic.csv", "--task-capacity", "nan"], 2, "--task-capacity nan: must be above 0"),
        (["--trace", "traffic.csv", "--start-seconds", "-1"], 2, "--start-seconds -1: must be above 0"),
        (["--trace", "traffic.csv", "--seed", "-1"], 2, "--seed -1: must be at least 0"),
        (["--trace", "traffic.csv", "--compare", "a\nb"], 2, "--compare a\\nb: must be one of"),
        (["--trace", "traffic.csv", "--chart", "chart.pdf"], 2, "--chart chart.pdf: must end in .png"),
        (["--trace", "traffic.csv", "--chart", "bad.csv/chart.png"], 2, "bad.csv/chart.png: cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder: Path, arguments: list[str], code: int, line: str) -> None:
    Path("bad.csv").write_text("second,rps\n0,1\n1,x\n")
    done = run(POLICIES, *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("fastscaler simulate: ")
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_metric_that_the_simulated_world_lacks_is_named(folder: Path) -> None:
    document = """
Services:
  - Cluster: shop
    Service: worker
    MinCapacity: 1
    MaxCapacity: 9
    Metrics:
      Waiting:
        Namespace: AWS/SQS
        MetricName: ApproximateNumberOfMessagesVisible
        Period: 60
        DivideByTasks: true
        Dimensions: {QueueName: jobs}
    Policies:
      - {Name: backlog, PolicyType: TargetTracking, Metric: Waiting, TargetValue: 50}
"""
    Path("queue.yaml").write_text(document)
    done = run("queue.yaml", "--trace", "traffic.csv")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "shop/worker: Metrics.Waiting cannot be simulated: the simulator has RequestsPerSecond" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_policies_that_say_nothing_of_requests_need_a_capacity(folder: Path) -> None:
    document = """
Services:
  - Cluster: shop
    Service: web
    MinCapacity: 1
    MaxCapacity: 9
    Metrics:
      Cpu:
        Namespace: AWS/ECS
        MetricName: CPUUtilization
        Period: 20
        Dimensions: {ClusterName: shop, ServiceName: web}
    Policies:
      - {Name: cpu, PolicyType: TargetTracking, Metric: Cpu, TargetValue: 50}
"""
    Path("cpu.yaml").write_text(document)
    done = run("cpu.yaml", "--trace", "traffic.csv")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.endswith("no policy says how many requests/s one task can serve: give --task-capacity\n")


def test_an_invalid_document_is_told_as_by_validate(folder: Path) -> None:
    Path("broken.yaml").write_text("Services: []\n")
    done = run("broken.yaml", "--trace", "traffic.csv")
    assert done.exit_code == 1
    assert "Services" in done.output


def test_the_library_finds_the_command_and_never_imports_the_simulator_itself() -> None:
    assert [one.value for one in entry_points(group="fastscaler.commands") if one.name == "simulate"] == [
        "simulator.command:simulate"
    ]
    program = "import sys, fastscaler.invocation, fastscaler.explain; assert 'simulator' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    library = ROOT / "layers" / "fastscaler" / "fastscaler"
    assert [file for file in library.rglob("*.py") if "import simulator" in file.read_text()] == []
    assert [file for file in library.rglob("*.py") if "from simulator" in file.read_text()] == []


def test_other_commands_do_not_wait_for_the_simulators_packages() -> None:
    program = "import sys, fastscaler.cli; assert not {'numpy', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_every_module_is_in_the_package_that_is_installed() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "simulator" / "pyproject.toml").read_text())
    folders = (file.parent.relative_to(ROOT) for file in (ROOT / "simulator").rglob("__init__.py"))
    packages = {".".join(folder.parts) for folder in folders if "build" not in folder.parts}
    assert set(project["tool"]["setuptools"]["packages"]) == packages
