"""Sends the head of a response together with its body."""

import asyncio
from typing import Any

_FINAL = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")
_UNREAD_SECONDS = 30.0  # how long a client may read nothing of what a closed connection still has


class JoinedTransport:
    """A transport that holds a head back until its body is written, or the loop's next turn.

    uvicorn writes head and body separately: that takes two system calls, and may take two packets.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self.is_closing = transport.is_closing  # called several times for each request

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else that a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write the data after the head that is held back; if it is a head itself, hold it back.

        What is written after the end is thrown away: uvloop would raise.
        """
        if self.is_closing():
            return
        if not self._head and data.startswith(_FINAL):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            data, self._head = self._head + data, b""
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection once everything is written, or the client has not read for long."""
        self._flush()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(_UNREAD_SECONDS, self._transport.abort)

    def _flush(self) -> None:
        """Write a head that no body has followed."""
        if self._head:
            self.write(b"")
