"""A time-out for the hot path."""

import asyncio
from types import TracebackType


class Deadline:
    """Gives blocks that begin one after another the same number of seconds each.

    A block that takes longer raises TimeoutError. One timer serves them all, as the first to begin
    is the first to end; ``asyncio.timeout`` would set one for each. A task is in one block at a
    time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[object], float] = {}
        self._passed: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        task = _task()
        loop = task.get_loop()
        self._ends[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._expire)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task = _task()
        if self._ends.pop(task, None) is None and task in self._passed:
            self._passed.discard(task)
            if kind is asyncio.CancelledError and task.uncancel() == 0:
                raise TimeoutError from None

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


def _task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    if task is None:  # only a callback of the loop has no task, and that cannot await
        raise RuntimeError
    return task
