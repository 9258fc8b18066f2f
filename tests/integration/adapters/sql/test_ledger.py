from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings

from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.outbox.ledger_first import LedgerFirstOutbox
from limbo.adapters.sql.ledger import SqlLedger
from limbo.domain.delivery.lifecycle import End, Start, StartReply, Status, Stop
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause
from limbo.domain.errors import LedgerUnavailable
from limbo.ports.ledger_reader import Query, RecordedAttempt
from limbo.ports.outbox import Submission
from limbo.ports.queue import NotKept
from tests.contracts.ledger import LedgerContract, LedgerRig
from tests.contracts.outbox import (
    OutboxContract,
    OutboxRig,
    RefusingQueue,
    Switch,
    plain,
)
from tests.support.clock import Clock
from tests.support.mails import a_mail
from tests.support.sql import OnPostgres, OnSqlite, begin, open_database

OUTAGE = Cause(kind="outage", sender="fake.a", reason="connection refused")


class SqlLedgerTests(LedgerContract):
    @pytest.fixture
    def new_rig(self, new_url: Callable[[], str]) -> Callable[[], LedgerRig]:
        def new() -> LedgerRig:
            clock = Clock()
            database = open_database(new_url(), clock.now)
            ledger = SqlLedger(database)
            return LedgerRig(
                ledger=ledger,
                ledger_reader=ledger.ledger_reader,
                reservations=ledger,
                now=clock.now,
                elapse=clock.elapse,
                close=database.close,
            )

        return new


class TestSqliteLedger(OnSqlite, SqlLedgerTests):
    pass


class TestPostgresLedger(OnPostgres, SqlLedgerTests):
    machine_settings = settings(LedgerContract.machine_settings, max_examples=12)


class SqlLedgerFirstTests(OutboxContract):
    @pytest.fixture
    def new_rig(self, new_url: Callable[[], str]) -> Callable[[], OutboxRig]:
        def new() -> OutboxRig:
            database = open_database(new_url())
            queue, switch, ledger = MemoryQueue(), Switch(), SqlLedger(database)
            return OutboxRig(
                outbox=LedgerFirstOutbox(RefusingQueue(queue, switch), ledger),
                queue=queue,
                switch=switch,
                ledger_reader=ledger.ledger_reader,
                close=database.close,
            )

        return new


class TestSqliteLedgerFirst(OnSqlite, SqlLedgerFirstTests):
    pass


class TestPostgresLedgerFirst(OnPostgres, SqlLedgerFirstTests):
    pass


NEWER_ATTEMPT = b'[{"sender": "ses", "started_at": 1.5, "duration": 0.5, "fault": "quota"}]'


NEWER_CAUSE = b'{"v": 2}'


def test_a_status_of_a_newer_limbo_is_left_alone_and_costs_no_other_mail(database, ledger):
    newer, other = plain(), plain()
    ledger.reserve([newer, other])
    plant = "UPDATE limbo_mails SET status = 'bounced' WHERE id = :id"
    database.execute(plant, {"id": newer.mail.id})
    start = Start(mail_id=newer.mail.id, sender="ses", started_at=1.5)
    sent = Attempt(sender="ses", started_at=1.0, duration=0.5, verdict=Accepted("x"))
    end = End(mail_id=newer.mail.id, status=Status.SENT, at=1.5, attempts=[sent])
    answers = ledger.write(
        [start, replace(start, mail_id=other.mail.id), replace(end, possible_duplicate=True)]
    )
    assert answers == [StartReply(Stop.ALREADY_SENT), StartReply(possible_duplicate=False), None]
    rows = database.execute("SELECT status, possible_duplicate FROM limbo_mails ORDER BY status")
    assert rows == [("bounced", True), ("sending", False)]
    record = ledger.ledger_reader.find(newer.mail.id, None)
    assert record.status is Status.SENT
    assert [t.attempt for t in record.attempts] == [sent]
    assert len(ledger.ledger_reader.page(Query(client=None))) == 2
    assert ledger.ledger_reader.cancel(newer.mail.id, None) is Status.SENT


def test_a_cause_or_an_outcome_of_a_newer_limbo_is_not_known_and_stays(database, ledger):
    submission = plain()
    ledger.reserve([submission])
    attempt = Attempt(sender="ses", started_at=1.5, duration=0.5, verdict=Accepted("x"))
    end = End(mail_id=submission.mail.id, status=Status.DEAD, at=2.0, cause=OUTAGE)
    ledger.write([end])
    database.execute("UPDATE limbo_mails SET cause = :cause", {"cause": NEWER_CAUSE})
    database.execute(
        "INSERT INTO limbo_attempts VALUES (:id, 1.5, 'ses', :outcome)",
        {"id": submission.mail.id, "outcome": NEWER_ATTEMPT},
    )
    ledger.write([replace(end, possible_duplicate=True)])
    assert database.execute("SELECT cause FROM limbo_mails") == [(NEWER_CAUSE,)]
    record = ledger.ledger_reader.find(submission.mail.id, None)
    assert (record.status, record.cause) == (Status.DEAD, None)
    assert record.possible_duplicate
    assert [*record.attempts] == [RecordedAttempt(sender="ses", started_at=1.5, attempt=None)]
    assert [r.cause for r in ledger.ledger_reader.page(Query(client=None))] == [None]
    ledger.write([replace(end, attempts=[attempt], status=Status.SENT)])
    assert ledger.ledger_reader.find(submission.mail.id, None).status is Status.SENT
    assert database.execute("SELECT outcome FROM limbo_attempts") == [(NEWER_ATTEMPT,)]


def test_a_ledger_that_cannot_be_used_says_so(database, ledger, outbox):
    mail = a_mail()
    database.execute("DROP TABLE limbo_mails")
    submission = Submission(mail=mail)
    for use in (
        lambda: begin(ledger, mail),
        lambda: ledger.reserve([submission]),
        lambda: ledger.conclude(kept=[submission], refused=[]),
        lambda: ledger.purge(bodies_before=1, records_before=1, limit=10),
        lambda: ledger.ledger_reader.find(mail.id, None),
        lambda: ledger.ledger_reader.page(Query(client=None)),
        lambda: ledger.ledger_reader.page(Query(client=None, status=Status.SENT)),
        lambda: ledger.ledger_reader.cancel(mail.id, None),
        lambda: ledger.ledger_reader.cancel_page(Query(client=None)),
    ):
        with pytest.raises(LedgerUnavailable, match="limbo_mails"):
            use()
    [answer] = outbox.submit([submission])
    assert isinstance(answer, NotKept)
    assert "limbo_mails" in answer.reason
