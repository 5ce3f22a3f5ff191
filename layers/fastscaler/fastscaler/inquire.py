"""Inquire: asks AWS what is needed seldom, and never in front of a scale-out.

Failed launches are asked for beside the reads, only of services whose tasks do not come to run. Other scalers of the
same services are asked for after a look has acted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from fastscaler.errors import AwsError, told_as
from fastscaler.pace import BUCKET
from fastscaler.ports import ScalableTargets, StoppedTasks
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import LaunchCheck, Observation
from fastscaler.scaling.policy import Service

LAUNCHES_EVERY = 30.0  # Seconds between two questions about the launches of one service.
# The same once some are known to fail: that they work again shows in the running count, and answers are written down.
FAILURES_EVERY = 300.0
# Seconds before TaskStartTimeout at which failed launches are asked for, two looks: the answer has to be there when the
# credit for those tasks lapses, or the same load would be answered once more.
LAUNCHES_AHEAD = 2 * BUCKET
LAUNCHES_PER_LOOK = 3  # Services asked about in one look, two calls each: the account's read quota is shared.
# Seconds between two questions about other scalers. Five minutes and two looks, so that a late look makes it no less;
# and no multiple of a minute, so that it does not stay in step with the hand-overs.
COMPETITORS_EVERY = 311.0
COMPETITORS_PER_LOOK = 50  # One call.


class Inquirer:
    """Asks seldom, across hand-overs too, and keeps the last answers of this invocation.

    Times are epoch seconds. When another scaler is asked for follows from the clock alone: whenever a multiple of 311 s
    passes. So a successor knows when its predecessor asked, and nothing has to be written for it.
    """

    def __init__(
        self, services: Sequence[Service], stopped: StoppedTasks, targets: ScalableTargets, started: float
    ) -> None:
        self._stopped, self._targets, self._started = stopped, targets, started
        # A call takes 50 services; every 50 are due a look later than those before them.
        self._phase = {service.key: index // COMPETITORS_PER_LOOK * BUCKET for index, service in enumerate(services)}
        self._launches: dict[str, LaunchCheck] = {}
        self._asked_at: dict[str, float] = {}

    def launches_due(self, services: Iterable[Service], memory: Callable[[str], Memory], now: float) -> list[str]:
        """The services whose tasks should run by now and do not, and that were not asked about lately."""
        due = []
        for service in services:
            launch = memory(service.key).launch
            if launch is None or now < launch.since + service.task_start_timeout - LAUNCHES_AHEAD:
                continue
            last = self._launches.get(service.key)
            asked = max(launch.asked, last.at if last is not None else 0.0)
            if now - asked >= (FAILURES_EVERY if launch.failed else LAUNCHES_EVERY):
                due.append((asked, service.key))
        return [key for _, key in sorted(due)[:LAUNCHES_PER_LOOK]]

    def ask_for_launches(self, services: Sequence[str], now: float) -> list[AwsError]:
        """Asks for the failed launches of `services`; the error met. An error ends it: it would only cost time."""
        for service in services:
            try:
                self._launches[service] = LaunchCheck(now, self._stopped.failed_launches(service))
            except Exception as error:
                self._launches[service] = LaunchCheck(now, None)
                return [told_as("read stopped tasks", error)]
        return []

    def ask_for_competitors(
        self, services: Iterable[Service], memory: Callable[[str], Memory], now: float
    ) -> tuple[Mapping[str, str], list[AwsError]]:
        """What other scalers may do to those of `services` that are due, asked in one call; and the error met.

        Where it could not be asked, the last known answer stands. Without one nothing is held against the service.
        """
        due = [service.key for service in services if self._is_due(service, memory(service.key).conflict, now)]
        due = due[:COMPETITORS_PER_LOOK]
        if not due:
            return {}, []
        self._asked_at.update(dict.fromkeys(due, now))
        try:
            return self._targets.competitors(due), []
        except Exception as error:
            return {key: memory(key).conflict or "" for key in due}, [told_as("read scalable targets", error)]

    def _is_due(self, service: Service, known: str | None, now: float) -> bool:
        if service.on_conflict == "Ignore":
            return False
        asked = self._asked_at.get(service.key)
        if known is None:
            return asked is None
        phase, last = self._phase[service.key], self._started if asked is None else asked
        return (now - phase) // COMPETITORS_EVERY > (last - phase) // COMPETITORS_EVERY

    def add_to(self, observation: Observation, service: str) -> Observation:
        """The observation of `service` with what was found out about its launches."""
        launches = self._launches.get(service)
        return observation if launches is None else replace(observation, launches=launches)
