"""uvicorn's HTTP/1.1, with the bounds that it leaves to a proxy in front of it."""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from limbo.entrypoints.http.server.phrases import PHRASES
from limbo.entrypoints.http.server.problems import NOT_SUBMITTED
from limbo.entrypoints.http.server.transport import JoinedTransport

HEAD_SECONDS = 10.0
MAX_HEAD_BYTES = 65_536
MAX_PIPELINE = 64  # requests that wait for the answer to an earlier one
STOP = "limbo.stop"
"""In the lifespan's state: a function that ends what holds requests up on purpose."""


class BoundedProtocol(HttpToolsProtocol):
    """Bounds the time and size of a request's head: pass it to uvicorn as ``http``.

    Without it a connection that sends nothing stays for ever, and a header that does not end fills
    the memory. Nor may a client keep sending a body that nobody reads.
    """

    head_seconds = HEAD_SECONDS
    max_head_bytes = MAX_HEAD_BYTES
    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(JoinedTransport(transport))  # type: ignore[arg-type]
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to wait."""
        self._stop()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Begin a graceful shutdown: let go of the requests that only wait."""
        stop = self.app_state.get(STOP)
        if stop is not None:
            stop()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Refuse a head that is too long; it is noticed after at most one read more (256 KiB)."""
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head or not self._head_bytes:
            return
        if self._head_bytes > self.max_head_bytes:
            self._refuse(431, f"the request's head is longer than {self.max_head_bytes} bytes")
        elif self._timer is None:  # which a head that came in one piece never needed
            self._start()

    def on_message_begin(self) -> None:
        """Wait again, for the rest of this head if it is not there already."""
        super().on_message_begin()
        self._in_head = True
        self._stop()

    def on_headers_complete(self) -> None:
        """Stop to wait: the application bounds the body."""
        self._in_head = False
        self._stop()
        if len(self.pipeline) >= MAX_PIPELINE or self.transport.is_closing():
            self.transport.abort()
        elif self.parser.should_upgrade() and self._has_body():
            # The parser would skip the body, and read it as the next request.
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
        """Answer what is no HTTP, in the form of all other answers."""
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
        if 0 < unread <= self._unread:  # nobody has read any of it for all that time
            self.transport.abort()
        elif self._is_answering():
            self._start()
        elif self._in_head and self._head_bytes:
            self._refuse(408, f"the request's head did not arrive within {self.head_seconds:g} s")
        else:
            self.transport.close()

    def _is_answering(self) -> bool:
        """Say whether an answer is due or on its way; what is written now would be taken for it."""
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
        body = orjson.dumps({"Message": NOT_SUBMITTED, "Problem": problem})
        head = (
            f"HTTP/1.1 {status} {PHRASES[status]}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
