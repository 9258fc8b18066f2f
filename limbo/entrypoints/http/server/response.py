"""The responses that Starlette does not have."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from limbo.entrypoints.http.server.bodies import HELD

_LINGER_SECONDS = 1.0
_LINGER_BYTES = 4 * 1024 * 1024
_LINGER_STEP = 65_536  # what counts for a part of a body that was not kept

Header = tuple[bytes, bytes]


class OrjsonResponse(JSONResponse):
    """Starlette's JSON response, written by orjson."""

    def render(self, content: Mapping[str, Any]) -> bytes:
        """Return the bytes of the body."""
        return orjson.dumps(content)


class ReadyResponse:
    """A response of 200 whose body and headers are bytes already, for the hot submission.

    Starlette's ``Response`` would encode them again for each request.
    """

    __slots__ = ("_body", "_headers")

    def __init__(self, body: bytes, headers: Iterable[Header]) -> None:
        self._body = {"type": "http.response.body", "body": body}
        self._headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *headers,
        ]

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send(self._body)


class ClosingResponse(Response):
    """A response that ends the connection, for a request that was not read to its end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and give the client time to read it."""
        headers = [*self.raw_headers, (b"connection", b"close")]
        start = {"type": "http.response.start", "status": self.status_code, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await _linger(scope, receive)
        await send({"type": "http.response.body"})


class NoResponse(Response):
    """Sends nothing, for a client that went away."""

    async def __call__(self, _: Scope, __: Receive, ___: Send) -> None:
        """Do nothing."""


async def _linger(scope: Scope, receive: Receive) -> None:
    """Give the client a moment to stop sending and read.

    Were the connection closed with bytes of it unread, TCP would reset it, and the answer could be
    lost.
    """
    left = _LINGER_BYTES
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0:
                if (held := scope.get(HELD)) is not None:
                    held.release()
                message = await receive()
                left -= len(message.get("body", b"")) or _LINGER_STEP
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
