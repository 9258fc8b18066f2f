"""While PostgreSQL's tables climb, whoever writes loses nothing and is refused nothing."""

import contextlib
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from limbo.adapters.sql.migrations import VERSION, migrate, need_tables
from limbo.adapters.sql.postgres import PostgresDatabase

_OLDER = 4
_MAIL = """
    INSERT INTO limbo_mails
        (id, client, status, submitted_at, updated_at, sender, recipients, subject)
    VALUES ('one', 'shop', 'sending', 1, 1, 'a@x.example', '["b@x.example"]', 'Hello');
    INSERT INTO limbo_recipients (address, client, id) VALUES ('b@x.example', 'shop', 'one');
    INSERT INTO limbo_queue (id, body, submitted_at, due) VALUES ('one', '{}', 1, 1)
"""
_BURIAL = """
    INSERT INTO limbo_dead_letters (
        id, mail_id, body, submitted_at, kind, sender, reason, attempts, buried_at,
        possible_duplicate
    )
    SELECT 'letter', id, body, submitted_at, 'mail', '', 'no', '[]', 2, FALSE FROM limbo_queue
"""
_WAITS = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation IS NOT NULL LIMIT 1"


@pytest.fixture
def url(postgres) -> str:
    return postgres.new_database()


@pytest.fixture(params=["read committed", "repeatable read", "serializable"])
def database(request, url) -> Iterator[PostgresDatabase]:
    level = request.param.replace(" ", "\\ ")
    options = f"-c default_transaction_isolation={level} -c statement_timeout=30s"
    settings = {**conninfo_to_dict(url), "options": options}
    with contextlib.closing(PostgresDatabase(settings, answer_seconds=30)) as opened:
        migrate(opened, _OLDER)
        yield opened


@pytest.fixture
def writer(database, url) -> Iterator[psycopg.Connection]:
    assert database.execute("SELECT max(version) FROM limbo_schema") == [(_OLDER,)]
    with psycopg.connect(url) as connection:
        connection.execute(_MAIL)
        connection.commit()
        yield connection


@contextlib.contextmanager
def climbing(database: PostgresDatabase, url: str) -> Iterator[None]:
    """Migrate in a thread; enter the block once that waits for a table, leave it at the end."""
    thread = threading.Thread(target=migrate, args=(database,))
    thread.start()
    try:
        with psycopg.connect(url, autocommit=True) as observer:
            until = time.monotonic() + 20
            while not observer.execute(_WAITS).fetchone():
                assert thread.is_alive()
                assert time.monotonic() < until
                time.sleep(0.01)
        yield
    finally:
        thread.join()
    need_tables(database)


def test_what_a_mail_comes_to_meanwhile_is_found_by_its_recipient(database, writer, url):
    writer.execute("UPDATE limbo_mails SET status = 'sent' WHERE id = 'one'")
    with climbing(database, url):
        writer.commit()
    found = writer.execute("SELECT address, status, id FROM limbo_recipients_by_status").fetchall()
    assert found == [("b@x.example", "sent", "one")]


def test_a_writer_that_goes_on_to_another_table_is_in_no_deadlock(database, writer, url):
    writer.execute("SELECT id FROM limbo_queue FOR UPDATE")
    with climbing(database, url):
        writer.execute(_BURIAL)
        writer.execute("DELETE FROM limbo_queue")
        writer.commit()
    counted = writer.execute(
        "SELECT kind, sum(mails)::int FROM limbo_counts GROUP BY kind ORDER BY kind"
    ).fetchall()
    assert counted == [("", 0), ("mail", 1)]


def test_a_new_database_climbs_without_waiting(url):
    with contextlib.closing(PostgresDatabase(conninfo_to_dict(url))) as database:
        migrate(database)
        assert database.execute("SELECT max(version) FROM limbo_schema") == [(VERSION,)]
        assert database.execute("SELECT current_setting('lock_timeout')") == [("0",)]
