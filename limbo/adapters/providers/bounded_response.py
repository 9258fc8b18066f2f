"""An HTTP answer that comes within a known time, and with its whole head."""

import io
import socket
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import Any


class BoundedResponse(HTTPResponse):
    """Reads an answer until a deadline, in seconds of the monotonic clock."""

    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(sock, *args, **kwargs)
        self._lines = _Lines(_Reader(self.fp.detach(), sock, deadline))
        self.fp = self._lines

    def begin(self) -> None:
        """Read the head. Raises HTTPException if it has no end.

        http.client takes the end of the connection for the end of the head. So a cut "400" would be
        an answer without a code, and a cut "200" one without a body.
        """
        super().begin()
        if not self._lines.last:
            msg = "the head of the answer was cut off"
            raise HTTPException(msg)


class _Lines(io.BufferedReader):
    """Remembers the last line, which is empty where the connection has ended."""

    last: bytes = b""

    def readline(self, size: int | None = -1) -> bytes:
        self.last = super().readline(-1 if size is None else size)
        return self.last


class _Reader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer
        self._sock.settimeout(left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def left(deadline: float) -> float:
    """Return the seconds until the deadline. Raises TimeoutError if it has passed."""
    seconds = deadline - monotonic()
    if seconds <= 0:
        msg = "timed out"
        raise TimeoutError(msg)
    return seconds
