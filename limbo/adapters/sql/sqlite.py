"""A SQLite file, shared by the processes of one machine."""

import errno
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from limbo.adapters.sql.database import DatabaseUnavailable, Dialect, Executor, Row
from limbo.adapters.sql.migrations import migrate
from limbo.adapters.sql.pool import Pool
from limbo.adapters.sql.sqlite_connection import SqliteConnection
from limbo.adapters.sql.sqlite_rows import in_one_run
from limbo.domain.errors import SettingsError

SCHEME = "sqlite:///"
_BUSY_SECONDS = 5.0
_POOL_SIZE = 32
# Removing a mail is a write too: on a full disk it would fail. The write-ahead log grows to 4 MB,
# and the file by as much, before the log is used from its start again.
_RESERVE_BYTES = 16 * 2**20
_FREE_BYTES = """
    SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size
"""


class SqliteDatabase:
    """A Database in one file. Several processes of one machine may share it."""

    dialect = Dialect.SQLITE

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        busy_seconds: float = _BUSY_SECONDS,
        reserve_bytes: int = _RESERVE_BYTES,
    ) -> None:
        self._path = path
        self._now = now
        self._busy_seconds = busy_seconds
        self._reserve_bytes = reserve_bytes
        self._pool = Pool(self._open, size=_POOL_SIZE, timeout=busy_seconds)
        # Threads wait for this lock in turn. SQLite alone would make them sleep and try again.
        self._writing = threading.Lock()

    @classmethod
    def connect(cls, url: str, *, now: Callable[[], float] = time.time) -> "SqliteDatabase":
        """Open ``sqlite:///relative`` or ``sqlite:////absolute``. Create the file if it is missing.

        Raises SettingsError if that fails, with a text of one line.
        """
        name = url.removeprefix(SCHEME)
        if name in {url, "", ":memory:"} or "?" in name:
            msg = (
                "the database's URL must be sqlite:///PATH, with four slashes for an absolute path"
            )
            raise SettingsError(msg)
        path = Path(name).absolute()
        database = cls(path, now=now)
        try:
            _make(path)
            with _errors(), database._pool.connection() as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            migrate(database)
        except OSError as error:
            msg = f"cannot open {path}: {error.strerror}"
            raise SettingsError(msg) from None
        except DatabaseUnavailable as error:
            msg = f"cannot use {path}: {error}"
            raise SettingsError(msg) from None
        return database

    @contextmanager
    def transaction(self) -> Iterator[Executor]:
        """Return a block that holds the file's only write lock."""
        with self._writer() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, notify: bool = False
    ) -> list[Row]:
        """Run one statement by itself. If it writes, it is a transaction."""
        reads = sql.lstrip().startswith("SELECT")
        with _errors(), self._pool.connection() if reads else self._writer() as connection:
            return connection.execute(sql, values, notify=notify)

    def execute_many(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, notify: bool = False
    ) -> list[Row]:
        """Run a statement for all rows of the columns, in one transaction.

        A single run needs no BEGIN and COMMIT, each of which would release the interpreter's lock.
        """
        with self._writer() if in_one_run(sql, columns) else self.transaction() as executor:
            return executor.execute_many(sql, columns, notify=notify)

    @contextmanager
    def listening(self) -> Iterator[Callable[[float], None]]:
        """Return a block that polls, because SQLite cannot wake another process."""
        with _errors(), self._pool.connection() as connection:
            connection.watch()
            yield connection.sleep

    def check_room(self) -> None:
        """Raise unless enough of the disk is free to remove the mails that are stored.

        Up to half of this space may be free pages of the file, which does not shrink when mails
        leave.
        """
        with _errors():
            left = shutil.disk_usage(self._path.parent).free
        if left < self._reserve_bytes:
            [[within]] = self.execute(_FREE_BYTES)
            if left + min(within, self._reserve_bytes // 2) < self._reserve_bytes:
                msg = "the disk is almost full"
                raise DatabaseUnavailable(msg)

    def close(self) -> None:
        """Close the file."""
        self._pool.close()

    @contextmanager
    def _writer(self) -> Iterator[SqliteConnection]:
        """Lend a connection to the one thread that may write."""
        if not self._writing.acquire(timeout=self._busy_seconds):
            msg = "database is locked"
            raise DatabaseUnavailable(msg)
        try:
            with _errors(), self._pool.connection() as connection:
                yield connection
        finally:
            self._writing.release()

    def _open(self) -> SqliteConnection:
        return SqliteConnection(self._path, self._now, self._busy_seconds)


def _make(path: Path) -> None:
    """Make the file, because SQLite would make it readable for everybody.

    A file that exists is not opened: to close any descriptor of it drops the locks that SQLite
    holds on it in this process (POSIX), and the last process to close it would then remove the
    write-ahead log under us (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None


@contextmanager
def _errors() -> Iterator[None]:
    """Translate SQLite's errors. Their texts contain neither data nor secrets."""
    try:
        yield
    except (sqlite3.Error, OSError, OverflowError, UnicodeEncodeError) as error:
        text = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
        raise DatabaseUnavailable(text) from error
