"""A time-out for the hot path."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


class Deadline:
    """Gives calls that begin one after another the same number of seconds each.

    One timer serves them all, as the first to begin is the first to end; ``asyncio.timeout`` would
    set one for each.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[object], float] = {}
        self._passed: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def call(self, function: Callable[[A], Awaitable[T]], argument: A) -> T:
        """Return what the function makes of it; raises TimeoutError if that takes too long."""
        task = asyncio.current_task()
        if task is None:  # only a callback of the loop has no task, and that cannot await
            raise RuntimeError
        loop = task.get_loop()
        self._ends[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._expire)
        try:
            return await function(argument)
        except asyncio.CancelledError:
            if task in self._passed and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._ends.pop(task, None)
            self._passed.discard(task)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for task, end in [*self._ends.items()]:
            if end > loop.time():
                self._timer = loop.call_at(end, self._expire)
                return
            del self._ends[task]
            self._passed.add(task)
            task.cancel()
