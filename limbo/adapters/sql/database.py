"""What the SQL adapters need of a database: the base they share, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from typing import Any, Protocol

from limbo.domain.errors import LimboError

Row = tuple[Any, ...]


class DatabaseUnavailable(LimboError):  # noqa: N818 - a state of the database, not a mistake
    """The database cannot be used now: nothing of the call can be assumed to have happened."""


class CommitInDoubt(DatabaseUnavailable):
    """The database was asked to commit and did not answer: what was to be done may be done."""


@contextmanager
def database_errors_as(error: type[LimboError]) -> Iterator[None]:
    """Raise the port's own error for a database that cannot be used, with the same text."""
    try:
        yield
    except DatabaseUnavailable as unavailable:
        raise error(str(unavailable)) from unavailable


class Dialect(Enum):
    """The two ways to say what standard SQL cannot."""

    SQLITE = auto()
    POSTGRESQL = auto()


class Executor(Protocol):
    """Where statements run. ``:name`` stands for a value, ``:now`` for the database's time.

    Times are seconds since the epoch.
    """

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, notify: bool = False
    ) -> list[Row]:
        """Run a statement; with ``notify`` it wakes those who are listening, if it changes a row.

        Such a one has no RETURNING of its own, and what is returned means nothing.
        """
        ...

    def execute_many(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, notify: bool = False
    ) -> list[Row]:
        """Run a statement for many values: row by row in SQLite, on whole arrays in PostgreSQL."""
        ...


class Database(Executor, Protocol):
    """A database that several threads share; each call of its own is a transaction of its own.

    All methods raise DatabaseUnavailable when the database does not answer, CommitInDoubt if it
    may have done what it was asked to.
    """

    @property
    def dialect(self) -> Dialect:
        """The SQL it speaks."""
        ...

    def transaction(self) -> AbstractContextManager[Executor]:
        """Return a block whose statements take effect together, or not at all if it raises."""
        ...

    def listening(self) -> AbstractContextManager[Callable[[float], None]]:
        """Return a block in which no news is missed.

        It yields a function that sleeps until news may have come, for that many seconds at most.
        """
        ...

    def check_room(self) -> None:
        """Raise DatabaseUnavailable when what is there needs all the room that is left."""
        ...

    def close(self) -> None:
        """Close what is idle now, and the rest as soon as it is given back."""
        ...
