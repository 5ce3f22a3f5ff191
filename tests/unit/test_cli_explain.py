"""`fastscaler explain`: the screen, the JSON, the exit codes, and the page that shows it."""

import json
import re
import shlex
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fastscaler.cli import app
from tests.unit.document.documents import SERVICE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explaining.md").read_text()
SURGE = ("--desired", "4", "--running", "4", "--metric", "RequestsPerSecond=180")
CALM = ("--desired", "8", "--metric", "RequestsPerSecond=48")

Explain = Callable[..., Result]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(ROOT)


def shipped(*arguments: str) -> Result:
    """The command for the shipped document."""
    return CliRunner().invoke(app, ["explain", "policies.yaml", *arguments])


@pytest.fixture
def several(tmp_path: Path) -> Explain:
    """The command for a document with three services: prod/web, prod/api and test/web."""
    queue = {"Namespace": "AWS/SQS", "MetricName": "Messages", "Period": 60, "DivideByTasks": True}
    metrics = {**SERVICE["Metrics"], "Backlog": {**queue, "Dimensions": {"QueueName": "orders"}}}  # type: ignore[dict-item]
    web: dict[str, Any] = {**SERVICE, "Metrics": metrics}
    api = {**web, "Service": "api", "Mode": "observe", "LoadBalancer": None}
    api.pop("LoadBalancer")
    file = tmp_path / "several.yaml"
    file.write_text(json.dumps({"Services": [web, api, {**web, "Cluster": "test"}]}))
    return lambda *arguments: CliRunner().invoke(app, ["explain", str(file), *arguments])


class TestTheScreen:
    def test_has_headline_reason_and_trail_that_fit_80_columns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        result = shipped(*CALM)
        assert result.stdout == (
            "fast-scaling-cluster/fast-scaling-service: 8 -> 5 tasks\n"
            "requests-per-task: 48 per task against 100; anti-flap: fewer tasks would come\n"
            "within 10% of a scale-out threshold: 8 to 5 tasks\n"
            "\n"
            "stage              tasks  why\n"
            "requests-per-task      4  48 per task against 100\n"
            "requests-steps         8  48 against threshold 100: no step\n"
            "recommended            4  requests-per-task: 48 per task against 100\n"
            "anti-flap              5  fewer tasks would come within 10% of a scale-out\n"
            "                          threshold\n"
            "\n"
            "assumed\n"
            "  the load balancer counts 384 requests/s, as RequestsPerSecond says\n"
            "  it has looked like this for longer than the stabilization window of 300 s\n"
        )
        assert result.exit_code == 0

    def test_writes_large_numbers_out(self) -> None:
        told = shipped("--desired", "4", "--metric", "RequestsPerSecond=24680").stdout
        assert "24680 per task against 100" in told
        assert "24680 against threshold 100: step +4" in told
        assert "the load balancer counts 98720 requests/s" in told

    def test_in_a_pipe_has_a_line_per_stage_and_no_spaces_at_its_end(self) -> None:
        lines = shipped(*CALM).stdout.splitlines()
        assert "anti-flap              5  fewer tasks would come within 10% of a scale-out threshold" in lines
        assert [line for line in lines if line != line.rstrip()] == []

    def test_on_a_terminal_fits_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "60")
        result = shipped(*SURGE, "--last-scale-out", "60:+2")
        plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
        assert max(len(line) for line in plain.splitlines()) <= 60
        assert "4 -> 8 tasks" in plain

    def test_says_when_nothing_changes(self) -> None:
        headline = shipped("--desired", "9", "--metric", "RequestsPerSecond=100").stdout.splitlines()[0]
        assert headline == "fast-scaling-cluster/fast-scaling-service: 9 tasks, no change"

    def test_says_that_an_observed_service_is_left_alone(self, several: Explain) -> None:
        answer = several("--service", "api", "--desired", "4", "--metric", "Requests=180").stdout
        assert "Mode is observe: this would be reported, and nothing called.\n" in answer
        assert "observe" not in several("--service", "prod/web", "--metric", "Requests=180").stdout

    def test_shows_names_as_they_are_written(self, tmp_path: Path) -> None:
        policy = {"Name": "[red]track", "PolicyType": "TargetTracking", "Metric": "Requests", "TargetValue": 100}
        file = tmp_path / "policies.yaml"
        file.write_text(json.dumps({"Services": [{**SERVICE, "Policies": [policy]}]}))
        answer = CliRunner().invoke(app, ["explain", str(file), "--metric", "Requests=180"]).stdout
        assert "[red]track 4 180 per task against 100" in " ".join(answer.split())

    def test_help_fits_80_columns_and_says_what_a_value_means(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        lines = shipped("--help").stdout.splitlines()
        assert max(len(line) for line in lines) <= 80
        words = " ".join(" ".join(line.strip("│ ") for line in lines).split())
        assert "the average of one" in words
        assert "of the whole service" in words


class TestJson:
    def test_is_all_that_standard_output_has(self) -> None:
        result = shipped(*SURGE, "--at", "2026-11-21T09:30Z", "--json")
        answer = json.loads(result.stdout)
        assert (answer["current"], answer["desired"], answer["recommended"]) == (4, 8, 8)
        assert answer["service"] == "fast-scaling-cluster/fast-scaling-service"
        assert answer["reason"].endswith("180 per task against 100: 4 to 8 tasks")
        assert answer["cause"] == "requests-per-task"
        assert answer["at"] == "2026-11-21T09:30:00+00:00"
        assert answer["mode"] == "active"
        assert answer["load"] == {"RequestsPerSecond": 180.0}
        assert answer["trail"][1] == {
            "stage": "requests-steps",
            "detail": "180 against threshold 100: step +2",
            "desired": 6,
        }
        assert answer["trail"][-1]["desired"] == answer["desired"]
        assert result.stderr == ""

    def test_of_an_invalid_document_goes_to_standard_error(self, tmp_path: Path) -> None:
        file = tmp_path / "invalid.yaml"
        file.write_text(json.dumps({"Services": [{**SERVICE, "MinCapacity": 101}]}))
        in_json = CliRunner().invoke(app, ["explain", str(file), "--json"])
        in_words = CliRunner().invoke(app, ["explain", str(file)])
        assert in_json.exit_code == in_words.exit_code == 1
        assert (in_json.stdout, in_words.stderr) == ("", "")
        assert in_json.stderr == in_words.stdout
        assert in_words.stdout == f"{file}:1: prod/web: MinCapacity = 101: must be at most MaxCapacity (100)\n"

    def test_carries_what_the_options_say(self) -> None:
        low = ("--desired", "10", "--metric", "RequestsPerSecond=20", "--json")
        cause = {
            "paused": ("--pause", "ScaleIn"),
            "deployment": ("--deployment-in-progress",),
            "pre-warm floor": ("--floor", "12"),
            "cooldown": ("--last-scale-in", "10:-2"),
            "stabilization window": ("--last-scale-out", "60:+2"),
            "rate limit": (),
        }
        assert {name: json.loads(shipped(*low, *said).stdout)["cause"] for name, said in cause.items()} == {
            name: name for name in cause
        }

    def test_knows_what_runs_and_what_starts(self) -> None:
        hot = ("--desired", "8", "--metric", "RequestsPerSecond=120", "--json")
        assert json.loads(shipped(*hot, "--running", "4").stdout)["desired"] == 8
        assert json.loads(shipped(*hot, "--running", "4", "--pending", "0").stdout)["desired"] == 9

    def test_of_metrics_that_are_missing(self) -> None:
        gone = ("--desired", "15", "--metric", "RequestsPerSecond=missing", "--json")
        assert json.loads(shipped(*gone).stdout)["cause"] == "no data"
        assert json.loads(shipped(*gone, "--load-balancer", "2000").stdout)["desired"] == 20


class TestTheService:
    @pytest.mark.parametrize(("name", "key"), [("api", "prod/api"), ("prod/web", "prod/web"), ("test/web", "test/web")])
    def test_is_found_by_either_name(self, several: Explain, name: str, key: str) -> None:
        assert json.loads(several("--service", name, "--json").stdout)["service"] == key

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--service", "web"), "--service web: several are called so; give one of prod/web, test/web"),
            (
                ("--service", "dev/web"),
                "--service dev/web: no such service; the document has prod/web, prod/api, test/web",
            ),
            (
                ("--service", "x\ny"),
                "--service x\\ny: no such service; the document has prod/web, prod/api, test/web",
            ),
            ((), "--service is needed, since there are several: prod/web, prod/api, test/web"),
        ],
    )
    def test_otherwise_those_that_there_are_are_listed(
        self, several: Explain, arguments: tuple[str, ...], message: str
    ) -> None:
        result = several(*arguments)
        assert result.stderr == f"fastscaler explain: {message}\n"
        assert (result.stdout, result.exit_code) == ("", 2)

    def test_of_a_long_list_some_are_shown(self, tmp_path: Path) -> None:
        file = tmp_path / "many.yaml"
        file.write_text(json.dumps({"Services": [{**SERVICE, "Service": f"s{number}"} for number in range(40)]}))
        assert CliRunner().invoke(app, ["explain", str(file)]).stderr.endswith("prod/s9 and 30 more\n")


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ("--metric", "Request=1"),
                "--metric Request=1: no such metric; the policies of prod/web use Requests",
            ),
            (("--metric", "Backlog=1"), "--metric Backlog=1: no policy uses it; the policies of prod/web use Requests"),
            (("--metric", "Requests"), "--metric Requests: must be KEY=VALUE, or KEY=missing"),
            (("--metric", "a\nb=5"), "--metric a\\nb=5: no such metric; the policies of prod/web use Requests"),
            (
                ("--at", "9\x1b[31m"),
                "--at 9\\x1b[31m: must be HH:MM, or a date and time such as 2026-11-21T09:30 or 2026-11-21T09:30Z",
            ),
            (("--metric", "Requests=-1"), "--metric Requests=-1: must be a number from 0 to 1e+15, or missing"),
            (("--metric", "Requests=many"), "--metric Requests=many: must be a number from 0 to 1e+15, or missing"),
            (("--metric", "Requests=nan"), "--metric Requests=nan: must be a number from 0 to 1e+15, or missing"),
            (("--metric", "Requests=inf"), "--metric Requests=inf: must be a number from 0 to 1e+15, or missing"),
            (("--metric", "Requests=1", "--metric", "Requests=2"), "--metric Requests=2: Requests is given twice"),
            (("--desired", "-1"), "--desired -1: must be a whole number of tasks from 0 to 5000 (the ECS quota)"),
            (("--desired", "4.5"), "--desired 4.5: must be a whole number of tasks from 0 to 5000 (the ECS quota)"),
            (("--running", "all"), "--running all: must be a whole number of tasks from 0 to 5000 (the ECS quota)"),
            (("--pending", "9999"), "--pending 9999: must be a whole number of tasks from 0 to 5000 (the ECS quota)"),
            (("--floor", "101"), "--floor 101: must be a whole number of tasks from 1 to 100 (MaxCapacity)"),
            (("--pause", "scalein"), "--pause scalein: must be ScaleOut or ScaleIn"),
            (("--load-balancer", "-5"), "--load-balancer -5: must be a number from 0 to 1e+15"),
            (
                ("--last-scale-out", "60"),
                "--last-scale-out 60: must be SECONDS_AGO:CHANGE such as 60:+4, CHANGE in tasks",
            ),
            (
                ("--last-scale-out", "60:-4"),
                "--last-scale-out 60:-4: must be SECONDS_AGO:CHANGE such as 60:+4, CHANGE in tasks",
            ),
            (
                ("--last-scale-in", "-60:-4"),
                "--last-scale-in -60:-4: must be SECONDS_AGO:CHANGE such as 60:-2, CHANGE in tasks",
            ),
            (
                ("--desired", "4", "--last-scale-out", "60:+5"),
                "--last-scale-out 60:+5: CHANGE must be at most 4, the desired count after it",
            ),
            (
                ("--at", "25:00"),
                "--at 25:00: must be HH:MM, or a date and time such as 2026-11-21T09:30 or 2026-11-21T09:30Z",
            ),
            (
                ("--at", "tomorrow morning"),
                "--at tomorrow morning: must be HH:MM, or a date and time such as 2026-11-21T09:30 "
                "or 2026-11-21T09:30Z",
            ),
        ],
    )
    def test_are_one_line_that_says_what_is_allowed(
        self, several: Explain, arguments: tuple[str, ...], message: str
    ) -> None:
        result = several("--service", "prod/web", *arguments)
        assert result.stderr == f"fastscaler explain: {message}\n"
        assert (result.stdout, result.exit_code) == ("", 2)

    def test_of_a_load_balancer_that_there_is_not(self, several: Explain) -> None:
        result = several("--service", "api", "--load-balancer", "5")
        assert result.stderr == "fastscaler explain: --load-balancer 5: prod/api has no LoadBalancer\n"
        assert result.exit_code == 2

    def test_of_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(app, ["explain", str(tmp_path / "none.yaml"), "--json"])
        assert result.stderr == f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory\n"
        assert (result.stdout, result.exit_code) == ("", 2)

    def test_of_a_file_are_one_line_whatever_it_is_called(self) -> None:
        result = CliRunner().invoke(app, ["explain", "a\nb.yaml"])
        assert result.stderr == "a\\nb.yaml: cannot be read: No such file or directory\n"

    def test_a_change_before_a_scale_in_may_be_as_large_as_the_count_was(self) -> None:
        changes = ("--desired", "4", "--last-scale-out", "60:+6", "--last-scale-in", "30:-2")
        assert shipped(*changes, "--metric", "RequestsPerSecond=100").exit_code == 0


class TestTheTime:
    def test_is_now_where_none_is_given(self) -> None:
        at = datetime.fromisoformat(json.loads(shipped("--json").stdout)["at"])
        assert abs(datetime.now().astimezone() - at) < timedelta(minutes=1)

    def test_may_be_a_time_of_today(self) -> None:
        at = datetime.fromisoformat(json.loads(shipped("--at", "09:30", "--json").stdout)["at"]).astimezone()
        assert (at.hour, at.minute, at.second) == (9, 30, 0)
        assert abs(datetime.now().astimezone() - at) < timedelta(days=1)

    def test_has_a_zone_of_its_own_or_the_local_one(self) -> None:
        zoned = json.loads(shipped("--at", "2026-11-21T09:30+02:00", "--json").stdout)["at"]
        assert zoned == "2026-11-21T07:30:00+00:00"
        local = json.loads(shipped("--at", "2026-11-21T09:30", "--json").stdout)["at"]
        assert datetime.fromisoformat(local).astimezone().hour == 9


COMMANDS = re.findall(r"^```console\n\$ fastscaler ([^\n]*)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


class TestThePage:
    def test_has_an_answer_to_at_least_five_questions(self) -> None:
        assert len(COMMANDS) >= 5

    @pytest.mark.parametrize(("command", "output"), COMMANDS, ids=[command for command, _ in COMMANDS])
    def test_shows_what_is_printed(self, command: str, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        assert CliRunner().invoke(app, shlex.split(command)).stdout == output

    def test_names_every_option_and_every_key_of_the_json(self) -> None:
        options = set(re.findall(r"--[a-z-]+", shipped("--help").stdout)) - {"--help"}
        assert {option for option in options if option not in PAGE} == set()
        assert {key for key in json.loads(shipped("--json").stdout) if f"`{key}`" not in PAGE} == set()
