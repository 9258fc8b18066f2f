"""One connection to a PostgreSQL server, with a time limit for each answer."""

import re
import select
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, TypeVar

import psycopg

from limbo.adapters.sql.database import Row
from limbo.adapters.sql.postgres_arrays import as_column, with_columns

STATEMENT_SECONDS = 4
ANSWER_SECONDS = 5.0  # longer than the server's own limit: for a server that is frozen or cut off
_CLOCK = "CAST(extract(epoch FROM statement_timestamp()) AS double precision)"
_VALUE = re.compile(r"(?<!:):([a-z_]+)")
CHANNEL = "limbo_queue"
_ADAPTERS = SimpleNamespace(adapters=with_columns(), connection=None)
R = TypeVar("R")


class PostgresConnection:
    """One connection, lent to one thread at a time. Each statement has a time limit."""

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
        """Run one statement."""
        values = values or {}
        if self._now is not None:
            values = {**values, "now": self._now()}
        query = _translate(sql, notify=notify, own_clock=self._now is not None)
        self._cursor.execute(query, values)
        return self._cursor.fetchall() if self._cursor.description else []

    def execute_many(
        self, sql: str, columns: Mapping[str, Sequence[object]], *, notify: bool = False
    ) -> list[Row]:
        """Run one statement on arrays."""
        given = {name: as_column(values) for name, values in columns.items()}
        return self.execute(sql, given, notify=notify)

    def sleep(self, seconds: float) -> None:
        """Sleep until the server sends a notification that this connection listens to."""
        for _ in self._connection.notifies(timeout=min(seconds, STATEMENT_SECONDS), stop_after=1):
            pass

    def is_usable(self) -> bool:
        """Tell whether nothing unread has come: the server sends a message when it shuts down."""
        return not self._unread.poll(0)

    def close(self) -> None:
        """Close the connection. This undoes what it has not committed."""
        self._connection.close()


class _LimitedConnection(psycopg.Connection[Row]):
    """A connection that waits for no answer longer than its limit."""

    answer_seconds = ANSWER_SECONDS

    def wait(self, gen: Generator[Any, Any, R], *args: Any, **kwargs: Any) -> R:  # noqa: ANN401
        if not kwargs:  # with its own time-out it waits for a notification, and none is no failure
            gen = _limited(gen, self.answer_seconds)
        return super().wait(gen, *args, **kwargs)


def _limited(gen: Generator[Any, Any, R], seconds: float) -> Generator[Any, Any, R]:
    """Wrap psycopg's generator and check the limit: psycopg wakes it every 0.1 s at least."""
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
        sql += f" RETURNING pg_notify('{CHANNEL}', '')"  # PostgreSQL sends equal ones only once
    return _VALUE.sub(r"%(\1)s", sql)
