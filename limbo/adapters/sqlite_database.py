"""A SQLite file as the database of one machine's processes."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from limbo.adapters.database import Dialect, Pool, Row, Statements
from limbo.adapters.schema import migrate
from limbo.domain.errors import QueueUnavailable, SettingsError

SCHEME = "sqlite:///"
_BUSY_SECONDS = 5.0
_POLL_SECONDS = 0.01
_POOL_SIZE = 32
# FULL: a commit is on the disk when it returns. The second and third matter on macOS alone,
# where a plain fsync leaves the data in the drive's cache.
_PRAGMAS = ("synchronous=FULL", "fullfsync=ON", "checkpoint_fullfsync=ON")


class SqliteDatabase:
    """A Database in one file, which several processes of one machine may share."""

    dialect = Dialect.SQLITE

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        busy_seconds: float = _BUSY_SECONDS,
    ) -> None:
        self._path = path
        self._now = now
        self._busy_seconds = busy_seconds
        self._pool = Pool(self._open, size=_POOL_SIZE, timeout=busy_seconds)
        # Threads queue up here, in turn: SQLite itself would have them sleep and try again.
        self._writing = threading.Lock()

    @classmethod
    def connect(cls, url: str, *, now: Callable[[], float] = time.time) -> "SqliteDatabase":
        """Open ``sqlite:///relative`` or ``sqlite:////absolute``, and make the file if need be.

        Raises SettingsError, in one line, when that cannot be done.
        """
        name = url.removeprefix(SCHEME)
        if name in {url, "", ":memory:"} or "?" in name:
            msg = "the queue's URL must be sqlite:///PATH, with four slashes for an absolute path"
            raise SettingsError(msg)
        path = Path(name).absolute()
        database = cls(path, now=now)
        try:
            # Made here, because SQLite would make it readable for everybody.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            database._use_write_ahead_log()
            migrate(database)
        except OSError as error:
            msg = f"cannot open {path}: {error.strerror}"
            raise SettingsError(msg) from None
        except QueueUnavailable as error:
            msg = f"cannot use {path}: {error}"
            raise SettingsError(msg) from None
        return database

    @contextmanager
    def transaction(self) -> Iterator[Statements]:
        """Return a block that holds the one write lock of the file."""
        if not self._writing.acquire(timeout=self._busy_seconds):
            msg = "database is locked"
            raise QueueUnavailable(msg)
        try:
            with _errors(), self._pool.connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
        finally:
            self._writing.release()

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, news: bool = False
    ) -> list[Row]:
        """Run one statement by itself: at once if it reads, else in a transaction."""
        if sql.lstrip().startswith("SELECT"):
            with _errors(), self._pool.connection() as connection:
                return connection.execute(sql, values)
        with self.transaction() as transaction:
            return transaction.execute(sql, values, news=news)

    def execute_each(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, news: bool = False
    ) -> list[Row]:
        """Run a statement for every row of the columns, in one transaction."""
        with self.transaction() as transaction:
            return transaction.execute_each(sql, columns, news=news)

    @contextmanager
    def listening(self) -> Iterator[Callable[[float], None]]:
        """Return a block that sleeps in short naps: nothing in SQLite wakes another process."""
        yield lambda seconds: time.sleep(min(seconds, _POLL_SECONDS))

    def close(self) -> None:
        """Close the file."""
        self._pool.close()

    def _open(self) -> "_Connection":
        connection = _Connection(self._path, self._now, self._busy_seconds)
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _use_write_ahead_log(self) -> None:
        """Switch the file's journal, which SQLite refuses instantly while others start as well."""
        until = time.monotonic() + self._busy_seconds
        while True:
            try:
                with _errors(), self._pool.connection() as connection:
                    connection.execute("PRAGMA journal_mode=WAL")
            except QueueUnavailable as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return


class _Connection:
    """One connection, lent to one thread at a time."""

    def __init__(self, path: Path, now: Callable[[], float], busy_seconds: float) -> None:
        self._now = now
        self._connection = sqlite3.connect(
            path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )

    def execute(
        self,
        sql: str,
        values: Mapping[str, object] | None = None,
        *,
        news: bool = False,  # noqa: ARG002 - whoever listens looks by himself
    ) -> list[Row]:
        return self._connection.execute(sql, {**(values or {}), "now": self._now()}).fetchall()

    def execute_each(
        self,
        sql: str,
        columns: Mapping[str, Sequence[object]],
        *,
        news: bool = False,  # noqa: ARG002 - as above
    ) -> list[Row]:
        names, now = (*columns, "now"), self._now()
        run = self._connection.execute
        rows: list[Row] = []
        for row in zip(*columns.values(), strict=True):
            rows += run(sql, dict(zip(names, (*row, now), strict=True))).fetchall()
        return rows

    def is_usable(self) -> bool:
        return True

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _errors() -> Iterator[None]:
    """Translate SQLite's errors, whose texts name neither data nor secrets."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
        text = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
        raise QueueUnavailable(text) from error
