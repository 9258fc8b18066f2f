"""HTTP/1.1 whose connections and bodies are bounded together, not each by itself."""

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from limbo.entrypoints.http.server.bodies import BODIES, HELD, BodyBudget, HeldBody
from limbo.entrypoints.http.server.places import REFUSED, Places
from limbo.entrypoints.http.server.protocol import BoundedProtocol
from limbo.entrypoints.http.server.refusals import RefusalKind
from limbo.entrypoints.http.server.shares import peer_of
from limbo.entrypoints.http.server.unread import UnreadAnswers

NO_PLACE = "all connections are in use; try again later"
_BODY_BYTES = 1_048_576  # for an application without a budget of its own, which reads no bodies


class PlacedProtocol(BoundedProtocol):
    """Takes a place for its connection, and room for its bodies; pass it to uvicorn as ``http``.

    What finds none is refused by the application, in the form of all its responses: the protocol
    only marks the scope of the request, as ``REFUSED`` or in its ``HeldBody``.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - uvicorn's own
        places: Places,
        unread: UnreadAnswers,
        **options: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(*args, **options)
        self._places = places
        self._unread_answers = unread
        self._bodies = self.app_state.get(BODIES) or BodyBudget(_BODY_BYTES)

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Take a place."""
        super().connection_made(transport)
        self.peer = peer_of(self.client)
        if not self._places.enter(self, self.peer):
            self._refuse(503, NO_PLACE, RefusalKind.CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the place, and the room of what will never be answered, or read."""
        self._places.leave(self)
        self._unread_answers.release(self)
        for cycle, _ in self.pipeline:
            held: HeldBody | None = cycle.scope.get(HELD)  # type: ignore[assignment]
            if held is not None:
                held.drop()
        super().connection_lost(exc)

    def make_room(self) -> None:
        """Close: others need the place, and nothing is being answered."""
        if self.flow.write_paused:  # its last answer will not be read in time
            self._refusals.note(RefusalKind.IDLE, self.peer)
            self.transport.abort()
        elif self._head_bytes:
            self._refuse(503, NO_PLACE, RefusalKind.IDLE)
        else:
            self._refusals.note(RefusalKind.IDLE, self.peer)
            self.transport.close()

    def pause_writing(self) -> None:
        """Take room for what the client has not read of its answer."""
        super().pause_writing()
        self._unread_answers.hold(self, self.peer, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Give the room back: all but a little is read."""
        self._unread_answers.release(self)
        super().resume_writing()

    def drop_unread(self) -> None:
        """End at once."""
        self._refusals.note(RefusalKind.UNREAD, self.peer)
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        if self.flow.write_paused:  # else its answer, too, would wait in memory
            app = _Later(app, self.flow)
        super()._start_asgi_task(cycle, app)

    def on_headers_complete(self) -> None:
        """Ask whether there is a place for another request."""
        lack = self._places.begin(self)
        if lack is None and len(self.tasks) >= self._places.most:
            lack = RefusalKind.CONNECTIONS  # tasks of connections that are closed
        if lack is not None:
            self.scope[REFUSED] = lack  # type: ignore[literal-required]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep what there is room for."""
        if self._is_answered() or self.transport.is_closing():
            super().on_body(body)
            return
        held: HeldBody | None = self.scope.get(HELD)  # type: ignore[assignment]
        if held is None:
            held = HeldBody(self._bodies, self.peer)
            self.scope[HELD] = held  # type: ignore[literal-required]
        if held.take(len(body)):
            super().on_body(body)
        else:
            self.flow.pause_reading()  # until the application asks for more
            super().on_body(b"")

    def on_response_complete(self) -> None:
        """Count as idle from now on, unless another request waits already."""
        super().on_response_complete()
        if self._is_answered() or self._running is None or self._running.response_complete:
            self._places.end(self)


class _Later:
    """The application, for a request that follows an answer which is not read yet."""

    def __init__(self, app: ASGIApp, flow: FlowControl) -> None:
        self._app = app
        self._flow = flow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._flow.drain()
        await self._app(scope, receive, send)
