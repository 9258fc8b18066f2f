"""What the SQL adapters need of a database: the base they share, on SQLite and on PostgreSQL."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from threading import BoundedSemaphore
from typing import Any, Generic, Protocol, TypeVar

from limbo.domain.errors import QueueUnavailable

Row = tuple[Any, ...]


class InDoubt(QueueUnavailable):
    """The database was asked to commit and did not answer: what was to be done may be done."""


class Dialect(Enum):
    """The two ways to say what standard SQL cannot."""

    SQLITE = auto()
    POSTGRESQL = auto()


class Statements(Protocol):
    """Where statements run. ``:name`` stands for a value, ``:now`` for the database's time.

    Times are seconds since the epoch.
    """

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, news: bool = False
    ) -> list[Row]:
        """Run a statement; with ``news`` it wakes those who are listening, if it changes a row.

        Such a one has no RETURNING of its own, and what is returned means nothing.
        """
        ...

    def execute_each(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, news: bool = False
    ) -> list[Row]:
        """Run a statement for many values: row by row in SQLite, on whole arrays in PostgreSQL."""
        ...


class Database(Statements, Protocol):
    """A database that several threads share; each call of its own is a transaction of its own.

    All methods raise QueueUnavailable when the database does not answer, InDoubt if it may have
    done what it was asked to.
    """

    @property
    def dialect(self) -> Dialect:
        """The SQL it speaks."""
        ...

    def transaction(self) -> AbstractContextManager[Statements]:
        """Return a block whose statements take effect together, or not at all if it raises."""
        ...

    def listening(self) -> AbstractContextManager[Callable[[float], None]]:
        """Return a block in which no news is missed.

        It yields a function that sleeps until news may have come, at most so many seconds.
        """
        ...

    def check_room(self) -> None:
        """Raise QueueUnavailable when what is there needs all the room that is left."""
        ...

    def close(self) -> None:
        """Close what is idle now, and the rest as soon as it is given back."""
        ...


class Connection(Protocol):
    """What the pool needs to know of a connection."""

    def is_usable(self) -> bool:
        """Tell whether the connection still seems to stand, without asking the server."""
        ...

    def close(self) -> None:
        """Close the connection, and with it undo what it has not committed."""
        ...


C = TypeVar("C", bound=Connection)


class Pool(Generic[C]):
    """Lends connections to threads, and makes a new one whenever none is idle.

    It connects in the thread that asks: that one learns at once that the database is down, and
    the first to ask after its return gets through. A connection that saw an error is not kept.
    """

    def __init__(self, connect: Callable[[], C], *, size: int, timeout: float) -> None:
        self._connect = connect
        self._timeout = timeout
        self._free = BoundedSemaphore(size)
        self._idle: deque[C] = deque()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[C]:
        """Lend a connection; raises QueueUnavailable when all stay busy for too long."""
        if not self._free.acquire(timeout=self._timeout):
            msg = "all connections to the database are busy"
            raise QueueUnavailable(msg)
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
