"""Lets clients take turns, so that one with much to do does not keep the others waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Line:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class Turns:
    """Each client does one thing at a time; what it wants besides waits, the first to come first.

    A queue behind it then holds at most one thing of each client, and so serves them in turn.
    """

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def of(self, client: str) -> AsyncIterator[None]:
        """Return a block that begins when it is its turn among those of this client."""
        line = self._lines.setdefault(client, _Line())
        line.length += 1
        try:
            async with line.lock:
                yield
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[client]
