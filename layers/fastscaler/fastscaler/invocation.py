"""From one event to what an invocation can be: the loop, a directive, an observation, or a rehearsal."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from fastscaler import directives, loop, policies
from fastscaler.aws.dynamodb import Takeover
from fastscaler.directives import DirectiveStore, Observe, Rehearse
from fastscaler.errors import AwsError, DirectiveRefused, DocumentInvalid, Superseded
from fastscaler.loop import World
from fastscaler.observe import LastLook, ReadOnlyStore
from fastscaler.pace import Pace
from fastscaler.policies import DocumentStore
from fastscaler.ports import (
    Clock,
    MetricSource,
    ScalableTargets,
    ServiceApi,
    StateStore,
    StoppedTasks,
    TargetHealth,
)
from fastscaler.rehearsal import Rehearsal, with_prefixed_metrics
from fastscaler.report import LogReport, emit_count


class StateTable(StateStore, DirectiveStore, DocumentStore, Protocol):
    """All that is kept between invocations."""

    def read_all(self) -> Takeover:
        """State, memory and directives without taking over. Raises AwsError."""

    def save_document(self, epoch: int, text: str) -> bool:
        """Keeps the last good document; False where it is kept already. Raises Superseded, AwsError."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """The world of one sandbox, wired by the handler."""

    table: StateTable
    metrics: MetricSource
    ecs: ServiceApi
    stopped: StoppedTasks
    scalable: ScalableTargets
    targets: TargetHealth
    clock: Clock
    pace: Pace
    logger: Logger
    policies_file: str
    metrics_namespace: str


def handle(event: Mapping[str, Any], adapters: Adapters, *, seconds_left: float, request_id: str) -> dict[str, Any]:
    """Carries out one event and returns what came of it.

    Raises DirectiveRefused (nothing stored), DocumentInvalid (no good document), and AwsError; an invocation that
    fails is retried by Lambda and then reaches the on-failure queue.
    """
    deadline = adapters.clock.now() + seconds_left
    if isinstance(event, Mapping) and "Directive" not in event and event.get("source") == "aws.events":
        return _scale(adapters, deadline)
    try:
        request = directives.parse_directive(event)
        if isinstance(request, Observe):
            return _observe(adapters, deadline, request.looks)
        if isinstance(request, Rehearse):
            return _rehearse(adapters, deadline, request)
        document = _load(adapters).document
        now = adapters.clock.now()
        found = directives.carry_out(request, document, adapters.table, now, request_id)
    except DirectiveRefused as refused:
        adapters.logger.error("directive refused", extra={"error": str(refused)})
        emit_count(adapters.metrics_namespace, "DirectiveRefused")
        raise
    answer = directives.to_answer(found)
    adapters.logger.info("directive", extra={"directive": request.directive, **answer})
    return answer


def _scale(adapters: Adapters, deadline: float) -> dict[str, Any]:
    """The loop: newest invocation takes over."""
    found = _load(adapters)
    document = found.document
    observed = frozenset(service.key for service in document.services if document.observes(service))

    def keep_document(epoch: int) -> None:
        try:
            adapters.table.save_document(epoch, found.text)
        except Superseded:
            raise
        except AwsError as error:
            adapters.logger.warning("the policy document was not kept", extra={"error": str(error)})

    report = LogReport(adapters.logger, adapters.metrics_namespace, adapters.clock, observed)
    world = _world(adapters, adapters.table, report)
    why = loop.run(document.services, world, adapters.pace, deadline, observed=observed, once_started=keep_document)
    return {"ended": why}


def _observe(adapters: Adapters, deadline: float, looks: int) -> dict[str, Any]:
    """A few looks that change nothing: nothing is taken over, written or called."""
    document = _load(adapters).document
    observed = frozenset(service.key for service in document.services)
    report = LastLook(LogReport(adapters.logger, None, adapters.clock, observed))
    store = ReadOnlyStore(adapters.table)
    world = _world(adapters, store, report)
    why = loop.run(document.services, world, replace(adapters.pace), deadline, observed=observed, looks=looks)
    return {"ended": why, "state_table": store.found, "services": report.services}


def _rehearse(adapters: Adapters, deadline: float, request: Rehearse) -> dict[str, Any]:
    """Looks at other metrics of one service until it would scale out. Raises DirectiveRefused, AwsError."""
    document = _load(adapters).document
    service = document.service(request.key)
    if service is None:
        raise DirectiveRefused([directives.unknown_service(request.key, document)])
    rehearsal = Rehearsal()
    loop.run(
        (with_prefixed_metrics(service, request.metric_prefix),),
        _world(adapters, ReadOnlyStore(adapters.table), rehearsal),
        replace(adapters.pace),
        min(deadline, adapters.clock.now() + request.seconds + loop.MARGIN),
        observed=frozenset({request.key}),
        enough=rehearsal.answered,
    )
    answer = {"scale_out": rehearsal.scale_out, "last": rehearsal.last}
    adapters.logger.info("rehearsal", extra={"service": request.key, **answer})
    return answer


def _world(adapters: Adapters, store: StateStore, report: loop.Report) -> World:
    return World(
        store,
        adapters.metrics,
        adapters.ecs,
        adapters.stopped,
        adapters.scalable,
        adapters.targets,
        adapters.clock,
        report,
    )


def _load(adapters: Adapters) -> policies.Policies:
    """The invocation's own policies, or the last good ones. Raises DocumentInvalid, AwsError."""
    try:
        return policies.load(adapters.policies_file)
    except DocumentInvalid as invalid:
        adapters.logger.error("policies are invalid: the last good ones run, if any", extra={"error": str(invalid)})
        emit_count(adapters.metrics_namespace, "PolicyInvalid")
        last_good = policies.load_last_good(adapters.table)
        if last_good is None:
            raise
        return last_good
