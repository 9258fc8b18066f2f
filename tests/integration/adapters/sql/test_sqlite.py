import contextlib
import sqlite3
import subprocess
import sys

import pytest

from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.verdict import Cause, Death, Fault
from limbo.domain.errors import QueueUnavailable, SettingsError
from limbo.ports.queue import Kept, NotKept
from tests.contracts.queue import take_one
from tests.support.mails import a_mail

OUTAGE = Death(cause=Cause(kind=Fault.OUTAGE, sender="fake.a", reason="connection refused"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///{tmp}/missing/limbo.db", "No such file or directory"),
        ("sqlite:///{tmp}", "Is a directory"),
        ("sqlite:///{tmp}/file/limbo.db", "Not a directory"),
        ("sqlite:///{tmp}/file", "file is not a database"),
        ("sqlite:///", "the database's URL must be sqlite:///PATH"),
        ("sqlite:///:memory:", "must be sqlite:///PATH"),
    ],
)
def test_says_in_one_line_why_a_file_cannot_be_used(tmp_path, url, says):
    (tmp_path / "file").write_text("This is a letter, and no database. " * 200)
    with pytest.raises(SettingsError, match=says) as raised:
        SqliteDatabase.connect(url.format(tmp=tmp_path))
    assert "\n" not in str(raised.value)


def test_a_relative_url_names_a_file_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SqliteDatabase.connect("sqlite:///limbo.db").close()
    assert (tmp_path / "limbo.db").stat().st_mode & 0o777 == 0o600


USE_AND_CLOSE = """
import sys
from limbo.adapters.sql.sqlite import SqliteDatabase
database = SqliteDatabase.connect(sys.argv[1])
database.execute("INSERT INTO limbo_schema (version) VALUES (0)")
database.close()
"""


def test_a_file_that_is_opened_twice_survives_another_process_that_closes_it(tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    with contextlib.closing(SqliteDatabase.connect(url)) as first:
        SqliteDatabase.connect(url).close()
        subprocess.run([sys.executable, "-c", USE_AND_CLOSE, url], check=True)
        assert (tmp_path / "limbo.db-wal").exists()
        first.execute("INSERT INTO limbo_schema (version) VALUES (1)")
        assert first.execute("SELECT count(*) FROM limbo_schema WHERE version = 0") == [(1,)]
    with contextlib.closing(sqlite3.connect(tmp_path / "limbo.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_full_disk_refuses_mails_and_recovers(tmp_path):
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")) as database:
        queue = SqlQueue(database)
        pages = database.execute("SELECT page_count FROM pragma_page_count")[0][0]
        with database.transaction() as transaction:  # the limit holds for this connection
            transaction.execute(f"PRAGMA max_page_count = {pages + 40}")
        kept = 0
        while (answers := queue.put([a_mail(message="x" * 2000)]))[0] == Kept():
            kept += 1
        assert answers == [NotKept(reason="database or disk is full")]
        assert kept > 10
        assert len(leases := queue.receive(100, 0)) == kept
        assert queue.put([a_mail()]) == [Kept()]
        assert queue.ack(leases) == []
        assert queue.depth().ready == 1


def test_takes_no_mails_on_a_disk_too_full_to_get_them_out(tmp_path):
    path = tmp_path / "limbo.db"
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{path}")) as database:
        SqlQueue(database).put([a_mail()])
    with contextlib.closing(SqliteDatabase(path, reserve_bytes=2**60)) as database:
        queue = SqlQueue(database)
        assert queue.put([a_mail()]) == [NotKept(reason="the disk is almost full")]
        queue.bury(take_one(queue), OUTAGE)
        assert queue.dead_letters.redrive([queue.dead_letters.list(1)[0].id]) == 1
        assert queue.ack([take_one(queue)]) == []


def test_a_file_destroyed_later_is_an_unavailable_queue(tmp_path):
    path = tmp_path / "limbo.db"
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{path}")) as database:
        queue = SqlQueue(database)
        queue.put([a_mail()])
    path.write_bytes(b"nonsense" * 1000)
    with contextlib.closing(SqliteDatabase(path)) as database:
        queue = SqlQueue(database)
        assert queue.put([a_mail()]) == [NotKept(reason="file is not a database")]
        with pytest.raises(QueueUnavailable, match="not a database"):
            queue.receive(1, 0)
        with pytest.raises(QueueUnavailable, match="not a database"):
            queue.depth()


def test_a_writer_that_holds_the_file_too_long_makes_it_unavailable(tmp_path):
    path = tmp_path / "limbo.db"
    SqliteDatabase.connect(f"sqlite:///{path}").close()
    with contextlib.closing(SqliteDatabase(path, busy_seconds=0.2)) as database:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert SqlQueue(database).put([a_mail()]) == [NotKept(reason="database is locked")]
            assert SqlQueue(database).depth().ready == 0
            other.execute("COMMIT")
        assert SqlQueue(database).put([a_mail()]) == [Kept()]
