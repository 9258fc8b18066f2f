"""A SQLite file, shared by the processes of one machine."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from limbo.adapters.sql.database import DatabaseUnavailable, Dialect, Executor, Row
from limbo.adapters.sql.migrations import Schema, migrate, need_tables, schema
from limbo.adapters.sql.sqlite_connection import is_busy, is_read
from limbo.adapters.sql.sqlite_connections import SqliteConnections
from limbo.adapters.sql.sqlite_rows import in_one_run
from limbo.domain.errors import SettingsError, StoreUnavailable
from limbo.ports.tables import Opening

SCHEME = "sqlite:///"
_BUSY_SECONDS = 5.0
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
        clock: Callable[[], float] = time.monotonic,
        busy_seconds: float = _BUSY_SECONDS,
        reserve_bytes: int = _RESERVE_BYTES,
        opening: Opening = Opening.MAKE,
    ) -> None:
        self._reserve_bytes = reserve_bytes
        self._connections = SqliteConnections(
            path,
            now=now,
            clock=clock,
            busy_seconds=busy_seconds,
            reads_only=opening is Opening.READ,
        )

    @classmethod
    def connect(
        cls, url: str, *, now: Callable[[], float] = time.time, opening: Opening = Opening.MAKE
    ) -> "SqliteDatabase":
        """Open ``sqlite:///relative`` or ``sqlite:////absolute``. Make the file only if asked to.

        Raises StoreUnavailable while another process keeps the file locked, SettingsError if it
        cannot be used, each with a text of one line.
        """
        path = _path(url)
        if opening is not Opening.MAKE and not path.exists():
            raise SettingsError(f"there is no database {path} yet: run `limbo migrate`")
        database = cls(path, now=now, opening=opening)
        with _opening(path):
            try:
                if opening is Opening.MAKE:
                    database._connections.file.open()
                    with database._connections.reader() as connection:
                        connection.execute("PRAGMA journal_mode=WAL")
                    migrate(database)
                else:
                    need_tables(database)
            except BaseException:
                database.close()
                raise
        return database

    @classmethod
    def schema_of(cls, url: str) -> Schema:
        """Return which tables are in the file, and make none."""
        path = _path(url)
        if not path.exists():
            return Schema(version=0, compatible_with=0)
        with _opening(path), closing(cls(path, opening=Opening.READ)) as database:
            return schema(database, database.dialect)

    @contextmanager
    def transaction(self) -> Iterator[Executor]:
        """Return a block that holds the file's only write lock."""
        with self._connections.writer() as (connection, progress):
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            progress.commits = True
            connection.execute("COMMIT")

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None, *, notify: bool = False
    ) -> list[Row]:
        """Run one statement by itself. If it writes, it is a transaction."""
        if is_read(sql):
            with self._connections.reader() as connection:
                return connection.execute(sql, values)
        with self._connections.writer() as (connection, progress):
            progress.commits = True
            return connection.execute(sql, values, notify=notify)

    def execute_many(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, notify: bool = False
    ) -> list[Row]:
        """Run a statement for all rows of the columns, in one transaction.

        A single run needs no BEGIN and COMMIT, each of which would release the interpreter's lock.
        """
        if not in_one_run(sql, columns):
            with self.transaction() as transaction:
                return transaction.execute_many(sql, columns, notify=notify)
        with self._connections.writer() as (connection, progress):
            progress.commits = True
            return connection.execute_many(sql, columns, notify=notify)

    @contextmanager
    def listening(self) -> Iterator[Callable[[float], None]]:
        """Return a block that polls, because SQLite cannot wake another process."""
        with self._connections.reader() as connection:
            connection.watch()
            yield connection.sleep

    def check_room(self) -> None:
        """Raise unless enough of the disk is free to remove the mails that are stored.

        Up to half of this space may be free pages of the file, which does not shrink when mails
        leave.
        """
        left = self._connections.file.free_bytes()
        if left < self._reserve_bytes:
            [[within]] = self.execute(_FREE_BYTES)
            if left + min(within, self._reserve_bytes // 2) < self._reserve_bytes:
                msg = "the disk is almost full"
                raise DatabaseUnavailable(msg)

    def close(self) -> None:
        """Bring all that is stored into the file itself, and close it."""
        self._connections.close()


def _path(url: str) -> Path:
    name = url.removeprefix(SCHEME)
    if name in {url, "", ":memory:"} or "?" in name:
        raise SettingsError(
            "the database's URL must be sqlite:///PATH, with four slashes for an absolute path"
        )
    return Path(name).absolute()


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """Tell a file that is locked, for example by a long migration, from one that is no good."""
    try:
        yield
    except OSError as error:
        raise SettingsError(f"cannot open {path}: {error.strerror}") from None
    except DatabaseUnavailable as error:
        kind = StoreUnavailable if is_busy(error.__cause__) else SettingsError
        raise kind(f"cannot use {path}: {error}") from None
