import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from limbo.adapters.sql.sqlite_rows import for_many, in_one_run

INSERT = "INSERT INTO mails (at, id, name) VALUES (:now, :id, :name) ON CONFLICT DO NOTHING"
MARK = "UPDATE mails SET name = :name, at = :now WHERE id = :id OR name = :id"
TOUCH = "UPDATE mails SET at = :now WHERE id IN (VALUES (:id)) AND at < :now RETURNING id"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as opened:
        opened.execute("CREATE TABLE mails (id PRIMARY KEY, name, at)")
        yield opened


def run(connection, sql, columns, now):
    """Run the statement for all rows; return how often, and what came back."""
    runs = [connection.execute(*each).fetchall() for each in for_many(sql, columns, now)]
    assert in_one_run(sql, columns) == (len(runs) == 1)
    return len(runs), [row for rows in runs for row in rows]


@pytest.mark.parametrize(
    ("count", "runs"), [(1, 1), (2, 1), (3, 2), (32, 1), (63, 6), (64, 1), (65, 2), (150, 5)]
)
def test_many_rows_take_few_runs_and_keep_their_values(connection, count, runs):
    columns = {"name": [f"n{i}" for i in range(count)], "id": [*range(count)]}
    assert run(connection, INSERT, columns, 7.5) == (runs, [])
    assert connection.execute("SELECT id, name, at FROM mails ORDER BY id").fetchall() == [
        (i, f"n{i}", 7.5) for i in range(count)
    ]


def test_a_statement_without_rows_of_its_own_is_run_for_each(connection):
    run(connection, INSERT, {"id": [1, 2, 3], "name": ["a", "b", "c"]}, 1.0)
    assert run(connection, MARK, {"id": [1, "c"], "name": ["x", "y"]}, 2.0) == (2, [])
    assert connection.execute("SELECT * FROM mails ORDER BY id").fetchall() == [
        (1, "x", 2.0),
        (2, "b", 1.0),
        (3, "y", 2.0),
    ]


def test_a_value_that_is_named_twice_is_the_same_both_times(connection):
    run(connection, INSERT, {"id": [1, 2, 3], "name": ["a", "b", "c"]}, 1.0)
    assert run(connection, TOUCH, {"id": [1, 3]}, 2.0) == (1, [(1,), (3,)])
    assert run(connection, TOUCH, {"id": [1, 2]}, 2.0) == (1, [(2,)])


def test_a_statement_of_one_value_is_given_one(connection):
    run(connection, INSERT, {"id": [1, 2], "name": ["a", "b"]}, 1.0)
    assert run(connection, "DELETE FROM mails WHERE id = :id RETURNING id", {"id": [2]}, 1.0) == (
        1,
        [(2,)],
    )


def test_no_rows_take_no_run(connection):
    assert run(connection, INSERT, {"id": [], "name": []}, 1.0) == (0, [])
