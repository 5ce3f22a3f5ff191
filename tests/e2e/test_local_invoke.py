"""`sam local invoke` and `sam local start-lambda` with the built application, in containers, against the emulator.

The two sample drills take their 180 s and 300 s, so they run beside the rest. The loop of scheduled_tick.json runs
until another invocation takes over, which the loop under start-lambda does.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.e2e import engine, image, workload
from tests.e2e.deployment import Deployment, stop_rules, wait_for
from tests.e2e.emulator import REGION, Emulator, free_port
from tests.e2e.engine import Engine, NoEngine
from tests.e2e.printed import say
from tests.e2e.project import ROOT, Project

EVENTS = sorted(path.name for path in (ROOT / "events").glob("*.json"))
INVALID = sorted(f"invalid/{path.name}" for path in (ROOT / "events" / "invalid").glob("*.json"))
LASTING = [name for name in EVENTS if name.startswith("synthetic") or name == "scheduled_tick.json"]
LOOP_SECONDS = 60
LONGEST = 330  # Seconds: the longest drill, and a slow start.


class Local:
    """The built application, and `sam local` for it."""

    def __init__(self, project: Project, aws: Emulator, containers: Engine) -> None:
        self.project, self.aws, self.containers = project, aws, containers
        self.deployment = Deployment(aws)
        self.lasting: dict[str, subprocess.Popen[str]] = {}

    def command(self, name: str) -> list[str]:
        function = "SyntheticMetricsFunction" if "synthetic" in name else "ScalerFunction"
        return ["sam", "local", "invoke", function, "--event", f"events/{name}", "--config-env", "e2e"]

    def invoke(self, name: str) -> Any:
        """Runs `sam local invoke` with a sample event; the function's answer."""
        began = time.monotonic()
        answer = self.answer(self.start(self.command(name)))
        say(f"$ {' '.join(self.command(name))}    ({time.monotonic() - began:.1f} s)\n{str(answer)[:160]}")
        return answer

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        return self.project.start(command)

    @staticmethod
    def answer(process: subprocess.Popen[str]) -> Any:
        """What the function returned: the last line of standard output, whatever the exit code."""
        printed, errors = process.communicate(timeout=LONGEST)
        lines = printed.strip().splitlines()
        assert lines, errors[-3000:]
        return json.loads(lines[-1])


@pytest.fixture(scope="module")
def local(scratch: Path) -> Iterator[Local]:
    project = Project(scratch / "local" / "project")
    try:
        engine.install()
        project.shell("sam build")
        folder = scratch / "local" / "image"
        archive = image.make(folder, (project.folder / ".aws-sam").rglob("*.so"))
        with Engine(scratch / "local" / "engine") as containers:
            say("an engine runs")
            with Emulator(scratch / "local" / "emulator", bind="0.0.0.0") as aws:
                endpoint = {"AWS_ENDPOINT_URL": f"http://{engine.BRIDGE}:{aws.port}"}
                containers.import_image(image.TAG, archive, {**image.VARIABLES, **endpoint}, image.ENTRYPOINT)
                say(f"a stand-in image of the runtime: {archive.stat().st_size / 1e6:.0f} MB")
                project.environment = {**aws.environment, "DOCKER_HOST": containers.url}
                workload.create(aws, desired=2)
                project.shell("sam deploy")
                stop_rules(aws)
                found = Local(project, aws, containers)
                try:
                    yield found
                finally:
                    for process in found.lasting.values():
                        _end(process)
    except NoEngine as reason:
        say(f"sam local is skipped: {reason}")
        pytest.skip(str(reason))


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_observe_shows_a_decision(local: Local) -> None:
    answer = local.invoke("observe.json")
    assert answer["ended"] == "finished"
    assert answer["state_table"] is True
    assert answer["services"][workload.KEY]["desired"] == 2


def test_the_lasting_events_begin(local: Local) -> None:
    for name in LASTING:
        say(f"$ {' '.join(local.command(name))} &")
        local.lasting[name] = local.start(local.command(name))
    wait_for("the loop in its container", lambda: local.deployment.epoch() == 1, 60)


@pytest.mark.parametrize("name", [name for name in EVENTS if name not in (*LASTING, "observe.json")])
def test_every_other_event_is_carried_out(local: Local, name: str) -> None:
    assert "errorType" not in local.invoke(name)


@pytest.mark.parametrize("name", INVALID)
def test_every_invalid_event_is_refused(local: Local, name: str) -> None:
    answer = local.invoke(name)
    assert "must be" in answer["errorMessage"]
    assert answer["errorType"] in {"DirectiveRefused", "EventInvalid"}


def test_start_lambda_runs_the_loop_for_a_minute_and_hands_over(local: Local) -> None:
    port = free_port()
    command = ["sam", "local", "start-lambda", "--port", str(port), "--config-env", "e2e"]
    say(f"$ {' '.join(command)} &")
    local.lasting["start-lambda"] = local.project.start(command, discard=True)
    wait_for("start-lambda", lambda: _listens(port), 60)
    client = boto3.client(
        "lambda",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        config=Config(signature_version=UNSIGNED, read_timeout=LONGEST, retries={"total_max_attempts": 1}),
    )
    answers: list[Any] = []

    def tick() -> threading.Thread:
        event = json.dumps(local.project.event("scheduled_tick.json"))
        thread = threading.Thread(target=lambda: answers.append(_answer(client, event)), daemon=True)
        thread.start()
        return thread

    first = tick()
    wait_for("its first take-over", lambda: local.deployment.epoch() == 2, 60)
    say(f"scheduled_tick.json: {local.answer(local.lasting.pop('scheduled_tick.json'))}")
    began = time.monotonic()
    time.sleep(LOOP_SECONDS)
    assert first.is_alive(), answers
    second = tick()
    first.join(timeout=60)
    say(f"the loop under start-lambda ran {time.monotonic() - began:.0f} s: {answers}")
    assert local.deployment.epoch() == 3
    # Nobody takes over from the last one: it leaves when it finds another epoch than its own.
    local.deployment.add_to_epoch()
    second.join(timeout=30)
    assert answers == [{"ended": "superseded"}] * 2
    _end(local.lasting.pop("start-lambda"))


def _answer(client: Any, event: str) -> Any:
    return json.loads(client.invoke(FunctionName="ScalerFunction", Payload=event)["Payload"].read())


def test_the_drills_run_to_their_end_and_the_surge_is_answered(local: Local) -> None:
    for name in [name for name in LASTING if name.startswith("synthetic")]:
        answer = local.answer(local.lasting.pop(name))
        say(f"{name}: {answer}")
        assert answer["ended_by"] == "profile"
        assert answer["beats_failed"] == 0
    assert workload.desired(local.aws) > 2


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
