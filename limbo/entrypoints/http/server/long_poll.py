"""Holds a request until the status of its mail is final."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive

from limbo.entrypoints.http.server.body import ClientGone
from limbo.ports.ledger_reader import Record

Look = Callable[[], Awaitable[Record | None]]
CheckAgain = Callable[[], object]
"""Raises what the request is to be refused with, once its client may not make it any more."""


class LongPolls:
    """Polls for up to ``most`` requests at a time; for any further request it looks only once."""

    def __init__(self, *, most: int = 200, pause: float = 0.2) -> None:
        self._most = most
        self._pause = pause
        self._held = 0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answer all requests that wait with what is known now: the server is about to stop."""
        self._stopping.set()

    async def wait_until_final(
        self, look: Look, receive: Receive, seconds: float, check_again: CheckAgain = lambda: None
    ) -> Record | None:
        """Return the record once its status is final, or as it is after ``seconds``.

        Raises ClientGone when the client goes away, and what ``check_again`` raises.
        """
        record = await look()
        if not seconds or self._held >= self._most or _is_final(record):
            return record
        self._held += 1
        gone = asyncio.ensure_future(_disconnect(receive))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            return await self._look_again(record, look, check_again, (gone, stopping), seconds)
        finally:
            self._held -= 1
            gone.cancel()
            stopping.cancel()

    async def _look_again(
        self,
        record: Record | None,
        look: Look,
        check_again: CheckAgain,
        ends: tuple["asyncio.Task[None]", "asyncio.Task[bool]"],
        seconds: float,
    ) -> Record | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not _is_final(record) and (left := until - loop.time()) > 0:
            pause = min(self._pause, left)
            await asyncio.wait(ends, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            if ends[0].done():
                raise ClientGone
            check_again()
            record = await look()
            if ends[1].done():
                break
        return record


def _is_final(record: Record | None) -> bool:
    return record is None or record.status.is_final


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
