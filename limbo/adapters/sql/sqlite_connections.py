"""The connections of a process to one SQLite file: many that read, one that writes."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from limbo.adapters.sql.database import CommitInDoubt, DatabaseUnavailable, Progress
from limbo.adapters.sql.pool import Pool
from limbo.adapters.sql.sqlite_connection import READ_SECONDS, SqliteConnection
from limbo.adapters.sql.sqlite_file import SqliteFile

_POOL_SIZE = 32
_CLOSE_SECONDS = 1.0  # how long other processes may keep the log from being emptied


class SqliteConnections:
    """Lends connections, translates their errors, and notices when the file or its disk fails."""

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
        busy_seconds: float,
        reads_only: bool = False,
    ) -> None:
        self.file = SqliteFile(path)
        self._now = now
        self._clock = clock
        self._busy_seconds = busy_seconds
        self._reads_only = reads_only
        self._pool = Pool(self._open, size=_POOL_SIZE, timeout=busy_seconds)
        # Threads wait for this lock in turn. SQLite alone would make them sleep and try again.
        self._writing = threading.Lock()
        self._distrusts_log = False

    @contextmanager
    def reader(self) -> Iterator[SqliteConnection]:
        """Lend a connection of the file, if that is still there."""
        with self._errors(Progress()):
            self.file.check()
            with self._pool.connection() as connection:
                yield connection

    @contextmanager
    def writer(self) -> Iterator[tuple[SqliteConnection, Progress]]:
        """Lend a connection to the one thread that may write.

        Once ``commits`` of the progress is set, a failure of the disk, or a file that is gone when
        the block ends, leaves the changes in doubt.
        """
        if not self._writing.acquire(timeout=self._busy_seconds):
            msg = "database is locked"
            raise DatabaseUnavailable(msg)
        try:
            with self._errors(progress := Progress()):
                self.file.check()
                with self._pool.connection() as connection:
                    self._renew_log(connection)
                    yield connection, progress
                self.file.check()
        finally:
            self._writing.release()

    def close(self) -> None:
        """Bring all that is stored into the file, so that a copy of it is complete. Then close it.

        SQLite does so too, but only for the last process that closes the file.
        """
        if self.file.is_open and not self._reads_only:
            with suppress(DatabaseUnavailable), self.reader() as connection:
                connection.checkpoint(_CLOSE_SECONDS)
        self._pool.close()

    def _renew_log(self, connection: SqliteConnection) -> None:
        """Begin a new write-ahead log after the disk has failed.

        What the failed transaction left in the log is shown by the system, but may not be on the
        disk. To go on behind it would lose what follows, if the power fails.
        """
        if self._distrusts_log:
            if not connection.checkpoint(self._busy_seconds):
                msg = "the disk has failed, and other processes keep the file from being read anew"
                raise DatabaseUnavailable(msg)
            self._distrusts_log = False

    @contextmanager
    def _errors(self, progress: Progress) -> Iterator[None]:
        """Translate errors. After a failure of the disk, let all connections be opened anew."""
        try:
            yield
        except DatabaseUnavailable as error:
            if progress.commits:
                raise CommitInDoubt(str(error)) from error
            raise
        except (sqlite3.Error, OSError, OverflowError, UnicodeEncodeError) as error:
            if has_failed := _is_of_disk(error):
                self._distrusts_log = True
                self._pool.discard()
            kind = CommitInDoubt if progress.commits and has_failed else DatabaseUnavailable
            raise kind(_reason(error)) from error

    def _open(self) -> SqliteConnection:
        return SqliteConnection(
            self.file.open(),
            self._now,
            self._busy_seconds,
            self._clock,
            reads_only=self._reads_only,
        )


def _is_of_disk(error: Exception) -> bool:
    """Tell whether the disk failed: then what was written may be on it or not.

    All other errors, also that the disk is full, come before a transaction is complete on the disk:
    the record that completes it is written last.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest: details
    return code == sqlite3.SQLITE_IOERR or isinstance(error, OSError)


def _reason(error: Exception) -> str:
    """Return the error's text. SQLite's own contain neither data nor secrets."""
    if not isinstance(error, sqlite3.Error):
        return type(error).__name__
    is_late = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT
    return f"the question took longer than {READ_SECONDS:g} s" if is_late else str(error)
