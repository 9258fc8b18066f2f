"""An answer, sent with as little ado as ASGI allows."""

import asyncio
from collections.abc import Iterable

from starlette.types import Receive, Scope, Send

JSON = b"application/json"
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 4 * 1024 * 1024

Header = tuple[bytes, bytes]
COMMON = "limbo.common"
"""In the scope: the headers that every answer gets."""
STATUS = "limbo.status"
"""In the scope, once it is answered: the status that was sent."""


class Response:
    """A whole answer: an ASGI application, like Starlette's responses, which cost three times it.

    ``close`` ends the connection, for a request that was not read to its end.
    """

    __slots__ = ("_body", "_close", "_headers", "_status")

    def __init__(
        self,
        body: bytes,
        *,
        status: int = 200,
        headers: Iterable[Header] = (),
        media_type: bytes = JSON,
        close: bool = False,
    ) -> None:
        self._status = status
        self._body = body
        self._close = close
        self._headers = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            *headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = self._headers + scope.get(COMMON, [])
        if self._close:
            headers.append((b"connection", b"close"))
        scope[STATUS] = self._status
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        if self._close:
            await send({"type": "http.response.body", "body": self._body, "more_body": True})
            await _linger(receive)
            await send({"type": "http.response.body"})
        else:
            await send({"type": "http.response.body", "body": self._body})


async def _linger(receive: Receive) -> None:
    """Give the client a moment to stop sending and read.

    Were the connection closed with bytes of it unread, TCP would reset it, and the answer could be
    lost.
    """
    left = _LINGER_BYTES
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
