"""What statements are put together from, in the words of either database.

A statement stands beside its subject. One for many values goes by columns: in SQLite it names the
values of a row, in PostgreSQL arrays of a type.
"""
# ruff: noqa: S608 - these are put together from constants alone

from collections.abc import Callable, Mapping, Sequence

from limbo.adapters.sql.database import Dialect
from limbo.domain.delivery.lifecycle import Move, Status

Statement = Mapping[Dialect, str]
Types = Mapping[str, str]
"""Names of columns, each with PostgreSQL's type of it."""


def in_each(write: Callable[[Dialect], str]) -> Statement:
    """Return the statement as it is written for each dialect."""
    return {dialect: write(dialect) for dialect in Dialect}


def literals(*statuses: Status) -> str:
    """Return the statuses as SQL has them."""
    return ", ".join(f"'{status.value}'" for status in statuses)


def change_status(move: Move, where: str, *, also: str = "") -> str:
    """Return the statement that makes a move of those mails that may make it."""
    return f"""
        UPDATE limbo_mails SET status = {literals(move.to)}, {also}updated_at = :now
        WHERE {where} AND status IN ({literals(*move.from_)})
    """


def values(dialect: Dialect, columns: Types) -> str:
    """Return the values of a row, or the arrays of the columns."""
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
    """Return an INSERT that does ``then`` on a conflict; ``now`` is a column for the time."""
    time, extra = (", :now", f", {now}") if now else ("", "")
    given = values(dialect, columns)
    source = (
        f"VALUES ({given}{time})"
        if dialect is Dialect.SQLITE
        # In one order, so that two who insert the same rows cannot lock each other out.
        else f"SELECT *{time} FROM unnest({given}) ORDER BY 1"
    )
    return f"INSERT INTO {table} ({', '.join(columns)}{extra}) {source} ON CONFLICT {then}"


def update(dialect: Dialect, table: str, key: Types, columns: Types) -> str:
    """Return an UPDATE that gives each row of that key values of its own."""
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
    """Return the rows as the columns of those names."""
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
