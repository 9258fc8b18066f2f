"""Gives back memory that a process has freed."""

import threading
from collections.abc import Callable

from limbo.entrypoints.process.memory import give_back_freed_memory, resident_bytes

_LOOK_SECONDS = 5.0
_GROWN_BYTES = 8 * 1_048_576


class MemoryWatch:
    """A part of a process that has freed memory given back while the process is larger than it was.

    What a burst of large mails took stays with the process otherwise: see ``memory``.
    """

    def __init__(
        self,
        resident: Callable[[], int] = resident_bytes,
        give_back: Callable[[], None] = give_back_freed_memory,
    ) -> None:
        self._resident = resident
        self._give_back = give_back
        self._stopping = threading.Event()
        self._least = resident()

    def run(self) -> None:
        """Look every few seconds until stopped."""
        while not self._stopping.wait(_LOOK_SECONDS):
            self.look()

    def stop(self) -> None:
        """Start to stop."""
        self._stopping.set()

    def look(self) -> None:
        """Give back what is free, if there may be much of it.

        What is freed later does not show: so that is done again for as long as there may be more.
        """
        resident = self._resident()
        if resident - self._least > _GROWN_BYTES:
            self._give_back()
        else:
            self._least = min(self._least, resident)
