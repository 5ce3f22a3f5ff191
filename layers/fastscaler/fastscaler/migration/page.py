"""What stands above and below the document: the way to hand over, and the scheduled actions."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastscaler.migration.capacity import suspended
from fastscaler.migration.commented_yaml import Note, comment
from fastscaler.migration.metrics import Answer
from fastscaler.migration.scheduled_actions import ScheduledAction, prewarm_schedules

if TYPE_CHECKING:
    from fastscaler.aws.existing_scaling import ExistingScaling


def introduction(existing: "ExistingScaling", profile: str | None) -> list[str]:
    """The comment at the head; it ends with the command that makes Application Auto Scaling let go."""
    account = f" --region {existing.region}" + (f" --profile {shlex.quote(profile)}" if profile else "")
    return [
        *comment(
            f"How Application Auto Scaling scales {existing.cluster}/{existing.service} ({existing.region}), as a "
            "policy document of FastScaler. Comments say what differs, what could not be carried over, and why."
        ),
        "#",
        *comment(
            "Both must not scale the service at once. Deploy this as it is, compare what FastScaler reports with what "
            "Application Auto Scaling does, then deregister the scalable target (or choose an OnConflict, "
            "docs/policies.md) and remove Mode. Deregistering deletes its policies and scheduled actions:"
        ),
        "#",
        "#   aws application-autoscaling deregister-scalable-target --service-namespace ecs"
        f" --resource-id service/{existing.cluster}/{existing.service}"
        f" --scalable-dimension ecs:service:DesiredCount{account}",
    ]


def scheduled(
    existing: "ExistingScaling", target: Answer, actions: Sequence[ScheduledAction], over: Sequence[str], lowest: int
) -> tuple[list[str], list[Note]]:
    """The comment at the end: scheduled actions as blocks of template.yaml; with the notes in it."""
    parts = list(prewarm_schedules(actions, existing.cluster, existing.service, lowest))
    notes = []
    if any(block for _, block in parts):
        words = (
            "Scheduled actions become pre-warm schedules: copy these blocks, without their first two characters, to "
            "template.yaml, below Events of ScalerFunction. They fire once the parameter PrewarmState is ENABLED."
        )
        notes.append(Note(words))
        if "Scheduled" in suspended(target):
            notes.append(Note("Scheduled scaling is suspended on the scalable target: none of them fires there now."))
    if over:
        notes.append(Note(f"Left out, since they will not fire again: {', '.join(over)}.", differs=False))
    lines = ["", *(line for note in notes for line in comment(note.text))]
    for about, block in parts:
        lines += ["#", *(line for note in about for line in comment(note.text)), *(f"# {line}" for line in block)]
        notes += about
    return (lines if notes else []), notes
