"""uvicorn's HTTP/1.1, which answers what it was asked before it closes."""

import asyncio
from typing import Any

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from limbo.entrypoints.http.server.problems import refusal_bytes
from limbo.entrypoints.http.server.refusals import RefusalKind, Refusals
from limbo.entrypoints.http.server.transport import JoinedTransport


class ClosingProtocol(HttpToolsProtocol):
    """Closes a connection only once every request that came whole is answered.

    uvicorn closes at once when a client half-closes, or sends something wrong behind its request:
    the answer to a mail that is kept would be lost.
    """

    half_closed_seconds = 2.0
    peer = ""  # the IP address of the other side
    _in_head = True
    _is_ending = False  # what arrives from now on is not read
    _running: RequestResponseCycle | None = None

    def __init__(self, *args: Any, refusals: Refusals, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self._refusals = refusals

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(JoinedTransport(transport))  # type: ignore[arg-type]

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a client that has sent its last request whole, and says so by a half-close.

        One that went away looks the same. So an answer that can be asked for again is waited for
        only for a moment.
        """
        if not self._is_answering():
            return False
        self._end_after_answers()
        if self.cycle.scope["method"] in ("GET", "HEAD"):
            self.loop.call_later(self.half_closed_seconds, self.transport.abort)
        return True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        self._running = cycle
        super()._start_asgi_task(cycle, app)  # type: ignore[arg-type]

    def _is_answered(self) -> bool:
        """Say whether the last request has its response, whole."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and cycle.response_complete

    def _is_answering(self) -> bool:
        """Say whether a response is due or being sent: bytes written now would mix with it."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        is_being_read = cycle.more_body and not cycle.response_started
        return bool(self.pipeline) or not is_being_read

    def _end_after_answers(self) -> None:
        """Read nothing more, and close once everything that was asked for whole is answered."""
        self._is_ending = True
        while self.pipeline and self.pipeline[0][0].more_body:
            self.pipeline.popleft()
        if self.pipeline:
            self.cycle = self.pipeline[0][0]
        elif self._running is not None:
            self.cycle = self._running
        self.cycle.keep_alive = False

    def _refuse(self, status: int, problem: str, kind: RefusalKind) -> None:
        """Answer what is no request, or no longer one, and close."""
        if self.transport.is_closing():
            return
        self._refusals.note(kind, self.peer)
        if self._is_answering():
            self._end_after_answers()
            return
        # Amid a body, a second answer would be taken for that to the next request.
        if self._in_head or not self._is_answered():
            self.transport.write(refusal_bytes(status, problem))
        self.transport.close()
