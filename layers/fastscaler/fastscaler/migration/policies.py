"""All policies of a scalable target: which of them a policy document can have, and why not the others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastscaler.document.parse import parse_document
from fastscaler.errors import DocumentInvalid
from fastscaler.migration.carried import Carried
from fastscaler.migration.commented_yaml import Note, plain, render
from fastscaler.migration.metrics import Answer, Blocks, NotCarriedOver
from fastscaler.migration.steps import step_policy
from fastscaler.migration.tracking import tracking_policy

if TYPE_CHECKING:
    from fastscaler.aws.existing_scaling import ExistingScaling


def carry_over(existing: "ExistingScaling", head: Mapping[str, Any]) -> tuple[list[Carried], list[Note]]:
    """The policies that can be carried over, and a comment for each that cannot.

    `head` is the service's block so far: each policy has to be valid in it, beside those before.
    """
    carried: list[Carried] = []
    left_out = []
    for policy in existing.policies:
        for name, alarm in _parts(policy):
            try:
                one = _translated(policy, name, alarm, existing, carried[-1].metrics if carried else {})
                _refuse_invalid(head, [*carried, one])
            except NotCarriedOver as reason:
                left_out.append(Note(f"Policy {name} is not carried over: {reason}."))
            else:
                carried.append(one)
    return carried, left_out


def _parts(policy: Answer) -> Iterator[tuple[str, str | None]]:
    """The entries that a policy becomes: a step policy one for each of its alarms, with the alarm's name."""
    name = policy["PolicyName"]
    alarms = [alarm["AlarmName"] for alarm in policy.get("Alarms", [])]
    if policy["PolicyType"] != "StepScaling" or len(alarms) < 2:
        yield name, alarms[0] if alarms else None
        return
    for alarm in alarms:
        yield f"{name} ({alarm})"[:256], alarm


def _translated(policy: Answer, name: str, alarm: str | None, existing: "ExistingScaling", metrics: Blocks) -> Carried:
    match policy["PolicyType"]:
        case "TargetTrackingScaling":
            named = [found["AlarmName"] for found in policy.get("Alarms", [])]
            alarms = [existing.alarms[one] for one in named if one in existing.alarms]
            return tracking_policy(policy, alarms, existing.cluster, existing.service, metrics)
        case "StepScaling":
            if alarm is None:
                raise NotCarriedOver("no alarm sets it off, so it does nothing today")
            if alarm not in existing.alarms:
                raise NotCarriedOver(f"its alarm {alarm} does not exist any more")
            return step_policy(policy, existing.alarms[alarm], name, metrics)
        case "PredictiveScaling":
            raise NotCarriedOver(
                "it is predictive scaling, and FastScaler forecasts nothing. A pre-warm schedule in template.yaml "
                "raises the minimum before a peak that is known"
            )
    raise NotCarriedOver(f"FastScaler has no policies of type {policy['PolicyType']}")


def _refuse_invalid(head: Mapping[str, Any], carried: Sequence[Carried]) -> None:
    """Raises NotCarriedOver where the document would not be valid with the last of these policies."""
    service = {
        **plain(head),
        "Metrics": dict(carried[-1].metrics),
        "Policies": [plain(one.block) for one in carried],
    }
    try:
        parse_document("\n".join(render({"Services": [service]})), "the document")
    except DocumentInvalid as error:
        problems = [f"{problem.key} = {problem.value}: {problem.allowed}" for problem in error.problems]
        raise NotCarriedOver(f"a policy document does not allow it ({'; '.join(problems)})") from error
