import re
from pathlib import Path

import pytest

from limbo.adapters import sql
from limbo.adapters.sql.database import Dialect
from limbo.adapters.sql.statements import among, change_status, insert, literals, update
from limbo.domain.delivery.lifecycle import CANCEL, KEEP, PURGEABLE, REDRIVE, REFUSE, Status

# A migration is frozen: it has to name what the statuses were called when it was written.
FILES = sorted(
    path for path in Path(sql.__path__[0]).rglob("*.py") if not path.match("migrations/m*.py")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_file_names_a_status_by_its_text(path):
    assert not re.findall(rf"""['"]({"|".join(Status)})['"]""", path.read_text())


@pytest.mark.parametrize("move", [KEEP, REFUSE, CANCEL, REDRIVE])
def test_a_move_is_made_from_its_statuses_to_its_status_alone(move):
    allowed = ", ".join(f"'{status}'" for status in move.from_)
    statement = " ".join(change_status(move, "id = :id", also="cause = NULL, ").split())
    assert statement == (
        f"UPDATE limbo_mails SET status = '{move.to}', cause = NULL, updated_at = :now"
        f" WHERE id = :id AND status IN ({allowed})"
    )


def test_statuses_are_listed_as_sql_has_them():
    assert literals(*PURGEABLE).count("'") == 2 * len(PURGEABLE)
    assert literals(Status.SENT, Status.DEAD) == "'sent', 'dead'"


@pytest.mark.parametrize(
    ("dialect", "condition"),
    [
        (Dialect.SQLITE, "k.name IN (VALUES (:name))"),
        (Dialect.POSTGRESQL, "k.name = ANY (:name::bytea[])"),
    ],
)
def test_a_condition_on_many_values_is_one_of_each_dialect(dialect, condition):
    assert among(dialect, "k.name", "bytea") == condition


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        (
            Dialect.SQLITE,
            "INSERT INTO t (a, b, at) VALUES (:a, :b, :now) ON CONFLICT DO NOTHING",
        ),
        (
            Dialect.POSTGRESQL,
            (
                "INSERT INTO t (a, b, at) SELECT *, :now FROM unnest(:a::text[], :b::bool[])"
                " ORDER BY 1 ON CONFLICT DO NOTHING"
            ),
        ),
    ],
)
def test_many_rows_are_inserted_by_one_statement(dialect, statement):
    assert insert(dialect, "t", {"a": "text", "b": "bool"}, "DO NOTHING", now="at") == statement


@pytest.mark.parametrize(
    ("dialect", "source"),
    [
        (Dialect.SQLITE, "VALUES (:a, :b)"),
        (Dialect.POSTGRESQL, "SELECT * FROM unnest(:a::text[], :b::bool[])"),
    ],
)
def test_many_rows_are_changed_by_one_statement(dialect, source):
    assert " ".join(update(dialect, "t", {"a": "text"}, {"b": "bool"}).split()) == (
        f"WITH given (a, b) AS ({source}) UPDATE t AS t SET b = given.b"
        " FROM given WHERE t.a = given.a"
    )
