"""The parts of SQL statements, for both dialects.

A whole statement stands beside its subject. A statement for many rows gets columns: in SQLite it
names the values of one row, in PostgreSQL the arrays of the columns.
"""

from collections.abc import Callable, Mapping, Sequence

from limbo.adapters.sql.database import Dialect
from limbo.domain.delivery.lifecycle import Move, Status

Statement = Mapping[Dialect, str]
Types = Mapping[str, str]
"""Names of columns, each with its type in PostgreSQL."""


def in_each(write: Callable[[Dialect], str]) -> Statement:
    """Return the statement in each dialect."""
    return {dialect: write(dialect) for dialect in Dialect}


def literals(*statuses: Status) -> str:
    """Return the statuses as SQL literals."""
    return ", ".join(f"'{status.value}'" for status in statuses)


def change_status(move: Move, where: str, *, also: str = "") -> str:
    """Return a statement that makes the move for those mails whose status allows it."""
    return f"""
        UPDATE limbo_mails SET status = {literals(move.to)}, {also}updated_at = :now
        WHERE {where} AND status IN ({literals(*move.from_)})
    """


def values(dialect: Dialect, columns: Types) -> str:
    """Return the values of one row, or the arrays of the columns."""
    return ", ".join(
        f":{name}" if dialect is Dialect.SQLITE else f":{name}::{kind}[]"
        for name, kind in columns.items()
    )


def among(dialect: Dialect, name: str, kind: str = "text") -> str:
    """Return the condition that a column has one of the values."""
    column = name.rpartition(".")[2]
    if dialect is Dialect.SQLITE:
        return f"{name} IN (VALUES (:{column}))"
    return f"{name} = ANY (:{column}::{kind}[])"


def insert(dialect: Dialect, table: str, columns: Types, then: str, *, now: str = "") -> str:
    """Return an INSERT that does ``then`` on a conflict. ``now`` names a column for the time."""
    time, extra = (", :now", f", {now}") if now else ("", "")
    given = values(dialect, columns)
    source = (
        f"VALUES ({given}{time})"
        if dialect is Dialect.SQLITE
        # Use one order, so that two inserts of the same rows cannot deadlock.
        else f"SELECT *{time} FROM unnest({given}) ORDER BY 1"
    )
    return f"INSERT INTO {table} ({', '.join(columns)}{extra}) {source} ON CONFLICT {then}"


def update(dialect: Dialect, table: str, key: Types, columns: Types) -> str:
    """Return an UPDATE that gives each row, found by its key, its own values."""
    changes = ", ".join(f"{name} = given.{name}" for name in columns)
    where = " AND ".join(f"t.{name} = given.{name}" for name in key)
    given = values(dialect, {**key, **columns})
    source = f"VALUES ({given})" if dialect is Dialect.SQLITE else f"SELECT * FROM unnest({given})"
    return f"""
        WITH given ({", ".join([*key, *columns])}) AS ({source})
        UPDATE {table} AS t SET {changes} FROM given WHERE {where}
    """


def as_columns(
    names: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> dict[str, Sequence[object]]:
    """Return the rows as columns with those names."""
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
