"""What a page of the ledger costs, in rows and steps: no more than it shows, in any combination."""

import contextlib
import itertools
from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from limbo.adapters.sql.database import Database, Dialect
from limbo.adapters.sql.ledger_reader import SqlLedgerReader
from limbo.adapters.sql.migrations import migrate
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.lifecycle import Status
from limbo.ports.ledger_reader import Query

MAILS = 20_000
SINCE = 1_699_999_900.0
_ID = {
    Dialect.SQLITE: "printf('018bcfe5-%04x-7%03x-8000-000000000000', n >> 12, n & 4095)",
    Dialect.POSTGRESQL: """
        '018bcfe5-' || lpad(to_hex(n / 4096), 4, '0') || '-7' || lpad(to_hex(mod(n, 4096)), 3, '0')
            || '-8000-000000000000'
    """,
}
_NUMBERS = f"WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < {MAILS})"
# Ann's mails are sent and Bob's dead, by turns. The newest tenth, to others, waits.
_MAILS = """
    INSERT INTO limbo_mails (id, client, status, submitted_at, updated_at, sender, recipients,
        subject) {numbers}
    SELECT {id}, 'shop', 'queued', 1700000000.0, 1700000000.0, 'shop@example.org',
        CASE WHEN n > {waits} THEN '["eve@example.org"]' WHEN (n & 1) = 0 THEN '["ann@example.org"]'
            ELSE '["bob@example.org"]' END, 'Hello'
    FROM t
"""
_RECIPIENTS = """
    INSERT INTO limbo_recipients (address, client, id)
    SELECT substr(recipients, 3, 15), client, id FROM limbo_mails
"""
_ENDS = """
    UPDATE limbo_mails SET status =
        CASE WHEN recipients = '["ann@example.org"]' THEN 'sent' ELSE 'dead' END
    WHERE recipients <> '["eve@example.org"]'
"""
MATCHES = {
    ("ann@example.org", Status.SENT): 9000,
    ("bob@example.org", Status.DEAD): 9000,
    ("eve@example.org", Status.QUEUED): 2000,
}


class Steps:
    """A clock for SQLite that counts how often it is looked at: once each 10,000 steps."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        self.count += 1
        return 0.0


class Explained(PostgresDatabase):
    """Counts the rows that its questions touch."""

    rows = 0

    def execute(self, sql, values=None, **options):
        [[[plan]]] = super().execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        self.rows += _rows(plan["Plan"])
        return super().execute(sql, values, **options)


def _rows(node: dict) -> int:
    own = node["Actual Rows"] + sum(
        count for name, count in node.items() if name.startswith("Rows Removed")
    )
    return int(own * node["Actual Loops"]) + sum(map(_rows, node.get("Plans", ())))


def fill(database: Database) -> None:
    given = {"id": _ID[database.dialect], "numbers": _NUMBERS, "waits": MAILS - MAILS // 10}
    database.execute(_MAILS.format(**given))
    database.execute(_RECIPIENTS)
    database.execute(_ENDS)


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory) -> Iterator[tuple[SqlLedgerReader, Steps]]:
    steps = Steps()
    path = tmp_path_factory.mktemp("cost") / "limbo.db"
    with contextlib.closing(SqliteDatabase(path, clock=steps)) as database:
        migrate(database)
        fill(database)
        yield SqlLedgerReader(database), steps


@pytest.fixture(scope="module")
def on_postgres(postgres) -> Iterator[tuple[SqlLedgerReader, Explained]]:
    url = postgres.new_database()
    with contextlib.closing(PostgresDatabase.connect(url)) as database:
        fill(database)
        database.execute("ANALYZE limbo_mails, limbo_recipients, limbo_recipients_by_status")
    with contextlib.closing(Explained(conninfo_to_dict(url))) as database:
        yield SqlLedgerReader(database), database


QUERIES = [
    Query(client=client, status=status, to=to, since=since, after=after, limit=20)
    for client, status, to, since, after in itertools.product(
        (None, "shop"),
        (None, Status.SENT, Status.DEAD, Status.QUEUED, Status.SENDING, Status.CANCELLED),
        (None, "ann@example.org", "Bob@example.org", "eve@example.org", "zoe@example.org"),
        (None, SINCE),
        (None, "018bcfe5-0002-7000-8000-000000000000"),
    )
]


def expected(query: Query) -> int | None:
    """Return how many entries match, where that is simple to say."""
    if query.to is None or query.after is not None:
        return None
    pairs = {pair: n for pair, n in MATCHES.items() if pair[0] == query.to.lower()}
    return min(20, sum(n for (_, status), n in pairs.items() if query.status in (None, status)))


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_page_takes_few_steps_of_sqlite(on_sqlite, query):
    reader, steps = on_sqlite
    before = steps.count
    found = reader.page(query)
    assert steps.count - before <= 6, "a scan takes some thirty"
    assert expected(query) in (None, len(found))


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_page_touches_few_rows_of_postgresql(on_postgres, query):
    reader, database = on_postgres
    before = database.rows
    found = reader.page(query)
    assert database.rows - before < 500
    assert expected(query) in (None, len(found))
