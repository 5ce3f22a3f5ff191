"""What one task can serve: a fixed number of requests a second, one after the other."""

import asyncio
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send


class Capacity:
    """Lets `per_second` requests a second through to an ASGI application; the others wait for their turn.

    A quarter of a vCPU is what limits a real task. Twelve of these tasks share a machine of two cores with all else, so
    they wait instead of computing: a task that is full is slow, as a real one would be, and the machine is not.
    """

    def __init__(self, app: ASGIApp, per_second: float, exclude_paths: Collection[str] = ()) -> None:
        self._app = app
        self._turn = 1 / per_second
        self._exclude_paths = frozenset(exclude_paths)
        self._free_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._exclude_paths:
            # The end of its turn is reserved on arrival, so that a timer that fires late costs no capacity.
            now = asyncio.get_running_loop().time()
            self._free_at = max(now, self._free_at) + self._turn
            await asyncio.sleep(self._free_at - now)
        await self._app(scope, receive, send)
