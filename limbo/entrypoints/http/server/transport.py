"""Sends the head of a response together with its body."""

import asyncio
from typing import Any

_FINAL = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")


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
        """Write the data after the head that is held back; if it is a head itself, hold it back."""
        if not self._head and data.startswith(_FINAL):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            data, self._head = self._head + data, b""
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection once everything is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        """Write a head that no body has followed."""
        if self._head:
            self.write(b"")
