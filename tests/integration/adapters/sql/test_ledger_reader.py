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


def test_cancelled_mails_leave_the_queue_but_for_those_that_are_leased(outbox, queue, ledger):
    submissions = [plain("shop") for _ in range(4)]
    outbox.submit([submissions[0]])
    lease = take_one(queue)
    outbox.submit([*submissions[1:], plain("blog")])
    assert ledger.ledger_reader.cancel_page(Query(client="shop")).count == 4
    assert queue.depth().ready == 1
    assert begin(ledger, submissions[0].mail) == StartReply(Stop.CANCELLED)
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
        Query(client=None, key="old"),
        Query(client="shop", key="old", after="0", since=1.0),
        Query(client=None, key="old", status=Status.QUEUED),
        Query(client="shop", key="old", status=Status.QUEUED, after="0"),
        Query(client="shop", key="old", to="a@example.com"),
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
    if query.key is not None and query.to is None:
        of_mails = [plan for plan in plans if "limbo_mails" in plan]
        assert all("limbo_mails_key (key=?" in plan for plan in of_mails)
    scans = [plan for plan in plans if plan.startswith("SCAN")]
    assert not [plan for plan in scans if "limbo_" in plan and query != Query(client=None)]
