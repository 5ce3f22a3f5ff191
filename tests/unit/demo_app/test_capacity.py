"""A task of the demo that is full is slow, and says no less often how busy it is."""

import asyncio
import time

from demo.app.capacity import Capacity


async def _nothing(*_: object) -> None:
    """An application, a receive and a send that do nothing."""


async def _get(app: Capacity, path: str) -> float:
    """Asks for a page; returns the moment of the answer, on the event loop's clock."""
    await app({"type": "http", "path": path}, _nothing, _nothing)  # type: ignore[arg-type]
    return asyncio.get_running_loop().time()


def test_no_more_are_served_than_it_can_take() -> None:
    async def customers() -> list[float]:
        app = Capacity(_nothing, per_second=200)
        began = asyncio.get_running_loop().time()
        return [at - began for at in await asyncio.gather(*(_get(app, "/") for _ in range(20)))]

    served = asyncio.run(customers())
    # Nobody is served before the turns of those who came first are over; how much later depends on the machine.
    assert all(at >= (number + 1) / 200 - 0.001 for number, at in enumerate(served))
    assert served == sorted(served)


def test_a_health_check_does_not_wait_in_line() -> None:
    async def check() -> None:
        app = Capacity(_nothing, per_second=0.001, exclude_paths=["/health"])
        customer = asyncio.create_task(_get(app, "/"))
        await asyncio.sleep(0)
        await _get(app, "/health")
        assert not customer.done()
        customer.cancel()

    began = time.monotonic()
    asyncio.run(check())
    assert time.monotonic() - began < 500  # A turn takes 1,000 s.


def test_an_idle_task_saves_no_turns_for_later() -> None:
    async def burst_after_a_pause() -> float:
        app = Capacity(_nothing, per_second=100)
        await _get(app, "/")
        await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(_get(app, "/") for _ in range(5)))
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(burst_after_a_pause()) >= 0.049
