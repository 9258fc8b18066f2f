"""uvicorn's HTTP/1.1, with the limits that uvicorn leaves to a proxy in front of it."""

import asyncio

import httptools

from limbo.entrypoints.http.server.closing_protocol import ClosingProtocol
from limbo.entrypoints.http.server.refusals import RefusalKind

HEAD_SECONDS = 10.0
MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 128
MAX_PIPELINE = 64  # requests that wait for the answer to an earlier one
STOP = "limbo.stop"
"""The name, in the lifespan's state, of a function that answers the long polls at once."""


class BoundedProtocol(ClosingProtocol):
    """Limits the time and the size of a request's head and trailers.

    Without it, a connection that sends nothing stays open for ever, and a header without an end
    fills the memory. It also stops a client that keeps sending a body that nobody reads.
    """

    head_seconds = HEAD_SECONDS
    max_head_bytes = MAX_HEAD_BYTES
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0  # that have arrived of this head; or, amid a body, since its last byte
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(transport)
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
        if self._is_ending:
            return
        self._unset_keepalive_if_required()
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade:
            pass  # nothing is upgraded: the request is answered as any other
        if self.transport.is_closing() or not self._head_bytes:
            return
        if self._head_bytes > self.max_head_bytes:
            what = "head is" if self._in_head else "trailers are"
            self._refuse_head(f"{what} longer than {self.max_head_bytes} bytes")
        elif self._in_head and len(self.headers or ()) > MAX_HEADERS:
            self._refuse_head(f"head has more than {MAX_HEADERS} headers")
        elif self._in_head and self._timer is None:  # a head that came in one piece needs no timer
            self._start()

    def on_message_begin(self) -> None:
        """Start again: the rest of this head may not have arrived yet."""
        super().on_message_begin()
        self._in_head = True
        self._stop()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers, which come after the body, are none (RFC 9110, 6.5.1)."""
        if self._in_head and len(self.headers) <= MAX_HEADERS:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop waiting: the application limits the body."""
        self._stop()
        if len(self.pipeline) >= MAX_PIPELINE or self.transport.is_closing():
            self.transport.abort()
        elif len(self.headers) > MAX_HEADERS:
            self._refuse_head(f"head has more than {MAX_HEADERS} headers")
        elif self.parser.should_upgrade() and self._has_body():
            # The parser would not read the body as such, but as the next request.
            self.send_400_response("no Upgrade is known here; send HTTP/1.1 without that header")
        else:
            self._in_head = False
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the trailers, or the next chunk's frame, from here."""
        self._head_bytes = 0
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Count the next head from here."""
        if not self.transport.is_closing():
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
        self._refuse(400, msg, RefusalKind.MALFORMED)

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
            problem = f"the request's head did not arrive within {self.head_seconds:g} s"
            self._refuse(408, problem, RefusalKind.HEAD)
        else:
            self.transport.close()

    def _refuse_head(self, problem: str) -> None:
        self._refuse(431, f"the request's {problem}", RefusalKind.HEAD)
