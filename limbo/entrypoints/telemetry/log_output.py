"""Writes log lines to standard output."""

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import IO, Any


class LogOutput:
    """Standard output; if it cannot be written, lines are lost, and nothing else fails.

    The lines that an event loop logs in one turn are written together after it, because each call
    of the operating system hands the interpreter to other threads.
    """

    def __init__(self, stream: IO[Any], end: str | bytes) -> None:
        self._stream = stream
        self._end: Any = end
        self._lines: deque[Any] = deque()
        self._flushing: asyncio.AbstractEventLoop | None = None
        self._writing = threading.Lock()

    def msg(self, line: str | bytes) -> None:
        """Write the line: at once, or after this turn of the event loop."""
        self._lines.append(line)
        loop = self._flushing  # another thread may change it at any time
        if loop is None or not loop.is_running():
            try:
                loop = self._flushing = asyncio.get_running_loop()
            except RuntimeError:  # a thread without a loop
                self._flush()
            else:
                loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write the lines, or lose them; the lock keeps the lines of each thread in order."""
        self._flushing = None
        with self._writing, suppress(OSError, ValueError):
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            self._stream.write(self._end.join([*lines, self._end[:0]]))
            self._stream.flush()
