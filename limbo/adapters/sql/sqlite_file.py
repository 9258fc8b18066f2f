"""The file of a SQLite database, as the operating system sees it."""

import errno
import os
import shutil
from pathlib import Path

from limbo.adapters.sql.database import DatabaseUnavailable


class SqliteFile:
    """One file on a disk. It remembers which one it is, to notice that it is no longer there.

    SQLite goes on reading and writing a file that was deleted or replaced, and all that it writes
    is gone once the last process closes the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = os.fspath(path)
        self._identity: tuple[int, int] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the process has opened it."""
        return self._identity is not None

    def open(self) -> str:
        """Return the URI for a connection. Make the file before the first one if it is missing.

        Raises OSError if that fails, DatabaseUnavailable if it is not the file of the connections
        before. A connection itself must not make one: it would be another, and empty.
        """
        if self._identity is None:
            _make(self.path)
            self._identity = _identity(self._name)
        self.check()
        return f"{self.path.as_uri()}?mode=rw"

    def check(self) -> None:
        """Raise DatabaseUnavailable if the file was deleted or replaced since it was opened.

        It takes a few microseconds, and is done before each use and after each commit.
        """
        if self._identity is not None and _identity(self._name) != self._identity:
            msg = "the database's file was deleted or replaced while limbo used it"
            raise DatabaseUnavailable(msg)

    def free_bytes(self) -> int:
        """Return how much is free on the disk. Raises DatabaseUnavailable if that is not known."""
        try:
            return shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise DatabaseUnavailable(type(error).__name__) from error


def _identity(path: str) -> tuple[int, int] | None:
    """Return the device and the number of the file, or None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - twice a transaction, so without a Path
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


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
