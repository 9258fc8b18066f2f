"""A PostgreSQL database, for processes on many machines."""

import re
import select
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo

from limbo.adapters.sql.database import CommitInDoubt, DatabaseUnavailable, Dialect, Executor, Row
from limbo.adapters.sql.migrations import migrate
from limbo.adapters.sql.pool import Pool
from limbo.adapters.sql.postgres_arrays import as_column, with_columns
from limbo.domain.errors import SettingsError
from limbo.domain.mail.text import redact

_POOL_SIZE = 16
_POOL_SECONDS = 3.0
_STATEMENT_SECONDS = 4
_ANSWER_SECONDS = 5.0  # later than the server's own limit: for a server that is frozen or cut off
_SETTINGS = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "application_name": "limbo",
}
_OPTIONS = f"-c statement_timeout={_STATEMENT_SECONDS}s -c idle_in_transaction_session_timeout=10s"
_CLOCK = "CAST(extract(epoch FROM statement_timestamp()) AS double precision)"
_VALUE = re.compile(r"(?<!:):([a-z_]+)")
_CHANNEL = "limbo_queue"
_ADAPTERS = SimpleNamespace(adapters=with_columns(), connection=None)
R = TypeVar("R")


class PostgresDatabase:
    """A Database on a PostgreSQL server, whose clock it goes by unless given another."""

    dialect = Dialect.POSTGRESQL

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        now: Callable[[], float] | None = None,
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        self._settings = settings
        self._now = now
        self._answer_seconds = answer_seconds
        self._pool = Pool(self._open, size=_POOL_SIZE, timeout=_POOL_SECONDS)

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        now: Callable[[], float] | None = None,
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> "PostgresDatabase":
        """Connect to ``postgresql://user:password@host/database``, or any URL that libpq knows.

        Raises SettingsError, in one line and without the password, when that cannot be done.
        """
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            msg = "the database's URL is no valid postgresql://user:password@host/database"
            raise SettingsError(msg) from None  # libpq's own message repeats the URL
        options = f"{_OPTIONS} {given.get('options') or ''}"  # the last of two counts
        # What is dumped by postgres_arrays.py is UTF-8, whatever the database is.
        settings = {**_SETTINGS, **given, "options": options, "client_encoding": "utf8"}
        database = cls(settings, now=now, answer_seconds=answer_seconds)
        try:
            migrate(database)
        except DatabaseUnavailable as error:
            msg = f"cannot use the PostgreSQL database: {error}"
            raise SettingsError(msg) from None
        return database

    @contextmanager
    def transaction(self) -> Iterator[Executor]:
        """Return a block of one transaction, at the server's isolation level."""
        with (
            self._errors() as progress,
            self._pool.connection() as connection,
            connection.transaction(),
        ):
            yield connection
            progress.commits = True

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, notify: bool = False
    ) -> list[Row]:
        """Run one statement by itself, in one round trip."""
        with self._errors() as progress, self._pool.connection() as connection:
            progress.commits = True
            return connection.execute(sql, values, notify=notify)

    def execute_many(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, notify: bool = False
    ) -> list[Row]:
        """Run one statement on arrays, in one round trip."""
        with self._errors() as progress, self._pool.connection() as connection:
            progress.commits = True
            return connection.execute_many(sql, columns, notify=notify)

    @contextmanager
    def listening(self) -> Iterator[Callable[[float], None]]:
        """Return a block that occupies a connection, and sleeps until the server has news.

        It listens no longer than that: notifications that nobody fetched would clog the server.
        """
        with self._errors(), self._pool.connection() as connection:
            connection.execute(f"LISTEN {_CHANNEL}")
            yield connection.sleep
            connection.execute(f"UNLISTEN {_CHANNEL}")

    def check_room(self) -> None:
        """Leave that to the server's operator: no client can see its disk."""

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _open(self) -> "_Connection":
        return _Connection(self._settings, self._now, self._answer_seconds)

    @contextmanager
    def _errors(self) -> Iterator["_Progress"]:
        """Translate PostgreSQL's errors, without values of rows and without the password."""
        progress = _Progress()
        try:
            yield progress
        except (psycopg.Error, UnicodeEncodeError) as error:
            text = type(error).__name__
            if isinstance(error, psycopg.Error):
                text = error.diag.message_primary or (
                    str(error) if isinstance(error, psycopg.OperationalError) else text
                )
            if password := self._settings.get("password"):
                text = text.replace(str(password), "***")
            in_doubt = progress.commits and _is_without_answer(error)
            raise (CommitInDoubt if in_doubt else DatabaseUnavailable)(redact(text)) from error


@dataclass(slots=True)
class _Progress:
    """How far a call has come: ``commits`` from when what it did may take effect."""

    commits: bool = False


class _Connection:
    """One connection, lent to one thread at a time; no statement outlasts its time limit."""

    def __init__(
        self, settings: Mapping[str, Any], now: Callable[[], float] | None, answer_seconds: float
    ) -> None:
        self._now = now
        self._connection = _LimitedConnection.connect(
            **settings, autocommit=True, context=_ADAPTERS
        )
        self._connection.answer_seconds = answer_seconds
        self._cursor = self._connection.cursor(binary=True)
        self._unread = select.poll()
        self._unread.register(self._connection.fileno(), select.POLLIN)
        self.transaction = self._connection.transaction

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, notify: bool = False
    ) -> list[Row]:
        values = values or {}
        if self._now is not None:
            values = {**values, "now": self._now()}
        query = _translate(sql, notify=notify, own_clock=self._now is not None)
        self._cursor.execute(query, values)
        return self._cursor.fetchall() if self._cursor.description else []

    def execute_many(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, notify: bool = False
    ) -> list[Row]:
        given = {name: as_column(values) for name, values in columns.items()}
        return self.execute(sql, given, notify=notify)

    def sleep(self, seconds: float) -> None:
        for _ in self._connection.notifies(timeout=min(seconds, _STATEMENT_SECONDS), stop_after=1):
            pass

    def is_usable(self) -> bool:
        """Tell that the server has said nothing unasked: it does so when it shuts down."""
        return not self._unread.poll(0)

    def close(self) -> None:
        self._connection.close()


def _is_without_answer(error: Exception) -> bool:
    """Tell that the connection failed, by itself or by a server that ends it (FATAL).

    A server that has an ERROR to tell has undone the transaction.
    """
    return (
        isinstance(error, psycopg.OperationalError) and error.diag.severity_nonlocalized != "ERROR"
    )


class _LimitedConnection(psycopg.Connection[Row]):
    """A connection on which no answer is awaited for longer than the limit."""

    answer_seconds = _ANSWER_SECONDS

    def wait(self, gen: Generator[Any, Any, R], *args: Any, **kwargs: Any) -> R:  # noqa: ANN401
        return super().wait(_limited(gen, self.answer_seconds), *args, **kwargs)


def _limited(gen: Generator[Any, Any, R], seconds: float) -> Generator[Any, Any, R]:
    """Pass everything on to psycopg's generator, which is told every 0.1 s that nothing came."""
    until = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:
                msg = f"no answer within {seconds:g} s"
                raise psycopg.OperationalError(msg)
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


@lru_cache
def _translate(sql: str, *, notify: bool, own_clock: bool) -> str:
    if not own_clock:
        sql = sql.replace(":now", _CLOCK)
    if notify:
        sql += f" RETURNING pg_notify('{_CHANNEL}', '')"  # PostgreSQL sends but one of many
    return _VALUE.sub(r"%(\1)s", sql)
