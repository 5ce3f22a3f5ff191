import pytest

from tests.unit.loop.fakes import Simulation


@pytest.fixture
def sim() -> Simulation:
    return Simulation()
