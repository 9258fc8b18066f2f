"""Reads the body of a request, bounded in size and time."""

import asyncio
from http import HTTPStatus

from starlette.types import Receive, Scope

from limbo.domain.access.api_key import ANONYMOUS
from limbo.domain.errors import LimboError
from limbo.entrypoints.http.server.bodies import HELD, HeldBody
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.deadline import Deadline
from limbo.entrypoints.http.server.headers import header
from limbo.entrypoints.http.server.problems import RETRY_AFTER, HttpRefusal
from limbo.entrypoints.http.server.refusals import RefusalKind, Refusals
from limbo.entrypoints.http.server.shares import peer_of

_MAX_DIGITS = 18
_WHOSE = {
    RefusalKind.PEER_BODIES: "this address has too many bodies under way; try again later",
    RefusalKind.CLIENT_BODIES: "this API key has too many bodies under way; try again later",
}


class ClientGone(LimboError):  # noqa: N818 - a state of the client, not a mistake
    """The client went away before its request was complete: nobody waits for an answer."""


class BodyReader:
    """Reads bodies of at most ``limit`` bytes that come whole within ``seconds``.

    The server counts what all requests hold together, as their ``HeldBody``.
    """

    def __init__(self, *, limit: int, seconds: float, refusals: Refusals) -> None:
        self._limit = limit
        self._refusals = refusals
        self._seconds = seconds
        self._deadline = Deadline(seconds)

    async def read(self, scope: Scope, receive: Receive, *, client: str) -> bytes:
        """Return the body, which the client's share pays for.

        Raises HttpRefusal with 408, 413, 415, 429 or 503, and ClientGone.
        """
        encoding = header(scope, b"content-encoding")
        if encoding and encoding.strip().lower() != b"identity":
            detail = "the body is compressed; send it without a Content-Encoding"
            raise HttpRefusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, close=True)
        length = header(scope, b"content-length")
        if length.isdigit() and (len(length) > _MAX_DIGITS or int(length) > self._limit):
            raise self._too_large()
        task = self._deadline.begin()
        try:
            return await self._collect(scope, receive, client)
        except asyncio.CancelledError:
            if not self._deadline.has_passed(task):
                raise
            detail = f"the body did not arrive within {self._seconds:g} seconds"
            raise HttpRefusal(HTTPStatus.REQUEST_TIMEOUT, detail, close=True) from None
        finally:
            self._deadline.end(task)

    async def _collect(self, scope: Scope, receive: Receive, client: str) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            self._look_for_room(scope, client)
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._limit:
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks) if len(chunks) > 1 else chunk

    def _look_for_room(self, scope: Scope, client: str) -> None:
        held: HeldBody | None = scope.get(HELD)
        if held is None:
            return
        if client != ANONYMOUS:
            held.charge(client)
        if (kind := held.refusal) is not None:
            self._refusals.note(kind, peer_of(scope.get("client")))
            detail = _WHOSE.get(kind, "limbo has too many bodies under way; try again later")
            is_their_own = kind in _WHOSE
            status = (
                HTTPStatus.TOO_MANY_REQUESTS if is_their_own else HTTPStatus.SERVICE_UNAVAILABLE
            )
            code = Code.TOO_MUCH_UNDER_WAY if is_their_own else Code.UNAVAILABLE
            raise HttpRefusal(status, detail, code=code, headers=[RETRY_AFTER], close=True)

    def _too_large(self) -> HttpRefusal:
        detail = f"the body is larger than the {self._limit} bytes that are allowed"
        return HttpRefusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, close=True)
