"""A PostgreSQL database, for processes on many machines."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import conninfo

from limbo.adapters.sql.database import (
    CommitInDoubt,
    DatabaseUnavailable,
    Dialect,
    Executor,
    Progress,
    Row,
)
from limbo.adapters.sql.migrations import Schema, is_current, migrate, need_tables, schema
from limbo.adapters.sql.pool import Pool
from limbo.adapters.sql.postgres_connection import (
    ANSWER_SECONDS,
    CHANNEL,
    STATEMENT_SECONDS,
    PostgresConnection,
)
from limbo.domain.errors import SettingsError, StoreUnavailable
from limbo.domain.mail.text import redact
from limbo.ports.tables import Opening

_POOL_SIZE = 16
_POOL_SECONDS = 3.0
_SETTINGS = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "application_name": "limbo",
}
_OPTIONS = f"-c statement_timeout={STATEMENT_SECONDS}s -c idle_in_transaction_session_timeout=10s"
_READ_ONLY = "-c default_transaction_read_only=on"
_PATIENT = "-c statement_timeout=0 -c lock_timeout=10s"
# Before a connection stands, libpq hands over the server's answer as text alone.
_REFUSALS = (
    "authentication failed",
    "does not exist",
    "pg_hba.conf",
    "denied",
    "invalid ",
    "Servname",
)


class PostgresDatabase:
    """A Database on a PostgreSQL server. It uses the server's clock unless given another."""

    dialect = Dialect.POSTGRESQL

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        now: Callable[[], float] | None = None,
        answer_seconds: float = ANSWER_SECONDS,
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
        answer_seconds: float = ANSWER_SECONDS,
        opening: Opening = Opening.MAKE,
    ) -> "PostgresDatabase":
        """Connect to ``postgresql://user:password@host/database``, or any URL that libpq knows.

        Raises StoreUnavailable if no server answers, SettingsError if it refuses or its tables
        cannot be used: each with a text of one line and without the password.
        """
        options = _READ_ONLY if opening is Opening.READ else ""
        database = cls(_settings(url, options), now=now, answer_seconds=answer_seconds)
        with _opening():
            try:
                if opening is Opening.MAKE:
                    _migrate(database, url)
                else:
                    need_tables(database)
            except BaseException:
                database.close()
                raise
        return database

    @classmethod
    def schema_of(cls, url: str) -> Schema:
        """Return which tables are in the database."""
        with _opening(), closing(cls(_settings(url, _READ_ONLY))) as database:
            return schema(database, database.dialect)

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
        """Return a block that holds a connection and sleeps until the server sends a notification.

        It listens only within the block: notifications that nobody fetches would fill the server's
        queue.
        """
        with self._errors(), self._pool.connection() as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            yield connection.sleep
            connection.execute(f"UNLISTEN {CHANNEL}")

    def check_room(self) -> None:
        """Do nothing: a client cannot see the server's disk, so its operator has to watch it."""

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _open(self) -> PostgresConnection:
        return PostgresConnection(self._settings, self._now, self._answer_seconds)

    @contextmanager
    def _errors(self) -> Iterator[Progress]:
        """Translate PostgreSQL's errors, without values from rows and without the password."""
        progress = Progress()
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


def _is_without_answer(error: Exception) -> bool:
    """Tell whether the connection failed, by itself or because the server ended it (FATAL).

    If the server answers with an ERROR, it has undone the transaction.
    """
    return (
        isinstance(error, psycopg.OperationalError) and error.diag.severity_nonlocalized != "ERROR"
    )


def _settings(url: str, options: str) -> Mapping[str, Any]:
    """Return libpq's settings: the URL's, and those of limbo that it does not replace."""
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        msg = "the database's URL is no valid postgresql://user:password@host/database"
        raise SettingsError(msg) from None  # libpq's own message repeats the URL
    # Of two equal options the last one counts.
    options = f"{_OPTIONS} {given.get('options') or ''} {options}"
    # postgres_arrays.py writes UTF-8, whatever the encoding of the database.
    return {**_SETTINGS, **given, "options": options, "client_encoding": "utf8"}


def _migrate(database: PostgresDatabase, url: str) -> None:
    """Bring the tables up to date, on a connection that waits as long as it takes.

    It waits for a lock no longer than others can wait behind it.
    """
    if not is_current(schema(database, database.dialect)):
        with closing(PostgresDatabase(_settings(url, _PATIENT), answer_seconds=math.inf)) as other:
            migrate(other)


@contextmanager
def _opening() -> Iterator[None]:
    """Tell a server that refuses from one that does not answer."""
    try:
        yield
    except DatabaseUnavailable as error:
        refuses = any(text in str(error) for text in _REFUSALS)
        kind = SettingsError if refuses else StoreUnavailable
        raise kind(f"cannot use the PostgreSQL database: {error}") from None
