"""The time as a worker sees it."""

import threading
import time


class Clock:
    """Seconds since the epoch that never jump, even when the machine's clock is set."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return self._offset + time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait, with the condition held, until it is notified or the seconds have passed."""
        condition.wait(min(seconds, threading.TIMEOUT_MAX))
