"""Calls that may block, kept off the event loop and within bounds."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LaneFull(Exception):  # noqa: N818 - a state, not a mistake
    """Too many calls wait already."""


class Lane(Generic[T]):
    """Calls a function of a name, in a few threads, once for all who ask for the same name.

    The threads are daemons: a call that hangs holds up neither the event loop nor the exit.
    """

    def __init__(
        self, function: Callable[[str], T], *, threads: int, waiting: int, seconds: float
    ) -> None:
        self._function = function
        self._idle = threads
        self._most = waiting
        self._seconds = seconds
        self._calls: dict[str, asyncio.Future[T]] = {}
        self._waiting: deque[str] = deque()

    async def call(self, name: str) -> T:
        """Return what the function returns; raises what it raises, LaneFull or TimeoutError."""
        call = self._calls.get(name)
        if call is None:
            if len(self._waiting) >= self._most:
                raise LaneFull
            loop = asyncio.get_running_loop()
            call = self._calls[name] = loop.create_future()
            call.add_done_callback(_see)
            self._waiting.append(name)
            self._start(loop)
        async with asyncio.timeout(self._seconds):
            return await asyncio.shield(call)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and self._idle:
            self._idle -= 1
            name = self._waiting.popleft()
            threading.Thread(target=self._run, args=(loop, name), name="lane", daemon=True).start()

    def _run(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        settle: Callable[[asyncio.Future[T]], None]
        try:
            result = self._function(name)
        except Exception as caught:  # noqa: BLE001 - it is raised where the result is awaited
            error = caught  # whose own name ends with the block
            settle = lambda call: call.set_exception(error)  # noqa: E731
        else:
            settle = lambda call: call.set_result(result)  # noqa: E731
        try:
            loop.call_soon_threadsafe(self._settle, loop, name, settle)
        except RuntimeError:  # the loop was closed meanwhile
            return

    def _settle(
        self,
        loop: asyncio.AbstractEventLoop,
        name: str,
        settle: Callable[[asyncio.Future[T]], None],
    ) -> None:
        settle(self._calls.pop(name))
        self._idle += 1
        self._start(loop)


def _see(call: asyncio.Future[T]) -> None:
    """Look at an error even if all who asked are gone, which asyncio would complain of."""
    call.exception()
