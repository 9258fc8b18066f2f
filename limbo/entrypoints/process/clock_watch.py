"""Notices when the machine's clock is set, or the machine was asleep."""

import threading
import time
from collections.abc import Callable

import structlog

from limbo.entrypoints.process.clock import Clock

_STEP_SECONDS = 1.0  # less is the clock being slewed
_LOOK_SECONDS = 5.0
_log = structlog.get_logger()


class ClockWatch:
    """A part of a process that logs each step of the wall clock once.

    Leases and pauses within the process go by its own clock. Those in a database go by the wall
    clock, which all processes of the machine share.
    """

    def __init__(self, clock: Clock, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._changed = threading.Condition()
        self._stopping = False
        self._ahead = wall() - clock.now()

    def run(self) -> None:
        """Look every few seconds until stopped."""
        with self._changed:
            while not self._stopping:
                self._clock.wait(self._changed, _LOOK_SECONDS)
                self.look()

    def stop(self) -> None:
        """Start to stop."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def look(self) -> None:
        """Log how far the wall clock has stepped since the last look, if it has."""
        ahead = self._wall() - self._clock.now()
        step = ahead - self._ahead
        self._ahead = ahead
        if abs(step) > _STEP_SECONDS:
            _log.warning("clock stepped", seconds=round(step, 1))
