"""A pool that lends connections to threads."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Generic, Protocol, TypeVar

from limbo.adapters.sql.database import DatabaseUnavailable


class Connection(Protocol):
    """What the pool needs to know of a connection."""

    def is_usable(self) -> bool:
        """Tell whether the connection still seems to work, without asking the server."""
        ...

    def close(self) -> None:
        """Close the connection. This undoes what it has not committed."""
        ...


C = TypeVar("C", bound=Connection)


class Pool(Generic[C]):
    """Lends connections to threads, and opens a new one whenever none is idle.

    It connects in the thread that asks. So that thread learns at once that the database is down,
    and the first call after its return succeeds. A connection that met an error is closed.
    """

    def __init__(self, connect: Callable[[], C], *, size: int, timeout: float) -> None:
        self._connect = connect
        self._timeout = timeout
        self._free = BoundedSemaphore(size)
        self._idle: deque[tuple[int, C]] = deque()
        self._generation = 0
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[C]:
        """Lend a connection. Raises DatabaseUnavailable if all stay busy for too long."""
        if not self._free.acquire(timeout=self._timeout):
            msg = "all connections to the database are busy"
            raise DatabaseUnavailable(msg)
        try:
            generation, connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append((generation, connection))
            if self._closed:
                self._close_idle()
        finally:
            self._free.release()

    def discard(self) -> None:
        """Lend none of the present connections again: none of them is to be trusted."""
        self._generation += 1
        self._close_idle()

    def close(self) -> None:
        """Close the idle connections now, and the others when they come back."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    def _take(self) -> tuple[int, C]:
        while True:
            present = self._generation
            try:
                generation, connection = self._idle.pop()
            except IndexError:
                return present, self._connect()
            if generation == present and connection.is_usable():
                return generation, connection
            connection.close()
