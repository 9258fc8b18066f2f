"""Lets clients take turns, so that one with much to do does not keep the others waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Line:
    places: asyncio.Semaphore
    length: int = 0


class Turns:
    """Each client does ``each`` things at a time; what else it wants waits in a line.

    A queue behind it then holds at most so many things of each client, and serves them in turn.
    """

    def __init__(self, each: int = 1) -> None:
        self._each = each
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def of(self, client: str) -> AsyncIterator[None]:
        """Return a block that begins when it is its turn among those of this client."""
        line = self._lines.get(client)
        if line is None:
            line = self._lines[client] = _Line(asyncio.Semaphore(self._each))
        line.length += 1
        try:
            async with line.places:
                yield
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[client]
