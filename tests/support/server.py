"""A real uvicorn in a thread, and raw sockets to talk to it."""

import contextlib
import functools
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from limbo.entrypoints.http.server.placed_protocol import PlacedProtocol
from limbo.entrypoints.http.server.places import Places
from limbo.entrypoints.http.server.refusals import Refusals
from limbo.entrypoints.http.server.unread import UnreadAnswers
from limbo.entrypoints.telemetry.metrics import Metrics


@contextlib.contextmanager
def serving(
    app: ASGIApp,
    protocol: type[PlacedProtocol] = PlacedProtocol,
    *,
    connections: int = 1000,
    metrics: Metrics | None = None,
    **options: object,
) -> Iterator[tuple[str, int]]:
    """Serve the app on a free port of 127.0.0.1; the end is a graceful shutdown."""
    refusals = Refusals(metrics or Metrics())
    bounds = {"places": Places(connections), "unread": UnreadAnswers(), "refusals": refusals}
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        loop="uvloop",
        http=functools.partial(protocol, **bounds),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        **options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


class Connection:
    """A socket that sends what it is told, and reads until an answer is whole or the end comes."""

    def __init__(self, address: tuple[str, int], source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(address, timeout=20, source_address=(source, 0))
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, *parts: bytes) -> Self:
        self._socket.sendall(b"".join(parts))
        return self

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return the next answer: status, headers in lower case, body."""
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        length = int(headers.get("content-length", 0))
        while len(self._buffer) < length:
            self._read()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return status, headers, body

    def is_answered(self) -> bool:
        """Say whether an answer has begun to arrive."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def is_closed(self) -> bool:
        """Wait for the other side to end the connection."""
        try:
            return self._socket.recv(65536) == b""
        except ConnectionError:
            return True

    def _read(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            msg = f"closed after {self._buffer!r}"
            raise EOFError(msg)
        self._buffer += data
