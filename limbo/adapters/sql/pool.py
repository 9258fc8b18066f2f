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
        self._idle: deque[C] = deque()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[C]:
        """Lend a connection. Raises DatabaseUnavailable if all stay busy for too long."""
        if not self._free.acquire(timeout=self._timeout):
            msg = "all connections to the database are busy"
            raise DatabaseUnavailable(msg)
        try:
            connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
            if self._closed:
                self.close()
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the idle connections now, and the others when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> C:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connect()
            if connection.is_usable():
                return connection
            connection.close()
