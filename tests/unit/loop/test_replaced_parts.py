"""What a simulation replaces of the loop: how it decides, and its threads."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

from fastscaler import loop
from fastscaler.pace import Pace
from fastscaler.scaling.decision import Decision, decide
from fastscaler.scaling.memory import Memory
from fastscaler.scaling.observation import Observation
from fastscaler.scaling.policy import Service
from tests.unit.loop.fakes import EPOCH, RecordingReport, Simulation, a_service, step


class NoThread(Executor):
    """Runs each call where it is submitted."""

    def __init__(self) -> None:
        self.calls, self.is_open = 0, True

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert self.is_open
        self.calls += 1
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.is_open = False


def test_every_call_beside_the_loop_runs_in_the_threads_that_it_was_given(sim: Simulation) -> None:
    made: dict[str, NoThread] = {}
    shop = sim.add(a_service(), tasks=4, load=step(200, 1200, at=20))
    world = replace(sim.world(RecordingReport(sim.clock)), threads=lambda most, name: made.setdefault(name, NoThread()))
    loop.run([shop], world, Pace(), EPOCH + 60 + loop.MARGIN)
    assert sim.fleet(shop).counts == [12]
    assert made["update-service"].calls == 1
    assert made["read-services"].calls > 12
    assert not any(one.is_open for one in made.values()), "all are shut down"


def test_another_decision_is_what_is_done(sim: Simulation) -> None:
    shop = sim.add(a_service(), tasks=4, load=step(200, 1200, at=20))
    small = Service.model_validate(shop.model_dump(by_alias=True) | {"MaxCapacity": 6})

    def cautious(service: Service, observation: Observation, memory: Memory, now: float) -> Decision:
        return decide(small, observation, memory, now)

    world = sim.world(RecordingReport(sim.clock))
    loop.run([shop], world, Pace(), EPOCH + 60 + loop.MARGIN, decide=cautious)
    assert sim.fleet(shop).counts == [6]
