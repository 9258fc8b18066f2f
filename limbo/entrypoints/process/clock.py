"""The clock of a worker."""

import threading
import time


class Clock:
    """Tells the seconds since the epoch; it never jumps, even when the machine's clock is set."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return self._offset + time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait until the condition is notified or the seconds have passed; the caller holds it."""
        condition.wait(min(seconds, threading.TIMEOUT_MAX))
