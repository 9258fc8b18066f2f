"""Calls what blocks, off the event loop."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Call = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class Overloaded(Exception):  # noqa: N818 - a state, not a mistake
    """Too many calls are under way."""


class Offload:
    """A few threads that make calls, of which so many may be under way or wait.

    The threads are daemons: a call that hangs holds up neither the event loop nor the exit.
    """

    def __init__(self, *, threads: int, calls: int, seconds: float) -> None:
        self._threads = threads
        self._started = 0
        self._most = calls
        self._under_way = 0
        self._seconds = seconds
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()

    async def call(self, function: Callable[[], T]) -> T:
        """Return what the function returns; raises what it raises, Overloaded or TimeoutError."""
        if self._under_way >= self._most:
            raise Overloaded
        self._under_way += 1
        if self._started < min(self._threads, self._under_way):
            self._started += 1
            threading.Thread(target=self._run, name="offload", daemon=True).start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._calls.put((function, answer, loop))
        async with asyncio.timeout(self._seconds):
            return await answer

    def stop(self) -> None:
        """Let the threads end once they have made the calls that wait."""
        for _ in range(self._started):
            self._calls.put(None)
        self._started = 0

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            function, answer, loop = call
            result, error = None, None
            if not answer.done():  # else nobody waits any more
                try:
                    result = function()
                except Exception as raised:  # noqa: BLE001 - it is raised where it is awaited
                    error = raised
            try:
                loop.call_soon_threadsafe(self._settle, answer, result, error)
            except RuntimeError:  # the loop was closed meanwhile
                return

    def _settle(
        self, answer: "asyncio.Future[Any]", result: object, error: Exception | None
    ) -> None:
        self._under_way -= 1
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)
