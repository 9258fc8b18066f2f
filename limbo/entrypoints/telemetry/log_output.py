"""Where log lines go."""

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import IO, Any


class LogOutput:
    """Standard output, where a full disk or a reader that is gone costs lines and no mails.

    What an event loop logs in one of its turns is written together after it, as each call of the
    operating system gives other threads the interpreter.
    """

    def __init__(self, stream: IO[Any], end: str | bytes) -> None:
        self._stream = stream
        self._end: Any = end
        self._lines: deque[Any] = deque()
        self._flushing: asyncio.AbstractEventLoop | None = None
        self._writing = threading.Lock()

    def msg(self, line: str | bytes) -> None:
        """Write the line: now, or after this turn of the loop."""
        self._lines.append(line)
        loop = self._flushing  # which another thread may change at any time
        if loop is None or not loop.is_running():
            try:
                loop = self._flushing = asyncio.get_running_loop()
            except RuntimeError:  # a thread without one
                self._flush()
            else:
                loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write, or lose the lines; in turn, so that no line of a thread overtakes another."""
        self._flushing = None
        with self._writing, suppress(OSError, ValueError):
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            self._stream.write(self._end.join([*lines, self._end[:0]]))
            self._stream.flush()
