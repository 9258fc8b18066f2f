"""Sends the head of an answer together with its body."""

import asyncio
from typing import Any

_FINAL = (b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4", b"HTTP/1.1 5")


class JoinedTransport:
    """The transport of one connection, which keeps a head back until its body comes.

    uvicorn writes them one by one, which takes two calls of the system, and perhaps two packets.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing  # asked several times a request

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write the data with the head before it, or keep it if it is a head."""
        if not self._head and data.startswith(_FINAL):
            self._head = data
        else:
            data, self._head = self._head + data, b""
            self._transport.write(data)

    def flush(self) -> None:
        """Write a head that no body follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close the connection once all is written."""
        self.flush()
        self._transport.close()
