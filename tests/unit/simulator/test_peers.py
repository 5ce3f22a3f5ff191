"""What a runner may rely on for every peer."""

import pytest

from simulator.peers.fixed import NoScaling
from simulator.peers.hpa import Hpa
from simulator.peers.kpa import Kpa
from simulator.peers.oracle import Oracle
from simulator.peers.peer import Peer
from simulator.peers.poller import Poller
from simulator.peers.step_alarm import StepAlarm, step_policy
from simulator.peers.target_tracking import TargetTracking

PEERS: list[Peer] = [
    TargetTracking(70, 60, 2, 100),
    TargetTracking(70, 20, 2, 100),
    StepAlarm(step_policy(((0, None, 1),), 100), None, 2, 100),
    Hpa(100, 2, 100),
    Kpa(100, 2, 100),
    Poller(),
    Oracle([2], lambda _: 35, 2, 100),
    NoScaling(2),
]


def test_no_two_peers_share_a_name() -> None:
    assert len({peer.name for peer in PEERS}) == len(PEERS)
    assert "aws-target-tracking-20s" in {peer.name for peer in PEERS}


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("aws-step-scaling", 10), ("kubernetes-hpa", 15), ("knative-kpa", 2), ("fixed-table-poller", 3)],
)
def test_each_looks_as_often_as_its_original(name: str, seconds: float) -> None:
    assert {peer.name: peer.interval for peer in PEERS}[name] == seconds


def test_without_scaling_the_count_stays() -> None:
    assert {NoScaling(7).step(now) for now in range(0, 86_400, 60)} == {7}
