"""Runs blocking calls in threads, off the event loop and within limits."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from limbo.domain.errors import LimboError

T = TypeVar("T")
_IDLE_SECONDS = (
    1.0  # an idle thread waits for the next call: starting a thread costs more than a call
)


class Overloaded(LimboError):  # noqa: N818 - a state, not a mistake
    """Too many calls are under way already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    function: Callable[[], Any]
    key: Hashable | None
    result: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop


class Offload:
    """Makes calls in ``threads`` threads; up to ``calls`` run or wait, each for up to ``seconds``.

    The threads are daemons, and end when there is nothing to do: a call that hangs blocks neither
    the event loop nor the exit of the process.
    """

    def __init__(self, *, threads: int, calls: int, seconds: float) -> None:
        self.threads = threads
        self._most = calls
        self.seconds = seconds
        self._under_way = 0
        self._shared: dict[Hashable, asyncio.Future[Any]] = {}
        self._changed = threading.Condition()
        self._started = 0
        self._idle = 0
        self._waiting: deque[_Call] = deque()

    async def call(self, function: Callable[[], T], *, key: Hashable | None = None) -> T:
        """Return what the function returns; raises what it raises, Overloaded or TimeoutError.

        Callers that use the same ``key`` at the same time share one call. A shared call is made
        even when its callers have gone away meanwhile; a call without a key is not.
        """
        future: asyncio.Future[T] | None = None if key is None else self._shared.get(key)
        if future is None:
            future = self._begin(function, key)
        async with asyncio.timeout(self.seconds):
            return await (future if key is None else asyncio.shield(future))

    def _begin(self, function: Callable[[], T], key: Hashable | None) -> "asyncio.Future[T]":
        if self._under_way >= self._most:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._changed:
            if self._idle <= len(self._waiting) and self._started < self.threads:
                threading.Thread(target=self._run, name="offload", daemon=True).start()
                self._started += 1
            self._waiting.append(_Call(function=function, key=key, result=future, loop=loop))
            self._changed.notify()
        self._under_way += 1
        if key is not None:
            self._shared[key] = future
            future.add_done_callback(
                asyncio.Future.exception
            )  # mark an error as seen, even if no caller is left
        return future

    def _run(self) -> None:
        while (call := self._next()) is not None:
            value, error = None, None
            if not call.result.done():  # else its caller has gone away
                try:
                    value = call.function()
                except Exception as raised:  # noqa: BLE001 - it is raised where the call is awaited
                    error = raised
            try:
                call.loop.call_soon_threadsafe(self._resolve, call, value, error)
            except RuntimeError:  # the loop was closed in the meantime
                continue

    def _next(self) -> _Call | None:
        with self._changed:
            if not self._waiting:
                self._idle += 1
                self._changed.wait_for(lambda: self._waiting, _IDLE_SECONDS)
                self._idle -= 1
            if self._waiting:
                return self._waiting.popleft()
            self._started -= 1
            return None

    def _resolve(self, call: _Call, value: object, error: Exception | None) -> None:
        self._under_way -= 1
        if call.key is not None:
            del self._shared[call.key]
        if call.result.done():
            return
        if error is not None:
            call.result.set_exception(error)
        else:
            call.result.set_result(value)
