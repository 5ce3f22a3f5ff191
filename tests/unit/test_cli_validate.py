"""`fastscaler validate`: what is printed, on a terminal and in a pipe, and the exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fastscaler.cli import app
from tests.unit.document.documents import METRIC, SERVICE

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    file = tmp_path / "valid.yaml"
    api = {**SERVICE, "Service": "api", "Metrics": {"Requests": {**METRIC, "Dimensions": {"Service": "api"}}}}
    file.write_text(json.dumps({"Services": [SERVICE, api]}))
    return file


@pytest.fixture
def invalid(tmp_path: Path) -> Path:
    file = tmp_path / "invalid.yaml"
    file.write_text(json.dumps({"Services": [{**SERVICE, "MinCapacity": 101, "Zone": "[red]a"}]}))
    return file


def test_a_valid_document_is_one_line_and_exit_code_0(valid: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(valid)])
    assert result.stdout == f"{valid}: 2 services, valid\n"
    assert result.exit_code == 0


def test_the_shipped_document_is_valid() -> None:
    result = CliRunner().invoke(app, ["validate", str(ROOT / "policies.yaml")])
    assert result.stdout.endswith("policies.yaml: 1 service, valid\n")
    assert result.exit_code == 0


def test_every_problem_is_one_line_in_a_pipe_and_the_exit_code_is_1(invalid: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(invalid)])
    unknown, above = result.stdout.splitlines()
    assert unknown.startswith(f"{invalid}:1: prod/web: Zone = '[red]a': no such key; allowed here: Cluster, Service")
    assert above == f"{invalid}:1: prod/web: MinCapacity = 101: must be at most MaxCapacity (100)"
    assert result.exit_code == 1


def test_a_terminal_gets_indented_lines_that_fit_and_a_count(invalid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(app, ["validate", str(invalid)])
    assert "\n  MinCapacity = 101\n    must be at most MaxCapacity (100)\n" in result.stdout
    assert "  Zone = '[red]a'\n" in result.stdout  # Shown as written, not taken for a colour.
    assert result.stdout.replace("\n", "").endswith("2 problems")
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert result.exit_code == 1


def test_all_files_are_checked_and_the_worst_decides(valid: Path, invalid: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    result = CliRunner().invoke(app, ["validate", str(missing), str(invalid), str(valid)])
    assert result.stderr == f"{missing}: cannot be read: No such file or directory\n"
    assert result.stdout.splitlines()[-1] == f"{valid}: 2 services, valid"
    assert len(result.stdout.splitlines()) == 3
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, ": cannot be read: Is a directory"),
        (b"Mode: active\nZone: \xff", ":2: cannot be read: not UTF-8 text; save it as UTF-8"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_code_2(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "policies.yaml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    result = CliRunner().invoke(app, ["validate", str(file)])
    assert result.stderr == f"{file}{reason}\n"
    assert result.stdout == ""
    assert result.exit_code == 2


def test_a_byte_order_mark_is_no_problem(valid: Path) -> None:
    valid.write_bytes(b"\xef\xbb\xbf" + valid.read_bytes())
    assert CliRunner().invoke(app, ["validate", str(valid)]).exit_code == 0


def noted(tmp_path: Path, *arguments: str, **changed: object) -> Result:
    file = tmp_path / "noted.yaml"
    file.write_text(json.dumps({"Services": [{**SERVICE, **changed}]}))
    return CliRunner().invoke(app, ["validate", *arguments, str(file)])


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"Metrics": {"Requests": METRIC, "Slow": METRIC}}, "Metrics.Slow: no policy uses it, so it is not read"),
        (
            {"Metrics": {"Requests": {**METRIC, "Dimensions": {"Service": "web", "Cluster": "test"}}}},
            "Metrics.Requests.Dimensions.Cluster = 'test': not 'prod', whose count it decides",
        ),
        ({"Service": "api"}, "Metrics.Requests.Dimensions.Service = 'web': not 'api', whose count it decides"),
        ({"Metrics": {"Requests": {**METRIC, "MetricName": "Rps"}}}, "LoadBalancer: stands in for no metric; it can"),
        ({"Policies": SERVICE["Policies"][:1]}, "Policies: none takes tasks away, so the count never falls by itself"),
    ],
)
def test_what_was_probably_not_meant_is_a_note_and_the_document_stays_valid(
    tmp_path: Path, changed: dict[str, object], note: str
) -> None:
    if "Slow" in note:
        changed = {**changed, "LoadBalancer": None}
    result = noted(tmp_path, **changed)
    valid, line = result.stdout.splitlines()
    assert valid.endswith("noted.yaml: 1 service, valid")
    assert note in line.partition(": note: ")[2]
    assert result.exit_code == 0


def test_a_service_that_is_told_not_to_scale_in_needs_no_policy_that_does(tmp_path: Path) -> None:
    only_out = {"Policies": SERVICE["Policies"][:1], "Behavior": {"ScaleIn": {"SelectPolicy": "Disabled"}}}
    assert len(noted(tmp_path, **only_out).stdout.splitlines()) == 1


def with_samconfig(tmp_path: Path, overrides: str) -> list[str]:
    (tmp_path / "samconfig.toml").write_text(f"[default.global.parameters]\nparameter_overrides = {overrides}\n")
    result = noted(tmp_path)
    assert result.exit_code == 0
    return result.stdout.splitlines()[1:]


ARN = "arn:aws:ecs:*:*:service"


@pytest.mark.parametrize(
    "overrides", [f'["Architecture=arm64", "ServiceArns={ARN}/prod/api"]', f"'ServiceArns=\"{ARN}/prod/api\" A=b'"]
)
def test_a_service_that_the_role_may_not_scale_is_a_note(tmp_path: Path, overrides: str) -> None:
    [note] = with_samconfig(tmp_path, overrides)
    assert note.endswith("prod/web: ServiceArns in samconfig.toml does not name it, so the role may not scale it")


@pytest.mark.parametrize(
    "overrides", [f'["ServiceArns={ARN}/prod/api,{ARN}/prod/w*"]', f"'A=b ServiceArns={ARN}/*/*'", '["A=b"]', "[1", "1"]
)
def test_a_service_that_it_may_scale_or_that_nothing_is_known_of_is_none(tmp_path: Path, overrides: str) -> None:
    assert with_samconfig(tmp_path, overrides) == []


def test_notes_stay_out_of_json(tmp_path: Path) -> None:
    result = noted(tmp_path, "--cost", "--json", Service="api")
    assert list(json.loads(result.stdout)) == [str(tmp_path / "noted.yaml")]
    assert "note: prod/api: Metrics.Requests.Dimensions.Service" in result.stderr


def test_metrics_of_an_expression_that_a_policy_uses_are_used(tmp_path: Path) -> None:
    queue = {"Namespace": "AWS/SQS", "MetricName": "Messages", "Period": 60, "Dimensions": {"QueueName": "orders"}}
    backlog = {"Expression": "Queue * 2", "Period": 60}
    policy = {"Name": "backlog", "PolicyType": "TargetTracking", "Metric": "Backlog", "TargetValue": 5}
    result = noted(tmp_path, Metrics={"Queue": queue, "Backlog": backlog}, Policies=[policy], LoadBalancer=None)
    assert result.stdout == f"{tmp_path / 'noted.yaml'}: 1 service, valid\n"


@pytest.mark.parametrize(
    "file",
    [ROOT / "policies.yaml", *(file for file in EXAMPLES.glob("*/*.yaml") if "\nServices:\n" in file.read_text())],
    ids=lambda file: f"{file.parent.name}/{file.stem}",
)
def test_the_shipped_documents_have_nothing_to_note(file: Path) -> None:
    result = CliRunner().invoke(app, ["validate", str(file)])
    assert len(result.stdout.splitlines()) == 1
    assert result.exit_code == 0


@pytest.mark.parametrize("missing", ["typer", "rich", "rich.console"])
def test_without_its_extra_the_command_says_what_to_install(missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; from fastscaler.cli import app; app()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == "fastscaler: the command line needs more packages: pip install 'fastscaler[cli]'\n"
    assert done.returncode == 1
