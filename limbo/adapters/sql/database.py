"""What the SQL adapters need of a database, whether SQLite or PostgreSQL."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from limbo.domain.errors import LimboError

Row = tuple[Any, ...]


class DatabaseUnavailable(LimboError):  # noqa: N818 - a state of the database, not a mistake
    """The database cannot be used now. Assume nothing about what the call has done."""


class CommitInDoubt(DatabaseUnavailable):
    """The database was asked to commit and did not answer. The changes may have been made."""


@contextmanager
def database_errors_as(error: type[LimboError]) -> Iterator[None]:
    """Turn DatabaseUnavailable into the port's own error, with the same text."""
    try:
        yield
    except DatabaseUnavailable as unavailable:
        raise error(str(unavailable)) from unavailable


@dataclass(slots=True)
class Progress:
    """How far a call has come. Once ``commits`` is True, its changes may take effect."""

    commits: bool = False


class Dialect(Enum):
    """Which database's SQL to write, where standard SQL is not enough."""

    SQLITE = auto()
    POSTGRESQL = auto()


class Executor(Protocol):
    """Runs statements. ``:name`` stands for a value, ``:now`` for the database's time.

    Times are seconds since the epoch.
    """

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, notify: bool = False
    ) -> list[Row]:
        """Run a statement. With ``notify`` it wakes the listeners if it changes a row.

        A statement with ``notify`` must not have a RETURNING, and its rows mean nothing.
        """
        ...

    def execute_many(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, notify: bool = False
    ) -> list[Row]:
        """Run a statement for many rows: row by row in SQLite, on whole arrays in PostgreSQL."""
        ...


class Database(Executor, Protocol):
    """A database that several threads share. Each call on it is a transaction of its own.

    All methods raise DatabaseUnavailable when the database does not answer. They raise
    CommitInDoubt if the changes may have been made.
    """

    @property
    def dialect(self) -> Dialect:
        """The SQL dialect of the database."""
        ...

    def transaction(self) -> AbstractContextManager[Executor]:
        """Return a block whose statements all take effect together, or not at all if it raises."""
        ...

    def listening(self) -> AbstractContextManager[Callable[[float], None]]:
        """Return a block in which no notification is missed.

        It yields a function that sleeps until a notification may have come, for at most the given
        number of seconds.
        """
        ...

    def check_room(self) -> None:
        """Raise DatabaseUnavailable when the free space is needed for the mails already stored."""
        ...

    def close(self) -> None:
        """Close the idle connections now, and the others when they are given back."""
        ...
