"""`Behavior`: what the cooldowns, the waiting of alarms and suspended directions come to for the service as a whole."""

from collections.abc import Sequence, Set
from typing import Any

from fastscaler.migration.carried import AWS_COOLDOWN, LONGEST_WAIT, Carried
from fastscaler.migration.commented_yaml import Note, Noted
from fastscaler.scaling.policy import ScaleInBehavior

DEFAULT_WINDOW = ScaleInBehavior().stabilization_window_seconds


def behavior(carried: Sequence[Carried], suspended: Set[str]) -> dict[str, Any]:
    """The block, empty where FastScaler's defaults say it all."""
    scale_out, scale_in = _scale_out(carried), _scale_in(carried)
    for direction, block in (("ScaleOut", scale_out), ("ScaleIn", scale_in)):
        if direction in suspended:
            words = f"Suspended on the scalable target (SuspendedState). Remove this line to allow {direction} again."
            block["SelectPolicy"] = Noted("Disabled", [Note(words)])
    return {name: block for name, block in (("ScaleOut", scale_out), ("ScaleIn", scale_in)) if block}


def _scale_out(carried: Sequence[Carried]) -> dict[str, Any]:
    cooldowns = {one.block["Name"]: one.scale_out_cooldown for one in carried if one.scale_out_cooldown is not None}
    if not cooldowns:
        return {}
    words = (
        f"The longest ScaleOutCooldown of target tracking ({_listed(cooldowns)}). It is the whole service's here, and "
        "keeps step policies waiting; target tracking counts the tasks in flight instead."
    )
    return {"Cooldown": _limited(max(cooldowns.values()), words)}


def _scale_in(carried: Sequence[Carried]) -> dict[str, Any]:
    block: dict[str, Any] = {}
    waits = [one.waiting for one in carried if one.waiting is not None]
    longest = max(waits, key=lambda waiting: waiting.seconds, default=None)
    if longest is not None and longest.seconds > DEFAULT_WINDOW:
        words = (
            f"As long as AWS waits today: {longest.why}. With FastScaler's default, {DEFAULT_WINDOW}, tasks go sooner."
        )
        block["StabilizationWindowSeconds"] = _limited(longest.seconds, words)
    cooldowns = {one.block["Name"]: one.scale_in_cooldown for one in carried if one.scale_in_cooldown is not None}
    if cooldowns:
        words = (
            f"The longest ScaleInCooldown of target tracking ({_listed(cooldowns)}; AWS's default is {AWS_COOLDOWN}). "
            "It is the whole service's here."
        )
        block["Cooldown"] = _limited(max(cooldowns.values()), words)
    return block


def _limited(seconds: int, words: str) -> Noted:
    notes = [Note(words)]
    if seconds > LONGEST_WAIT:
        notes.append(Note(f"It is {seconds} s there; FastScaler takes {LONGEST_WAIT} at most."))
    return Noted(min(seconds, LONGEST_WAIT), notes)


def _listed(cooldowns: dict[str, int]) -> str:
    return ", ".join(f"{name}: {seconds} s" for name, seconds in cooldowns.items())
