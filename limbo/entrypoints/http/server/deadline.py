"""A time-out for the hot path."""

import asyncio


class Deadline:
    """Gives tasks that begin something one after another the same number of seconds each.

    One timer serves them all, as the first to begin is the first to end; ``asyncio.timeout`` would
    set one for each. A task that takes longer is cancelled, and ``has_passed`` tells it why.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[object], float] = {}
        self._passed: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> "asyncio.Task[object]":
        """Give the running task its seconds; return it, for the other methods."""
        task = asyncio.current_task()
        if task is None:  # only a callback of the loop has no task, and that cannot await
            raise RuntimeError
        loop = task.get_loop()
        self._ends[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._expire)
        return task

    def has_passed(self, task: "asyncio.Task[object]") -> bool:
        """Tell whether the task was cancelled by its deadline, and by nothing else."""
        return task in self._passed and task.uncancel() == 0

    def end(self, task: "asyncio.Task[object]") -> None:
        """Forget the task, which is done with what it began."""
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
