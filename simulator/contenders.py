"""The peers by the names that a user gives them, in the order in which results list them."""

from collections.abc import Callable, Mapping

from simulator.controllers import peers
from simulator.controllers.peers import PeerController

CONTENDERS: Mapping[str, Callable[[], PeerController]] = {
    "aws-20s": lambda: peers.target_tracking(20),
    "aws-60s": lambda: peers.target_tracking(60),
    "aws-steps": peers.step_scaling,
    "hpa": peers.hpa,
    "kpa": peers.kpa,
    "poller": peers.poller,
    "none": peers.no_scaling,
    "oracle": peers.oracle,
}
