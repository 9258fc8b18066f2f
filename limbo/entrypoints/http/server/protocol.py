"""uvicorn's HTTP/1.1, with the limits that uvicorn leaves to a proxy in front of it."""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from limbo.entrypoints.http.server.codes import CODES
from limbo.entrypoints.http.server.phrases import PHRASES
from limbo.entrypoints.http.server.problems import NOT_SUBMITTED
from limbo.entrypoints.http.server.transport import JoinedTransport

HEAD_SECONDS = 10.0
MAX_HEAD_BYTES = 65_536
MAX_PIPELINE = 64  # requests that wait for the answer to an earlier one
STOP = "limbo.stop"
"""The name, in the lifespan's state, of a function that answers the long polls at once."""


class BoundedProtocol(HttpToolsProtocol):
    """Limits the time and the size of a request's head; pass it to uvicorn as ``http``.

    Without it, a connection that sends nothing stays open for ever, and a header without an end
    fills the memory. It also stops a client that keeps sending a body that nobody reads.
    """

    head_seconds = HEAD_SECONDS
    max_head_bytes = MAX_HEAD_BYTES
    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(JoinedTransport(transport))  # type: ignore[arg-type]
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Start a graceful shutdown: answer the requests that only wait."""
        stop = self.app_state.get(STOP)
        if stop is not None:
            stop()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Refuse a head that is too long; that is noticed at most one read (256 KiB) too late."""
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head or not self._head_bytes:
            return
        if self._head_bytes > self.max_head_bytes:
            self._refuse(431, f"the request's head is longer than {self.max_head_bytes} bytes")
        elif self._timer is None:  # a head that came in one piece needs no timer
            self._start()

    def on_message_begin(self) -> None:
        """Start again: the rest of this head may not have arrived yet."""
        super().on_message_begin()
        self._in_head = True
        self._stop()

    def on_headers_complete(self) -> None:
        """Stop waiting: the application limits the body."""
        self._in_head = False
        self._stop()
        if len(self.pipeline) >= MAX_PIPELINE or self.transport.is_closing():
            self.transport.abort()
        elif self.parser.should_upgrade() and self._has_body():
            # The parser would not read the body as such, but as the next request.
            self._refuse(400, "no Upgrade is known here; send HTTP/1.1 without that header")
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Count the next head from here."""
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def on_response_complete(self) -> None:
        """Wait for the end of a body that nobody reads, as for a head."""
        super().on_response_complete()
        if self._timer is None and not self._in_head:
            self._start()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP, in the form of all other responses."""
        self._refuse(400, msg)

    def _has_body(self) -> bool:
        headers = dict(self.headers)
        return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"

    def _start(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._expire)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        unread, self._unread = self._unread, self.transport.get_write_buffer_size()
        if 0 < unread <= self._unread:  # the client has read nothing for all that time
            self.transport.abort()
        elif self._is_answering():
            self._start()
        elif self._in_head and self._head_bytes:
            self._refuse(408, f"the request's head did not arrive within {self.head_seconds:g} s")
        else:
            self.transport.close()

    def _is_answering(self) -> bool:
        """Say whether a response is due or being sent: bytes written now would mix with it."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        is_being_read = cycle.more_body and not cycle.response_started
        return bool(self.pipeline) or not is_being_read

    def _refuse(self, status: int, problem: str) -> None:
        if self.transport.is_closing():
            return
        if self._is_answering():
            self.transport.close()
            return
        body = orjson.dumps({"Message": NOT_SUBMITTED, "Problem": problem, "code": CODES[status]})
        head = (
            f"HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
