"""Clocks for tests: that only move when they are told to, that run fast, and that leap."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from limbo.entrypoints.process import clock


@dataclass(frozen=True, slots=True, eq=False)
class _Wait:
    condition: threading.Condition
    seconds: float
    until: float


class Clock(clock.Clock):
    """A clock that only moves when it is told to; it then wakes the threads whose wait is over.

    A wait counts from when its thread last looked: it cannot know that the clock has moved since.
    """

    def __init__(self, time: float = 1_700_000_000.0) -> None:
        self._time = time
        self._waits: list[_Wait] = []
        self._lock = threading.Lock()
        self._looked = threading.local()

    @property
    def time(self) -> float:
        """What it shows; it can be set."""
        return self._time

    @time.setter
    def time(self, time: float) -> None:
        self._time = time
        with self._lock:
            due = [wait for wait in self._waits if wait.until <= time]
            self._waits = [wait for wait in self._waits if wait.until > time]
        for wait in due:
            with wait.condition:
                wait.condition.notify_all()

    def now(self) -> float:
        self._looked.at = now = self._time
        return now

    def elapse(self, seconds: float) -> None:
        """Move on by ``seconds``."""
        self.time += seconds

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        wait = _Wait(condition, seconds, getattr(self._looked, "at", self._time) + seconds)
        with self._lock:
            if wait.until <= self._time:
                return
            self._waits.append(wait)
        condition.wait()
        with self._lock:
            self._waits = [other for other in self._waits if other is not wait]

    def is_waited_for(self, seconds: float) -> bool:
        """Say whether a thread waits for ``seconds`` to pass."""
        with self._lock:
            return any(wait.seconds == seconds for wait in self._waits)


class FastClock(clock.Clock):
    """A clock that runs ``speed`` times as fast as real time."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed
        self._from = (time.monotonic(), super().now())
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._at(time.monotonic())

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        super().wait(condition, seconds / self._speed)

    def run_at(self, speed: float) -> None:
        """Go on at another speed."""
        with self._lock:
            now = time.monotonic()
            self._from, self._speed = (now, self._at(now)), speed

    def _at(self, now: float) -> float:
        began, shown = self._from
        return shown + (now - began) * self._speed


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time goes on as ever, and by leaps: what is due much later is due now."""

    _leapt = 0.0

    def time(self) -> float:
        return super().time() + self._leapt

    async def leap(self, seconds: float = 0.0) -> None:
        """Move on by ``seconds``: whatever can run does so before, and what is due after."""
        await self._settle()
        self._leapt += seconds
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(20):
            await asyncio.sleep(0)


def run_leaping(main: Coroutine[Any, Any, None]) -> None:
    """Run it in a LeapingLoop, as ``asyncio.run`` would in one that does not leap."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(main)
