"""A PostgreSQL database, for processes on many machines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from limbo.adapters.sql.migrations import migrate
from limbo.adapters.sql.pool import Pool
from limbo.adapters.sql.postgres_connection import (
    ANSWER_SECONDS,
    CHANNEL,
    STATEMENT_SECONDS,
    PostgresConnection,
)
from limbo.domain.errors import SettingsError
from limbo.domain.mail.text import redact

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
    ) -> "PostgresDatabase":
        """Connect to ``postgresql://user:password@host/database``, or any URL that libpq knows.

        Raises SettingsError if that fails, with a text of one line and without the password.
        """
        try:
            given = conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            msg = "the database's URL is no valid postgresql://user:password@host/database"
            raise SettingsError(msg) from None  # libpq's own message repeats the URL
        options = f"{_OPTIONS} {given.get('options') or ''}"  # the last of two equal ones counts
        # postgres_arrays.py writes UTF-8, whatever the encoding of the database.
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
