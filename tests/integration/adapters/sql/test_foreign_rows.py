"""What others wrote into SQLite's tables, of any type, stops nobody."""

import contextlib
from collections.abc import Iterator

import pytest

from limbo.adapters.sql.api_keys import SqlApiKeys
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.migrations import migrate, need_tables
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.access.api_key import is_secret_of
from limbo.domain.access.credential import new_credential
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.delivery.verdict import UNDECODABLE, Cause, Death
from limbo.domain.errors import ApiKeysUnavailable, SettingsError
from limbo.domain.mail.mail import YEAR_10000, Mail
from limbo.ports.ledger_reader import Query
from limbo.ports.outbox import Submission
from limbo.ports.queue import Undecodable
from tests.contracts.api_keys import a_key
from tests.support.mails import a_mail

NOT_UTF_8 = "CAST(x'7b22fffe' AS text)"
OUT_OF_RANGE = ["-1e300", "9e999", "-9223372036854775808", "253402300800"]
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
    "column",
    [
        *["status", "client", "sender", "recipients", "subject", "cause", "shown"],
        *["updated_at", "next_at", "last_start"],
    ],
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


@pytest.mark.parametrize("column", ["submitted_at", "updated_at", "next_at", "last_start"])
@pytest.mark.parametrize("cell", OUT_OF_RANGE)
def test_a_time_that_no_calendar_has_is_taken_for_nought(database, column, cell):
    mail = a_mail()
    SqlOutbox(database).submit([Submission(mail=mail)])
    database.execute(f"UPDATE limbo_mails SET {column} = {cell}")
    [record] = SqlLedger(database).ledger_reader.page(Query(client=None))
    for seconds in (record.submitted_at, record.updated_at, record.next_at or 0.0):
        assert 0 <= seconds < YEAR_10000


@pytest.mark.parametrize("column", ["submitted_at", "buried_at"])
@pytest.mark.parametrize("cell", OUT_OF_RANGE)
def test_a_dead_letter_of_no_time_has_one_that_can_be_shown(database, queue, column, cell):
    queue.put([a_mail()])
    [lease] = queue.receive(10, 0)
    queue.bury(lease, Death(cause=Cause(kind="mail", reason="no")))
    database.execute(f"UPDATE limbo_dead_letters SET {column} = {cell}")
    [entry] = queue.dead_letters.list(10)
    assert min(entry.submitted_at, entry.buried_at) >= 0
    assert max(entry.submitted_at, entry.buried_at) < YEAR_10000


@pytest.mark.parametrize("cell", [NOT_UTF_8, "x'fffe'"])
def test_mails_with_ids_of_two_types_are_listed_by_status(database, cell):
    mails = [a_mail() for _ in range(3)]
    SqlOutbox(database).submit([Submission(mail=mail, client="shop") for mail in mails])
    database.execute(f"UPDATE limbo_mails SET id = {cell} WHERE id = :id", {"id": mails[1].id})
    page = SqlLedger(database).ledger_reader.page(Query(client=None, status=Status.QUEUED))
    assert {mails[0].id, mails[2].id} < {record.id for record in page}
    assert len(page) == len(mails)


@pytest.mark.parametrize("shown", ["'[1,2]'", "'7'", "'null'", """'{"to": []}'"""])
def test_fields_that_are_none_are_not_shown(database, shown):
    SqlOutbox(database).submit([Submission(mail=a_mail())])
    database.execute(f"UPDATE limbo_mails SET shown = {shown}")
    [record] = SqlLedger(database).ledger_reader.page(Query(client=None))
    assert record.shown is None


@pytest.mark.parametrize(
    "column",
    [
        *["sha256", "client", "name", "scopes", "senders", "networks", "rate", "read_rate"],
        *["created_at", "expires_at", "revoked_at", "last_used_at"],
    ],
)
@pytest.mark.parametrize("cell", [NOT_UTF_8, "x'fffe'", "'é'"])
def test_a_foreign_api_key_opens_nothing_and_harms_no_other(database, column, cell):
    credential = new_credential()
    keys, good, bad = SqlApiKeys(database), a_key(), a_key(credential)
    for key in (good, bad):
        keys.add(key)
    database.execute(f"UPDATE limbo_api_keys SET {column} = {cell} WHERE id = :id", {"id": bad.id})
    found = keys.find([good.id, bad.id])
    assert found[good.id] == good
    with contextlib.suppress(ApiKeysUnavailable):
        [key] = keys.find([bad.id]).values()
        key.state(1e9)
        assert is_secret_of(credential, key) is (column != "sha256")


@pytest.mark.parametrize("body", [*WRONG, "1000000000000000"])
def test_an_address_is_looked_for_among_bodies_of_any_kind(database, queue, body):
    plant(database, body=body)
    [bad] = queue.receive(10, 0)
    queue.bury(bad, Death(cause=Cause(kind=UNDECODABLE, reason="no mail")))
    assert queue.dead_letters.of_address("ann@a.example").ids == []


@pytest.mark.parametrize("version", ["'x'", NOT_UTF_8, "1.5", None])
def test_tables_that_tell_no_version_are_used_by_nobody(database, version):
    if version is None:
        database.execute("DELETE FROM limbo_schema")
    else:
        database.execute(f"INSERT INTO limbo_schema VALUES ({version}, 1), (999.5, 999.5)")
    for use in (migrate, need_tables):
        with pytest.raises(SettingsError, match="tells no version"):
            use(database)
