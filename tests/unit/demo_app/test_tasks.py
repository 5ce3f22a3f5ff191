"""The demo's ECS: a process for every task, registered when it runs, drained before it is stopped."""

from math import inf
from pathlib import Path

import pytest

from demo.app.tasks import DEREGISTRATION_SECONDS, STOP_SECONDS, TaskFailed, Tasks
from demo.fleet import Fleet
from tests.unit.demo_app.fakes import FakeBalancer, FakeChild, FakeChildren

START_SECONDS = 15.0
NOW = 1_800_000_000.0


class World:
    """A service of `desired` tasks; `step` lets its processes load and pass their checks, unless told otherwise."""

    def __init__(self, folder: Path, desired: int = 2, slots: int = 6) -> None:
        self.fleet = Fleet(desired, inf, 0.0)
        self.balancer = FakeBalancer(folder, slots)
        self.children = FakeChildren()
        self.now = NOW
        self.tasks = Tasks(
            self.fleet,
            self.balancer,  # type: ignore[arg-type]
            self.children,  # type: ignore[arg-type]
            lambda address: {"TASK": address},
            seconds=START_SECONDS,
            per_second=100,
            slots=slots,
        )

    def step(self, seconds: float = 1.0, times: int = 1, *, load: bool = True, pass_checks: bool = True) -> None:
        for _ in range(times):
            self.now += seconds
            self.tasks.follow(self.now)
            for child in self.children.started if load else ():
                if child.exit_code is None:
                    child.socket.touch()
            if pass_checks:
                self.balancer.healthy |= {slot for slot, at in self.balancer.states.items() if at == "registered"}

    @property
    def running(self) -> int:
        return self.fleet.running(self.now)

    def of(self, address: str) -> FakeChild:
        [child] = [child for child in self.children.started if child.environment["TASK"] == address]
        return child


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_first_tasks_run_at_once_and_are_healthy_when_their_checks_have_passed(world: World) -> None:
    world.step(times=4, pass_checks=False)
    assert (world.running, world.tasks.healthy, world.fleet.healthy(world.now)) == (2, 0, 0)
    world.step(times=2)
    assert (world.running, world.tasks.healthy, world.fleet.healthy(world.now)) == (2, 2, 2)


def test_a_new_task_runs_after_the_time_that_fargate_takes(world: World) -> None:
    world.step(times=6)
    world.fleet.set_desired(4, world.now)
    world.step(times=14)
    assert len(world.children.started) == 4
    assert (world.running, world.tasks.healthy) == (2, 2)
    world.step(times=4)
    assert (world.running, world.tasks.healthy) == (4, 4)


def test_processes_load_one_after_the_other(world: World) -> None:
    world.step(times=10, load=False)
    assert len(world.children.started) == 1
    world.step(times=2)
    assert len(world.children.started) == 2


def test_a_task_that_still_loads_does_not_run(world: World) -> None:
    world.step(times=30, load=False)
    assert world.running == 0


def test_a_task_that_fails_its_checks_is_not_healthy_any_more(world: World) -> None:
    world.step(times=6)
    world.balancer.healthy.clear()
    world.step(pass_checks=False)
    assert (world.running, world.tasks.healthy, world.fleet.healthy(world.now)) == (2, 0, 0)


def test_a_task_that_is_taken_away_finishes_its_requests_first(world: World) -> None:
    world.step(times=6)
    leaving = world.fleet.tasks[-1].address
    world.fleet.set_desired(1, world.now)
    [slot] = [slot for slot in (1, 2) if world.of(leaving).socket == world.balancer.socket(slot)]
    world.balancer.open_requests[slot] = 3
    world.step(times=5)
    assert world.balancer.states[slot] == "draining"
    assert world.of(leaving).process.signals == []
    world.balancer.open_requests[slot] = 0
    world.step()
    assert world.balancer.states[slot] == "free"
    assert world.of(leaving).process.signals == ["SIGTERM"]
    assert world.tasks.healthy == 1


def test_requests_that_never_end_are_waited_for_as_long_as_a_target_group_does(world: World) -> None:
    world.step(times=6)
    leaving = world.of(world.fleet.tasks[-1].address)
    world.balancer.open_requests = {1: 1, 2: 1}
    world.fleet.set_desired(1, world.now)
    world.step()
    world.step(DEREGISTRATION_SECONDS)
    assert leaving.process.signals == []
    world.step()
    assert leaving.process.signals == ["SIGTERM"]
    world.step(STOP_SECONDS)
    assert leaving.process.signals == ["SIGTERM"]
    world.step()
    assert leaving.process.signals == ["SIGTERM", "SIGKILL"]


def test_a_slot_is_used_again(tmp_path: Path) -> None:
    world = World(tmp_path, desired=2, slots=2)
    world.step(times=6)
    leaving = world.of(world.fleet.tasks[-1].address)
    world.fleet.set_desired(1, world.now)
    world.step(times=3)
    world.fleet.set_desired(2, world.now)
    world.step(times=30)
    assert len(world.children.started) == 2  # There is no place for a third one until the second has ended.
    leaving.exit_code = 0
    world.step(times=5)
    assert world.children.started[-1].socket == leaving.socket
    assert world.tasks.healthy == 2


def test_a_task_that_ends_by_itself_ends_the_demo_with_its_own_words(world: World) -> None:
    world.step(times=6)
    world.children.started[0].exit_code = 1
    with pytest.raises(TaskFailed, match="has ended by itself:\nMemoryError"):
        world.step()
