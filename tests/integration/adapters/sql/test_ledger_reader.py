import contextlib

import pytest

from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.delivery.lifecycle import StartReply, Status, Stop
from limbo.ports.ledger_reader import Query
from tests.contracts.outbox import (
    plain,
)
from tests.contracts.queue import take_one
from tests.support.sql import begin


def test_a_cancelled_mail_leaves_the_queue(outbox, queue, ledger):
    submission = plain("shop")
    outbox.submit([submission])
    assert ledger.ledger_reader.cancel(submission.mail.id, "blog") is None
    assert queue.depth().ready == 1
    assert ledger.ledger_reader.cancel(submission.mail.id, "shop") is Status.CANCELLED
    assert queue.receive(1, 0) == []


def test_a_cancelled_mail_stays_with_whoever_holds_its_lease(outbox, queue, ledger):
    submission = plain()
    outbox.submit([submission])
    lease = take_one(queue)
    assert ledger.ledger_reader.cancel(submission.mail.id, None) is Status.CANCELLED
    assert begin(ledger, submission.mail) == StartReply(Stop.CANCELLED)
    assert queue.ack([lease]) == []


def test_what_lies_in_the_ledger_and_is_no_mail_has_no_content(database, ledger, outbox):
    submission = plain()
    outbox.submit([submission])
    database.execute("UPDATE limbo_contents SET body = :body", {"body": b"\xff"})
    assert ledger.ledger_reader.find(submission.mail.id, None).mail is None


@pytest.mark.parametrize(
    "query",
    [
        Query(client=None),
        Query(client=None, after="0", since=1.0),
        Query(client=None, status=Status.DEAD),
        Query(client=None, to="a@example.com"),
        Query(client="shop"),
        Query(client="shop", after="0"),
        Query(client="shop", status=Status.DEAD),
        Query(client="shop", to="a@example.com", status=Status.DEAD, after="0"),
    ],
)
def test_no_page_scans_or_sorts_in_sqlite(tmp_path, query):
    class Explaining(SqliteDatabase):
        def execute(self, sql, values=None, **options):
            rows = super().execute(f"EXPLAIN QUERY PLAN {sql}", values)
            plans.extend(detail for *_, detail in rows)
            return super().execute(sql, values, **options)

    plans: list[str] = []
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")) as plain_one:
        SqlOutbox(plain_one).submit([plain("shop")])
    with contextlib.closing(Explaining(tmp_path / "limbo.db")) as database:
        SqlLedger(database).ledger_reader.page(query)
    assert plans
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    scans = [plan for plan in plans if plan.startswith("SCAN")]
    assert not [plan for plan in scans if "limbo_" in plan and query != Query(client=None)]
