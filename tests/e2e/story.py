"""The life of one deployment: installed, pre-warmed, surged, handed over, updated, deleted.

Three to five minutes on two cores, most of them waiting for EventBridge's once a minute. `play` fails where the
story cannot go on; what it should look like is for the tests to say.
"""

import json
import subprocess
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e import workload
from tests.e2e.deployment import Deployment, inventory, wait_for
from tests.e2e.emulator import Emulator
from tests.e2e.guide import Guide
from tests.e2e.printed import say
from tests.e2e.project import Project
from tests.e2e.records import Invocation, invocations

BASE, PEAK = 120.0, 900.0  # Requests/s; the policies aim at 100 for each task.
FLOOR = 5  # The MinCapacity of the schedule WeekdayPrewarm.
OTHER_FLOORS = {"WeekendEveningPrewarm": 8, "OffHoursMinimum": 3, "SaleOpeningPrewarm": 40}
SECONDS_BEFORE_SURGE = 30  # At most: a drill's 15, and until its functions have started.
DRILL = ["fastscaler", "drill", "--stack", "fastscaler", "--output", "drills", "--json"]
LIVE = ["--live", "--yes", "--base", f"{BASE:g}", "--peak", f"{PEAK:g}"]
REFUSED = {
    "Directive": "prewarm",
    "Cluster": workload.CLUSTER,
    "Service": workload.SERVICE,
    "Owner": "sale",
    "MinCapacity": 101,
    "DurationMinutes": 60,
}


@dataclass
class Played:
    """What the story left behind. Times are epoch seconds."""

    guide: Guide
    prewarmed_at: float = 0.0
    surge_at: float = 0.0
    released_at: float = 0.0
    updated_at: float = 0.0
    observed: str = ""
    log: str = ""
    failed: str = ""
    paused: str = ""
    schedules: str = ""
    status: str = ""
    safe_drill: dict[str, Any] = field(default_factory=dict)
    live_drill: dict[str, Any] = field(default_factory=dict)
    drawn: list[str] = field(default_factory=list)
    refusals: int = 0
    queued: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)  # Until the update, which ends the last of them.
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    deployed: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    seconds: float = 0.0


def short_windows(service: dict[str, Any]) -> None:
    """The shipped policies, with a scale-in that takes seconds where it would take minutes."""
    service["Behavior"]["ScaleIn"] = {
        "StabilizationWindowSeconds": 20,
        "Cooldown": 5,
        "Policies": [{"Type": "Percent", "Value": 50, "PeriodSeconds": 10}],
    }


def play(aws: Emulator, project: Project) -> Played:
    """Tells the story on a fresh emulator."""
    began = time.monotonic()
    played = Played(Guide())
    project.environment = aws.environment
    workload.create(aws, desired=2)
    before = inventory(aws)
    _install(project, played)
    deployment = Deployment(aws)
    deployment.mount_layers()
    played.observed = played.guide.follow("Asking for one decision", project)
    _scale(aws, deployment, project, played)
    _update(aws, deployment, project, played)
    _prewarm(aws, deployment, project, played)
    played.deployed = inventory(aws) - before
    say("deleting")
    deleting = time.time()
    played.guide.follow("Uninstalling", project)
    played.left = inventory(aws, log_groups_until=deleting) - before
    played.seconds = time.monotonic() - began
    say(f"the story took {played.seconds:.0f} s")
    return played


def _install(project: Project, played: Played) -> None:
    project.edit_policies(short_windows)
    played.guide.follow("Before the first deployment", project)
    played.guide.follow("First deployment", project)
    played.guide.follow("What was deployed", project, shown=True)


def _scale(aws: Emulator, deployment: Deployment, project: Project, played: Played) -> None:
    say("the first invocation, by hand; from now on the rule fires")
    deployment.invoke_later(deployment.scaler, project.event("scheduled_tick.json"))
    wait_for("the first take-over", lambda: deployment.epoch() == 1, 20)
    wait_for("the first look", deployment.has_document, 20)
    say(f"$ {' '.join(DRILL)} &")
    safe = project.start(DRILL)
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    deployment.fire("WeekdayPrewarm", at)
    played.prewarmed_at = at.timestamp()
    waited = wait_for("the pre-warm's floor", lambda: workload.desired(aws) == FLOOR, 30)
    say(f"a pre-warm schedule has fired: {FLOOR} tasks, {waited:.1f} s after it was set")
    say(f"$ {' '.join(DRILL + LIVE)} &")
    live = project.start(DRILL + LIVE)
    wait_for("an answer to the surge", lambda: workload.desired(aws) * 100 >= PEAK, SECONDS_BEFORE_SURGE + 30)
    workload.register_targets(aws, workload.desired(aws))
    played.surge_at = workload.surge_at(aws, above=(BASE + PEAK) / 2) or 0.0
    say(f"answered {time.time() - played.surge_at:.1f} s after the surge: {workload.desired(aws)} tasks")
    played.released_at = time.time()
    played.guide.follow("Ending a pre-warm early", project)
    deployment.invoke_later(deployment.scaler, REFUSED)
    say("the load falls; waiting for scale-in and for two hand-overs")
    wait_for("scale-in", lambda: workload.desired(aws) == 2, 90)
    say("scaled in to 2 tasks")
    played.safe_drill, played.live_drill = _drilled(safe), _drilled(live)
    played.drawn = sorted(path.suffix for path in (project.folder / "drills").iterdir())
    played.status = played.guide.follow("Looking at it", project, shown=True)
    wait_for("the second hand-over", lambda: deployment.epoch() >= 3, 90)
    time.sleep(7)
    played.queued = deployment.failed_events()
    played.failed = played.guide.follow("What failed", project)
    played.paused = played.guide.follow("Stopping for a while", project)
    streams = deployment.log_streams(deployment.outputs["ScalerLogGroupName"])
    played.refusals = sum('"DirectiveRefused":[1.0]' in message for messages in streams for message in messages)


def _drilled(drill: subprocess.Popen[str]) -> dict[str, Any]:
    """What a drill has found, in its own words and as data."""
    out, err = drill.communicate(timeout=120)
    say(err)
    found: dict[str, Any] = json.loads(out)
    return found


def _update(aws: Emulator, deployment: Deployment, project: Project, played: Played) -> None:
    say("updating: MinCapacity 3")
    project.edit_policies(lambda service: service.update(MinCapacity=3))
    played.updated_at, last = time.time(), deployment.epoch()
    played.guide.follow("Changing policies", project)
    deployment.mount_layers()
    # The emulator ends what runs when a function is updated, where Lambda lets it end by itself: the loop starts anew.
    deployment.invoke_later(deployment.scaler, project.event("scheduled_tick.json"))
    waited = wait_for("the new policies", lambda: workload.desired(aws) == 3, 30)
    say(f"the new policies are in force: 3 tasks, {waited:.1f} s after the deployment")
    played.log = played.guide.follow("Reading the log", project)
    found = invocations(deployment.log_streams(deployment.outputs["ScalerLogGroupName"]))
    played.invocations = [invocation for invocation in found if invocation.epoch <= last]
    played.changes = deployment.calls("UpdateService")
    played.state, played.memory = deployment.state(), deployment.memory(workload.KEY)


def _prewarm(aws: Emulator, deployment: Deployment, project: Project, played: Played) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    for schedule in OTHER_FLOORS:
        deployment.fire(schedule, at)
    waited = wait_for("the highest floor", lambda: workload.desired(aws) == max(OTHER_FLOORS.values()), 35)
    say(f"the other schedules have fired: {workload.desired(aws)} tasks, {waited:.1f} s after they were set")
    played.schedules = played.guide.follow("Pre-warm schedules", project, shown=True)
