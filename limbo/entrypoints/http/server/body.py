"""Reads the body of a request, bounded in size and time."""

import asyncio
from http import HTTPStatus

from starlette.types import Receive, Scope

from limbo.domain.errors import LimboError
from limbo.entrypoints.http.server.deadline import Deadline
from limbo.entrypoints.http.server.headers import header
from limbo.entrypoints.http.server.problems import HttpRefusal

_MAX_DIGITS = 18


class ClientGone(LimboError):  # noqa: N818 - a state of the client, not a mistake
    """The client went away before its request was complete: nobody waits for an answer."""


class BodyReader:
    """Reads bodies of at most ``limit`` bytes that come whole within ``seconds``."""

    def __init__(self, *, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._deadline = Deadline(seconds)

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Return the body; raises HttpRefusal with 408, 413 or 415, and ClientGone."""
        encoding = header(scope, b"content-encoding")
        if encoding and encoding.strip().lower() != b"identity":
            detail = "the body is compressed; send it without a Content-Encoding"
            raise HttpRefusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, close=True)
        length = header(scope, b"content-length")
        if length.isdigit() and (len(length) > _MAX_DIGITS or int(length) > self._limit):
            raise self._too_large()
        task = self._deadline.begin()
        try:
            return await self._collect(receive)
        except asyncio.CancelledError:
            if not self._deadline.has_passed(task):
                raise
            detail = f"the body did not arrive within {self._seconds:g} seconds"
            raise HttpRefusal(HTTPStatus.REQUEST_TIMEOUT, detail, close=True) from None
        finally:
            self._deadline.end(task)

    async def _collect(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._limit:
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks) if len(chunks) > 1 else chunk

    def _too_large(self) -> HttpRefusal:
        detail = f"the body is larger than the {self._limit} bytes that are allowed"
        return HttpRefusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, close=True)
