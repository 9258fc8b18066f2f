"""What becomes of mails when SQLite's disk fails, or its file goes away."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from limbo.adapters.sql.database import CommitInDoubt, DatabaseUnavailable
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.errors import QueueUnavailable
from limbo.ports.outbox import Idempotency, Submission
from limbo.ports.queue import Kept, NotKept
from tests.support.failing_disk import on_a_failing_disk
from tests.support.mails import a_mail

GONE = "the database's file was deleted or replaced while limbo used it"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limbo.db"


@pytest.fixture
def database(path: Path) -> Iterator[SqliteDatabase]:
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{path}")) as opened:
        yield opened


@pytest.fixture
def queue(database: SqliteDatabase) -> SqlQueue:
    return SqlQueue(database)


def mails_in(path: Path) -> set[str]:
    """Return the ids of the mails in the file alone, without what lies in its log."""
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        return {id_ for (id_,) in connection.execute("SELECT id FROM limbo_queue")}


def test_a_mail_whose_commit_did_not_reach_the_disk_is_in_doubt(queue):
    assert queue.put([a_mail()]) == [Kept()]
    in_doubt = NotKept(reason="disk I/O error", in_doubt=True)
    assert on_a_failing_disk(lambda: queue.put([a_mail()])) == [in_doubt]


@pytest.mark.parametrize("key", [None, Idempotency("order-1", "f" * 64)])
def test_a_submission_whose_commit_did_not_reach_the_disk_is_in_doubt(database, key):
    outbox = SqlOutbox(database)
    submission = Submission(mail=a_mail(), client="shop", idempotency=key)
    in_doubt = NotKept(reason="disk I/O error", in_doubt=True)
    assert on_a_failing_disk(lambda: outbox.submit([submission])) == [in_doubt]


def test_nothing_is_in_doubt_before_the_commit_is_asked_for(database):
    def write() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO limbo_schema (version) VALUES (0)")
            raise sqlite3.OperationalError

    with pytest.raises(DatabaseUnavailable) as raised:
        write()
    assert not isinstance(raised.value, CommitInDoubt)


def test_no_mail_is_kept_behind_one_that_did_not_reach_the_disk(queue, path):
    _, again = on_a_failing_disk(lambda: [queue.put([a_mail()]) for _ in range(2)])
    assert again == [NotKept(reason="disk I/O error")], "the log is to be renewed first"
    seen = {lease.mail.id for lease in queue.receive(10, 0)}
    mail = a_mail()
    assert queue.put([mail]) == [Kept()]
    assert seen <= mails_in(path), "what is in doubt is in the file itself, or nowhere"
    assert {lease.mail.id for lease in queue.receive(10, 0)} == {mail.id}


def test_the_log_is_emptied_into_the_file_when_it_is_closed(queue, database, path):
    mails = [a_mail() for _ in range(5)]
    assert queue.put(mails) == [Kept()] * 5
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM limbo_queue").fetchall()
        database.close()
        assert mails_in(path) == {mail.id for mail in mails}


@pytest.mark.parametrize("copy", ["VACUUM INTO", "backup"])
def test_a_backup_made_while_limbo_runs_has_all_mails(queue, path, copy):
    mails = [a_mail() for _ in range(5)]
    assert queue.put(mails) == [Kept()] * 5
    target = path.with_name("backup.db")
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(target)) as backup,
    ):
        if copy == "backup":
            source.backup(backup)
        else:
            source.execute("VACUUM INTO ?", [str(target)])
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{target}")) as restored:
        found = {lease.mail.id for lease in SqlQueue(restored).receive(10, 0)}
    assert found == {mail.id for mail in mails}


def test_a_file_that_is_gone_takes_and_gives_no_mails(queue, path):
    assert queue.put([a_mail()]) == [Kept()]
    away = path.rename(path.with_name("away.db"))
    assert queue.put([a_mail()]) == [NotKept(reason=GONE)]
    for ask in (queue.depth, lambda: queue.receive(1, 0), queue.check_put):
        with pytest.raises(QueueUnavailable, match=GONE):
            ask()
    assert not path.exists()
    away.rename(path)
    assert queue.put([a_mail()]) == [Kept()]
    assert queue.depth().ready == 2


def test_another_file_in_its_place_is_left_alone(queue, path):
    assert queue.put([a_mail()]) == [Kept()]
    path.rename(path.with_name("away.db"))
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{path}")) as other:
        assert queue.put([a_mail()]) == [NotKept(reason=GONE)]
        assert SqlQueue(other).depth().ready == 0


def test_a_file_that_goes_before_the_answer_leaves_the_mail_in_doubt(database, path):
    def write() -> None:
        with database.transaction() as transaction:
            transaction.execute("INSERT INTO limbo_schema (version) VALUES (0)")
            path.unlink()

    with pytest.raises(CommitInDoubt, match=GONE):
        write()


class Clock:
    """Each look at it lets a second pass, so that time is what SQLite has done."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_a_question_that_takes_too_long_ends(path):
    endless = """
        SELECT count(*) FROM (
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n
        )
    """
    with contextlib.closing(SqliteDatabase(path, clock=Clock())) as database:
        with pytest.raises(DatabaseUnavailable, match="the question took longer than 4 s"):
            database.execute(endless)
        assert database.execute("SELECT 1") == [(1,)]
