"""`fastscaler validate --cost`: what is printed, on 80 columns and as JSON, and the exit code."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fastscaler.cli import app
from tests.unit.document.documents import SERVICE

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(ROOT)


@pytest.fixture
def invalid(tmp_path: Path) -> str:
    file = tmp_path / "invalid.yaml"
    file.write_text(json.dumps({"Services": [{**SERVICE, "MinCapacity": 101}]}))
    return str(file)


@pytest.mark.parametrize("columns", ["80", None])
def test_the_bill_of_the_shipped_document(columns: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    result = CliRunner().invoke(app, ["validate", "--cost", "policies.yaml"])
    assert result.stdout == (
        "policies.yaml: 1 service, valid\n"
        "\n"
        "                                 reads/hour   billed/month       USD   USD busy\n"
        "fast-scaling-cluster/fast-scaling-service\n"
        "  RequestsPerSecond                     780        561,600      5.62       9.07\n"
        "  load balancer, 3 counters              60        129,600      1.30       1.30\n"
        "  FastScaler's own metrics                                      2.10       2.40\n"
        "all services together\n"
        "  Lambda, 256 MB, x86_64                                       10.80      10.80\n"
        "  Lambda, overlap at hand-overs                                 0.46       0.46\n"
        "  DynamoDB, reads                                               0.08       0.12\n"
        "  DynamoDB, writes                                              0.03       0.05\n"
        "  FastScaler's own metrics                                      3.00       3.00\n"
        "  alarms                                                        1.10       1.10\n"
        "  dashboard                                                     3.00       3.00\n"
        "  logs                                                          0.04       0.04\n"
        "total                                                          27.52      31.34\n"
        "\n"
        "us-east-1, list prices, 30 days, no free tier.\n"
        "Busy: load above half of a scale-out threshold all month; late data is reread.\n"
        "Not included: publishing by your tasks, 5.18 each with PutMetricData every 5 s.\n"
    )
    assert result.exit_code == 0


def test_names_of_any_length_fit_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    key, name = "RequestsPerSecondOfThisServiceAloneAndOfNoOther", "s" * 200
    policies = [{"Name": "tracking", "PolicyType": "TargetTracking", "Metric": key, "TargetValue": 100}]
    metrics = {key: SERVICE["Metrics"]["Requests"]}  # type: ignore[index]
    file = tmp_path / "long.yaml"
    file.write_text(json.dumps({"Services": [{**SERVICE, "Service": name, "Metrics": metrics, "Policies": policies}]}))
    printed = CliRunner().invoke(app, ["validate", "--cost", str(file)]).stdout.splitlines()
    bill = [line for line in printed if not line.startswith(f"{file}:")]  # Which is about the document.
    assert max(len(line) for line in bill) <= 80
    assert name in "".join(bill)
    assert key in "".join(line[:33].strip() for line in bill if line.startswith("  "))


def test_without_the_option_no_bill_is_printed() -> None:
    result = CliRunner().invoke(app, ["validate", "policies.yaml"])
    assert result.stdout == "policies.yaml: 1 service, valid\n"


def test_an_invalid_document_has_no_bill(invalid: str) -> None:
    result = CliRunner().invoke(app, ["validate", "--cost", invalid, "policies.yaml"])
    assert result.stdout.count("total") == 1
    assert f"{invalid}:1: prod/web: MinCapacity = 101: must be at most MaxCapacity (100)\n" in result.stdout
    assert result.exit_code == 1


def test_json_is_one_object_by_file_and_problems_go_to_standard_error(invalid: str) -> None:
    result = CliRunner().invoke(app, ["validate", "--cost", "--json", invalid, "policies.yaml"])
    bills = json.loads(result.stdout)
    assert list(bills) == ["policies.yaml"]
    (service,) = bills["policies.yaml"]["services"]
    assert service["items"][0] == {
        "name": "RequestsPerSecond",
        "usd": {"calm": 5.616, "busy": 9.072},
        "reads_per_hour": {"calm": 780.0, "busy": 1260.0},
        "billed_per_month": {"calm": 561600.0, "busy": 907200.0},
    }
    assert bills["policies.yaml"]["total"] == {"calm": 27.5204, "busy": 31.3406}
    assert "MinCapacity = 101" in result.stderr
    assert result.exit_code == 1


def test_json_alone_is_refused_in_one_line() -> None:
    result = CliRunner().invoke(app, ["validate", "--json", "policies.yaml"])
    assert result.stderr == "fastscaler validate: --json: needs --cost\n"
    assert (result.stdout, result.exit_code) == ("", 2)
