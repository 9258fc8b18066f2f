"""One connection to a SQLite file. It waits for locks, and notices what others commit."""

import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence

from limbo.adapters.sql.database import Row
from limbo.adapters.sql.sqlite_rows import for_many

_POLL_SECONDS = (0.01, 0.017)  # between two polls: the first pause, and the longest one
_POLL_GROWTH = 1.02
_RETRY_SECONDS = 0.001
# FULL: a commit is on the disk when it returns. The other two matter only on macOS, where a plain
# fsync leaves the data in the drive's cache.
# secure_delete: what is deleted is overwritten at once, also in pages that become free.
_PRAGMAS = ("synchronous=FULL", "fullfsync=ON", "checkpoint_fullfsync=ON", "secure_delete=ON")
READ_SECONDS = 4.0
_STEPS = 10_000  # of SQLite's virtual machine, between two looks at the clock: about a millisecond


class SqliteConnection:
    """One connection, lent to one thread at a time. Each SELECT has a time limit."""

    def __init__(
        self,
        uri: str,
        now: Callable[[], float],
        busy_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        reads_only: bool = False,
    ) -> None:
        """Open a file that is there.

        SQLite's own read-only mode is no choice: it leaves behind the files of the write-ahead log.
        """
        self._now = now
        self._deadline = _Deadline(clock)
        self._version = 0
        self._pause = _POLL_SECONDS[0]
        self._busy_seconds = busy_seconds
        self._connection = sqlite3.connect(
            uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        self._connection.text_factory = _text
        self._connection.set_progress_handler(self._deadline.is_over, _STEPS)
        try:
            for pragma in (*_PRAGMAS, *(["query_only=ON"] if reads_only else [])):
                self.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            self.close()
            raise

    def execute(
        self,
        sql: str,
        values: Mapping[str, object] | None = None,
        *,
        notify: bool = False,  # noqa: ARG002 - listeners have to poll
    ) -> list[Row]:
        """Run one statement."""
        return self._run(sql, {**(values or {}), "now": self._now()})

    def execute_many(
        self,
        sql: str,
        columns: Mapping[str, Sequence[object]],
        *,
        notify: bool = False,  # noqa: ARG002 - as above
    ) -> list[Row]:
        """Run a statement for all rows of the columns, in as few runs as possible."""
        rows: list[Row] = []
        for statement, values in for_many(sql, columns, self._now()):
            rows += self._run(statement, values)
        return rows

    def checkpoint(self, seconds: float) -> bool:
        """Bring the write-ahead log into the file and empty it. Return whether that is done.

        Other processes that read or write now can prevent it; it tries for so many seconds.
        """
        until = time.monotonic() + seconds
        while True:
            [[is_busy, *_]] = self._run("PRAGMA wal_checkpoint(TRUNCATE)", ())
            if not is_busy or time.monotonic() > until:
                return not is_busy
            time.sleep(_RETRY_SECONDS)

    def watch(self) -> None:
        """Read the file's version. Commits of other connections increase it."""
        self._version = self._read_version()

    def sleep(self, seconds: float) -> None:
        """Sleep until another connection has committed something since the last poll."""
        until = time.monotonic() + seconds
        known = self._version
        shortest, longest = _POLL_SECONDS
        while known == self._version and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, self._pause))
            self._version = self._read_version()
            self._pause = min(self._pause * _POLL_GROWTH, longest)
        if known != self._version:
            self._pause = shortest

    def is_usable(self) -> bool:
        """Return True: there is no server that could be lost."""
        return True

    def close(self) -> None:
        """Close the connection. This undoes what it has not committed."""
        self._connection.close()

    def _run(self, sql: str, values: Mapping[str, object] | Sequence[object]) -> list[Row]:
        """Run a statement. Try again every millisecond while another process writes.

        SQLite's own waiting has growing pauses of up to 0.1 s, so the one that has waited longest
        gets the fewest chances. It does not wait at all while a file is switched to the write-ahead
        log.
        """
        until = time.monotonic() + self._busy_seconds
        self._deadline.set(READ_SECONDS if is_read(sql) else math.inf)
        while True:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > until:
                    raise
            time.sleep(_RETRY_SECONDS)

    def _read_version(self) -> int:
        [version] = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)


class _Deadline:
    """When a statement is to end, on a clock that the process alone has."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = math.inf

    def set(self, seconds: float) -> None:
        """Let the next statement run for at most so many seconds."""
        self._until = self._clock() + seconds

    def is_over(self) -> bool:
        """Tell SQLite to give the statement up: it asks while the statement runs."""
        return self._clock() > self._until


def is_read(sql: str) -> bool:
    """Tell whether the statement only reads."""
    return sql.lstrip().startswith("SELECT")


def _text(raw: bytes) -> str | bytes:
    """Return a text, or its bytes if it is not UTF-8: anybody may write into the file."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def is_busy(error: BaseException | None) -> bool:
    """Tell whether the error says that another connection has a lock."""
    # Errors of the module itself, such as for text that is no UTF-8, have no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY  # the rest: details
