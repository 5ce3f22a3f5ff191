"""The latency ledger: how far a scale-out has come, and how long each stage took."""

from dataclasses import replace

import pytest

from fastscaler.ledger import close_call, follow, stages
from fastscaler.scaling.memory import Activity, Ledger, Memory
from fastscaler.scaling.observation import ServiceState
from tests.unit.scaling.build import START, service

SHOP = service()
OPENED = Ledger(10, 14, START - 2, START - 0.5, START)
CALLED = replace(OPENED, updated=START + 0.5)
RAISE = Activity(START, 10, 14, "policy", 4)
GROUP = ("arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop/1",)


def never() -> int:
    pytest.fail("the targets' health was asked for")


def seen(
    memory: Memory, running: int, second: float, healthy: int | None = None, groups: tuple[str, ...] = GROUP
) -> tuple[Memory, list[Ledger]]:
    """What is made of `running` tasks some seconds after START; without `healthy` nobody may ask for it."""
    state = ServiceState(14, running, target_groups=groups)
    return follow(SHOP, state, memory, never if healthy is None else lambda: healthy, START + second)


class TestFollow:
    KNOWN = Memory(14, ledgers=(CALLED,))

    def test_stage_by_stage_to_healthy_targets(self) -> None:
        memory, progressed = seen(self.KNOWN, running=13, second=20)
        assert (memory, progressed) == (self.KNOWN, [])
        memory, (ledger,) = seen(memory, running=14, second=25, healthy=10)
        assert (ledger.running, ledger.healthy, memory.ledgers) == (START + 25, None, (ledger,))
        memory, (ledger,) = seen(memory, running=14, second=35, healthy=14)
        assert (ledger.running, ledger.healthy, memory.ledgers) == (START + 25, START + 35, ())

    def test_without_targets_running_is_the_last_stage(self) -> None:
        memory, (ledger,) = seen(self.KNOWN, running=14, second=25, groups=())
        assert (ledger.running, memory.ledgers) == (START + 25, ())

    def test_a_call_without_an_answer_is_not_followed(self) -> None:
        waiting = Memory(10, intent=RAISE, ledgers=(OPENED,))
        assert seen(waiting, running=14, second=5) == (waiting, [])

    def test_a_lost_answer_is_found_by_its_effect(self) -> None:
        memory, (ledger,) = seen(Memory(14, ledgers=(OPENED,)), running=10, second=5)
        assert (ledger.updated, memory.ledgers) == (START + 5, (ledger,))

    def test_a_scale_out_that_was_taken_back_is_closed(self) -> None:
        memory, progressed = seen(Memory(12, ledgers=(CALLED,)), running=12, second=30)
        assert (memory.ledgers, progressed) == ((), [])

    @pytest.mark.parametrize(("second", "is_open"), [(180, True), (181, False)])
    def test_so_is_one_that_does_not_end(self, second: float, is_open: bool) -> None:
        memory, _ = seen(self.KNOWN, running=10, second=second)
        assert bool(memory.ledgers) is is_open

    def test_several_are_followed_at_once(self) -> None:
        later = replace(CALLED, previous=14, desired=20)
        memory, progressed = seen(Memory(20, ledgers=(CALLED, later)), running=14, second=30, healthy=14)
        assert [ledger.desired for ledger in progressed] == [14]
        assert memory.ledgers == (later,)

    def test_an_answer_is_noted_once(self) -> None:
        memory = close_call(Memory(14, ledgers=(OPENED,)), START + 0.5)
        assert memory.ledgers == (CALLED,)
        assert close_call(memory, START + 9) is memory


class TestStages:
    def test_they_add_up_to_the_total(self) -> None:
        took = stages(replace(CALLED, running=START + 25, healthy=START + 35.25))
        assert took == {
            "bucket_end_to_read": 1.5,
            "read_to_decided": 0.5,
            "decided_to_updated": 0.5,
            "updated_to_running": 24.5,
            "running_to_healthy": 10.25,
            "total": 37.25,
        }

    def test_they_go_as_far_as_the_scale_out_has_come(self) -> None:
        assert list(stages(OPENED)) == ["bucket_end_to_read", "read_to_decided", "total"]

    def test_what_no_bucket_asked_for_begins_with_its_reading(self) -> None:
        assert stages(replace(CALLED, bucket_end=None)) == {
            "read_to_decided": 0.5,
            "decided_to_updated": 0.5,
            "total": 1.0,
        }
