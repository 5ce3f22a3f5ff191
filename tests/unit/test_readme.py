"""What the README says must be so: its examples parse, its commands and files exist, its figures were measured."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.goals import AWS, FASTSCALER, HPA, Results
from benchmarks.rows import FOLDER, read
from fastscaler.document.parse import parse_document

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "events" / "README.md"]


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The indented lines: what a reader is told to type."""
    return [line.split("#")[0].strip() for line in README.splitlines() if line.startswith("    ") and line[4:5].strip()]


def test_the_policy_example_is_a_valid_document() -> None:
    (example,) = blocks("yaml")
    assert parse_document(example, "README.md").services[0].key == "fast-scaling-cluster/fast-scaling-service"


def test_the_python_example_runs() -> None:
    (example,) = blocks("python")

    class App:
        def add_middleware(self, middleware: type) -> None:
            self.middleware = middleware

    app = App()
    exec(compile(example, "README.md", "exec"), {"app": app})  # The README's own two lines.
    assert app.middleware.__name__ == "MetricsMiddleware"


def test_every_make_target_exists() -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = {command.removeprefix("make ") for command in commands() if command.startswith("make ")}
    named |= set(re.findall(r"`make ([a-z0-9-]+)`", README))
    assert {"demo", "test"} <= named <= set(targets)


def test_every_file_in_a_command_exists() -> None:
    files = {
        word for command in commands() for word in command.split() if re.fullmatch(r"[\w/-]+\.(json|yaml|toml)", word)
    }
    assert {"policies.yaml", "samconfig.toml", "events/observe.json"} <= files
    assert [file for file in sorted(files) if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name if path.parent == ROOT else path.parent.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text()
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_figures_are_those_that_were_measured() -> None:
    figures = json.loads((ROOT / "benchmarks" / "figures.json").read_text())
    reaction, look, billed = figures["reaction"], figures["look_of_100_services"], figures["billed_per_hour"]
    decide, thousand = figures["decide_microseconds"], figures["decide_1000_services_seconds"]
    for value in (
        f"| {reaction['median_seconds']:.1f} s, {reaction['max_seconds']:.1f} s |",
        f"| {decide['calm']:.0f} microseconds; {decide['four_policies']:.0f} microseconds; {thousand:.2f} s |",
        f"| {look['median_seconds']:.2f} s |",
        f"| {look['own_cpu_share']:.0%} |",
        f"| {figures['cold_import_milliseconds']['handler_without_boto3']:.0f} ms |",
        f"| {billed['idle']['metrics_billed']}, {billed['busy']['metrics_billed']} |",
    ):
        assert value in README, f"README.md does not quote {value!r}: run its benchmark, and quote what it measures"


def peer_rows() -> list[str]:
    """The rows about other autoscalers, from the results in the tree."""
    results = Results(read(FOLDER / "results.json"))
    surges = {row["controller"]: row for row in read(FOLDER / "surges.json")}
    names = (FASTSCALER, AWS, HPA)
    oracle = "oracle"
    cells = {
        "reaction to a 5x surge, median and p99": [
            f"{surges[one]['reaction_p50']:.1f} s, {surges[one]['reaction_p99']:.1f} s" for one in names
        ],
        "last late request after it, median": [f"{surges[one]['recovery_p50']:.0f} s" for one in names],
        "late or lost requests, geometric mean": [f"{results.late(one):.1f}%" for one in names],
        "task-hours, against a scaler that knows the future": [
            f"{results.ratio('task_hours', one, oracle):.2f} x" for one in names
        ],
        "the same, on a day of the NASA web server": [
            f"{results.of(one, 'task_hours')['nasa'] / results.of(oracle, 'task_hours')['nasa']:.2f} x" for one in names
        ],
    }
    return [f"| {what} | {' | '.join(found)} |" for what, found in cells.items()]


def test_the_comparison_with_others_is_that_of_the_results() -> None:
    missing = [row for row in peer_rows() if row not in README.splitlines()]
    assert missing == [], "run make bench, and quote what it finds"


def test_the_publishers_figures_are_those_that_were_measured() -> None:
    figures = json.loads((ROOT / "benchmarks" / "publisher.json").read_text())
    page = (ROOT / "docs" / "publishing.md").read_text()
    kept = {name: server["requests_per_second"]["ratio"] for name, server in figures["servers"].items()}
    assert f"| {kept['uvicorn']:.2f}; {kept['uvicorn[standard]']:.2f} |" in README
    for name, server in figures["servers"].items():
        rate, cpu = server["requests_per_second"], server["cpu_microseconds_per_request_of_the_server"]
        memory = server["resident_megabytes"]
        row = (
            f"| `{name}` | {rate['ratio']:.2f} | {rate['ratio_lowest']:.2f} to {rate['ratio_highest']:.2f} "
            f"| {cpu['without']}, {cpu['with']} | {memory['without']}, {memory['with_it']} |"
        )
        assert row in page, f"docs/publishing.md does not quote {row!r}: run python -m benchmarks.publisher"
    for value in (
        f"takes {figures['cpu_microseconds_per_request_of_the_middleware']:.1f} microseconds",
        f"(load {figures['load_before']:.1f} at the beginning)",
    ):
        assert value in page, f"docs/publishing.md does not quote {value!r}: run python -m benchmarks.publisher"
