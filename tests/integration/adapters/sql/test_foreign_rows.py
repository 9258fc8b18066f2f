"""What others wrote into SQLite's tables, of any type, stops nobody."""

import contextlib
from collections.abc import Iterator

import pytest

from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.delivery.verdict import UNDECODABLE, Cause, Death
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger_reader import Query
from limbo.ports.outbox import Submission
from limbo.ports.queue import Undecodable
from tests.support.mails import a_mail

NOT_UTF_8 = "CAST(x'7b22fffe' AS text)"
WRONG = [NOT_UTF_8, "x'fffe'", "7", "1.5", "'{'"]


@pytest.fixture
def database(tmp_path) -> Iterator[SqliteDatabase]:
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")) as opened:
        yield opened


@pytest.fixture
def queue(database) -> SqlQueue:
    return SqlQueue(database)


def plant(database: SqliteDatabase, **cells: str) -> None:
    row = {"id": "'foreign'", "body": "x'7b'", "submitted_at": "1.5", "due": "0.0", **cells}
    values = ", ".join(row.values())
    database.execute(f"INSERT INTO limbo_queue ({', '.join(row)}) VALUES ({values})")


def stored(database: SqliteDatabase, table: str) -> list[tuple[object, ...]]:
    return database.execute(f"SELECT typeof(body), CAST(body AS blob) FROM {table}")


@pytest.mark.parametrize("body", WRONG)
def test_a_body_of_any_kind_is_buried_and_redriven_raw(database, queue, body):
    plant(database, body=body)
    before = stored(database, "limbo_queue")
    queue.put([a_mail() for _ in range(40)])
    leases = queue.receive(100, 0)
    [bad] = [lease for lease in leases if isinstance(lease.mail, Undecodable)]
    good = [lease for lease in leases if isinstance(lease.mail, Mail)]
    assert (len(good), queue.ack(good)) == (40, [])
    queue.bury(bad, Death(cause=Cause(kind=UNDECODABLE, reason=bad.mail.reason)))
    assert stored(database, "limbo_dead_letters") == before
    [entry] = queue.dead_letters.list(10)
    assert (entry.mail_id, entry.cause.kind) == ("foreign", UNDECODABLE)
    letter = queue.dead_letters.show(entry.id)
    assert isinstance(letter.mail, Undecodable)
    assert queue.dead_letters.redrive([entry.id]) == 1
    assert stored(database, "limbo_queue") == before
    assert queue.dead_letters.list(10) == []


@pytest.mark.parametrize("id_", [NOT_UTF_8, "x'fffe'", "x''", "NULL"])
def test_a_mail_with_an_id_that_nobody_can_name_gets_another(database, queue, id_):
    plant(database, id=id_)
    queue.put([a_mail()])
    [bad] = [each for each in queue.receive(10, 0) if isinstance(each.mail, Undecodable)]
    queue.bury(bad, Death(cause=Cause(kind=UNDECODABLE, reason=bad.mail.reason)))
    [entry] = queue.dead_letters.list(10)
    assert entry.mail_id.startswith("unreadable-")
    assert queue.dead_letters.drop([entry.mail_id]) == 1


@pytest.mark.parametrize("column", ["submitted_at", "touches"])
def test_a_number_that_is_none_is_taken_for_nought(database, queue, column):
    plant(database, **{column: NOT_UTF_8})
    [lease] = queue.receive(10, 0)
    assert lease.touches == 0
    assert queue.depth().in_flight == 1
    queue.bury(lease, Death(cause=Cause(kind="mail", reason="no")))
    [entry] = queue.dead_letters.list(10)
    assert entry.submitted_at == (0 if column == "submitted_at" else 1.5)


@pytest.mark.parametrize(
    "column", ["status", "client", "sender", "recipients", "subject", "cause", "updated_at"]
)
@pytest.mark.parametrize("cell", WRONG)
def test_a_foreign_entry_is_listed_and_shown(database, column, cell):
    ledger, mails = SqlLedger(database), [a_mail() for _ in range(3)]
    SqlOutbox(database).submit([Submission(mail=mail) for mail in mails])
    name = mails[1].id
    database.execute(f"UPDATE limbo_mails SET {column} = {cell} WHERE id = :id", {"id": name})
    database.execute(f"UPDATE limbo_contents SET body = {cell} WHERE id = :id", {"id": name})
    page = ledger.ledger_reader.page(Query(client=None))
    assert sorted(record.id for record in page) == sorted(mail.id for mail in mails)
    assert ledger.ledger_reader.find(name, None).mail is None
    for record in page:
        f"{record}".encode()
    ledger.purge(bodies_before=2e9, records_before=2e9, limit=100)


@pytest.mark.parametrize("column", ["kind", "sender", "reason", "attempts", "buried_at"])
@pytest.mark.parametrize("cell", WRONG)
def test_a_foreign_dead_letter_is_listed_counted_and_redriven(database, queue, column, cell):
    queue.put([a_mail() for _ in range(2)])
    for lease in queue.receive(10, 0):
        queue.bury(lease, Death(cause=Cause(kind="mail", reason="no")))
    [first, second] = queue.dead_letters.list(10)
    changes = {"cell": first.id}
    database.execute(
        f"UPDATE limbo_dead_letters SET {column} = {cell}, cause_id = NULL WHERE id = :cell",
        changes,
    )
    letters = queue.dead_letters
    assert [letter.id for letter in letters.list(10)] == [first.id, second.id]
    assert sum(count for _, count in letters.causes(10)) == 2
    assert letters.show(first.id).mail.id == first.mail_id
    assert letters.redrive(letters.select()) == 2
