"""A small and fast HTTP/1.1 server for stubs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import httptools
import uvloop


@dataclass(slots=True)
class Request:
    """A request; header names are in lower case."""

    path: str = ""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


Reply = Callable[[bytes], None]
Handler = Callable[[Request, Reply], None]


class _Protocol(asyncio.Protocol):
    """One connection, without pipelining."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._request = Request()

    def on_url(self, url: bytes) -> None:
        self._request.path += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.lower()] = value
        if name.lower() == b"expect":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._request.body += body

    def on_message_complete(self) -> None:
        self._handler(self._request, self._reply)

    def _reply(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )


def serve(handler: Handler, port: int) -> None:
    """Serve on 127.0.0.1 until the process is ended."""

    async def forever() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Protocol(handler), "127.0.0.1", port, backlog=1024
        )
        await server.serve_forever()

    uvloop.run(forever())
