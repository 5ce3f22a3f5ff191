"""The built functions under the Lambda runtime: every sample event, the time-out, and what a cold start takes.

Code, layer and configuration are those of a deployment; AWS is the emulator that it was deployed to.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from tests.e2e import workload
from tests.e2e.deployment import Deployment, stop_rules
from tests.e2e.emulator import Emulator
from tests.e2e.printed import say
from tests.e2e.project import ROOT, Project
from tests.e2e.runtime import Function, Sandbox

EVENTS = sorted(path.name for path in (ROOT / "events").glob("*.json"))
INVALID = sorted(path.name for path in (ROOT / "events" / "invalid").glob("*.json"))
COLD_STARTS = 5
LONGEST_INIT = 10.0  # Seconds that Lambda gives an initialisation.
# Seconds. Both functions end on their own well before their time-out: the loop 15 s, the drill 18 s.
SHORT, ROOMY = 20, 60


class Built:
    """The two built functions, as they were deployed."""

    def __init__(self, project: Project, deployment: Deployment, logs: Path) -> None:
        self._logs, self._aws, self._number = logs, deployment.aws.environment, 0
        build = project.folder / ".aws-sam" / "build"
        client = deployment.aws.client("lambda")
        self._functions: dict[str, Function] = {}
        for folder, name in (
            ("ScalerFunction", deployment.scaler),
            ("SyntheticMetricsFunction", deployment.synthetic),
        ):
            found = client.get_function_configuration(FunctionName=name)
            self._functions[folder] = Function(
                name=name,
                code=build / folder,
                layer=build / "FastScalerLayer",
                handler=found["Handler"],
                memory_mb=found["MemorySize"],
                variables=found["Environment"]["Variables"],
            )
        # There is no /opt without a container.
        scaler = self._functions["ScalerFunction"]
        policies = str(project.folder / "layers" / "policies" / "policies.yaml")
        variables = {**scaler.variables, "POLICIES_FILE": policies}
        self._functions["ScalerFunction"] = replace(scaler, variables=variables)

    def sandbox(self, function: str, timeout: int) -> Sandbox:
        self._number += 1
        return Sandbox(self._functions[function], self._aws, self._logs / f"{self._number}.log", timeout=timeout)

    def for_event(self, name: str) -> Sandbox:
        """A sandbox of the function that `name` is for, with a time-out that the event can be shown in."""
        if "synthetic" in name:
            return self.sandbox("SyntheticMetricsFunction", 30)
        return self.sandbox("ScalerFunction", SHORT if "scheduled_tick" in name else ROOMY)


@pytest.fixture(scope="module")
def project(scratch: Path) -> Project:
    return Project(scratch / "runtime" / "project")


@pytest.fixture(scope="module")
def built(project: Project, scratch: Path) -> Iterator[Built]:
    with Emulator(scratch / "runtime" / "emulator") as aws:
        project.environment = aws.environment
        workload.create(aws, desired=2)
        project.shell("sam build\nsam deploy")
        # The deployed scaler must not take over from the one under test.
        stop_rules(aws)
        yield Built(project, Deployment(aws), scratch / "runtime")


@pytest.mark.parametrize("name", EVENTS)
def test_every_sample_event_is_carried_out(built: Built, project: Project, name: str) -> None:
    with built.for_event(name) as sandbox:
        answer = sandbox.invoke(project.event(name))
        memory = sandbox.peak_memory_mb
        say(f"{name}: {answer.seconds:.1f} s, {memory:.0f} MB at most, {str(answer.payload)[:160]}")
        assert not answer.failed, answer.payload
        assert memory < sandbox.memory_mb


@pytest.mark.parametrize("name", INVALID)
def test_every_invalid_event_is_refused_with_the_reason(built: Built, project: Project, name: str) -> None:
    with built.for_event(name) as sandbox:
        answer = sandbox.invoke(project.event(f"invalid/{name}"))
        assert answer.failed
        say(f"invalid/{name}: {answer.payload['errorType']}: {answer.payload['errorMessage'][:160]}")
        assert "must be" in answer.payload["errorMessage"]


def test_a_loop_with_20_seconds_left_ends_by_itself(built: Built, project: Project) -> None:
    with built.sandbox("ScalerFunction", SHORT) as sandbox:
        answer = sandbox.invoke(project.event("scheduled_tick.json"))
        say(f"a loop with {SHORT} s left ended after {answer.seconds:.1f} s: {answer.payload}")
        assert answer.payload == {"ended": "deadline"}
        assert answer.seconds < SHORT - 10
        assert '"message":"tick"' in sandbox.log
        # The sandbox stays as it was: the next invocation takes over in it.
        again = sandbox.invoke(project.event("scheduled_tick.json"))
        assert again.payload == {"ended": "deadline"}
        assert "timed out" not in sandbox.log


@pytest.mark.parametrize("function", ["ScalerFunction", "SyntheticMetricsFunction"])
def test_a_cold_start_fits_into_lambda(built: Built, function: str) -> None:
    inits = []
    for _ in range(COLD_STARTS):
        with built.sandbox(function, ROOMY) as sandbox:
            sandbox.invoke({})  # Refused, by both, as soon as they run.
            inits.append(sandbox.init_seconds)
    say(
        f"{function}: init {median(inits):.2f} s (median of {COLD_STARTS}, slowest {max(inits):.2f} s) "
        "on this machine, which is not Lambda's share of a CPU"
    )
    assert max(inits) < LONGEST_INIT


def test_a_warm_sandbox_answers_at_once(built: Built) -> None:
    with built.sandbox("ScalerFunction", ROOMY) as sandbox:
        cold, warm = (sandbox.invoke({"Directive": "observe", "Looks": 1}).seconds for _ in range(2))
    say(f"one look, answered: {cold:.2f} s in a cold sandbox, {warm:.2f} s in a warm one")
    assert warm < 1
