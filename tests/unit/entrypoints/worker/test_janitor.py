"""What is forgotten, when, and that nothing ends the forgetting."""

import threading
import time
from contextlib import contextmanager

from structlog.testing import capture_logs

from limbo.adapters.memory.audit_log import MemoryAuditLog
from limbo.adapters.memory.ledger import MemoryLedger
from limbo.adapters.memory.queue import MemoryQueue
from limbo.domain.delivery.lifecycle import End, Status
from limbo.domain.delivery.verdict import Cause, Death
from limbo.domain.errors import AuditUnavailable, LedgerUnavailable, QueueUnavailable
from limbo.domain.mail.ids import mail_id
from limbo.entrypoints.worker.janitor import Janitor
from limbo.ports.audit_log import AuditQuery
from limbo.ports.outbox import Submission
from tests.contracts.audit_log import an_entry
from tests.contracts.queue import take
from tests.support.clock import Clock, FastClock
from tests.support.mails import a_mail
from tests.support.working import until

DAY = 86_400


class CountingLedger(MemoryLedger):
    """A real ledger that fails for as long as it is told to, and counts its purges."""

    error: Exception | None = None
    purges = 0

    def purge(self, *, bodies_before, records_before, limit):
        self.purges += 1
        if self.error is not None:
            raise self.error
        return super().purge(
            bodies_before=bodies_before, records_before=records_before, limit=limit
        )


def a_sent_mail(ledger, days_ago):
    mail = a_mail(at=time.time() - days_ago * DAY)
    ledger.reserve([Submission(mail=mail)])
    ledger.conclude(kept=[Submission(mail=mail)], refused=[])
    ledger.write([End(mail_id=mail.id, status=Status.SENT, at=mail.submitted_at)])
    return mail


def a_janitor(ledger, dead_letters=None, clock=None, audit_log=None):
    return Janitor(
        ledger,
        dead_letters or MemoryQueue().dead_letters,
        clock=clock or FastClock(1000),
        body_days=7,
        record_days=90,
        letter_days=90,
        audit_log=audit_log,
        audit_days=365,
    )


@contextmanager
def running(janitor):
    thread = threading.Thread(target=janitor.run, daemon=True)
    thread.start()
    yield
    janitor.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_bodies_go_before_records_and_both_by_themselves():
    ledger = CountingLedger()
    kept, stripped, gone = (a_sent_mail(ledger, days) for days in (1, 10, 100))
    janitor = a_janitor(ledger)
    with running(janitor):
        until(lambda: ledger.find(gone.id, None) is None)
        until(lambda: ledger.find(stripped.id, None).mail is None)
    assert ledger.find(kept.id, None).mail == kept


def test_more_than_a_step_is_forgotten_step_by_step():
    ledger = CountingLedger()
    mails = [a_sent_mail(ledger, 100) for _ in range(450)]
    janitor = a_janitor(ledger)
    steps = 1
    while janitor.purge():
        steps += 1
    assert steps == 5, "450 bodies and 450 records, 200 at a time"
    assert not any(ledger.find(mail.id, None) for mail in mails)


def test_neither_an_outage_nor_a_defect_ends_it():
    ledger = CountingLedger()
    mail = a_sent_mail(ledger, 100)
    janitor = a_janitor(ledger)
    with running(janitor):
        for error in (LedgerUnavailable("cut off"), KeyError("x")):
            ledger.error = error
            seen = ledger.purges
            until(lambda seen=seen: ledger.purges > seen + 2)
        ledger.error = None
        until(lambda: ledger.find(mail.id, None) is None)


def buried(queue, count):
    queue.put([a_mail() for _ in range(count)])
    for lease in take(queue, count):
        queue.bury(lease, Death(cause=Cause(kind="outage", sender="ses", reason="503")))


def test_dead_letters_go_after_their_days_and_the_log_says_how_many():
    clock = Clock()
    queue = MemoryQueue(now=clock.now)
    buried(queue, 450)
    clock.elapse(80 * DAY)
    buried(queue, 1)
    janitor = a_janitor(CountingLedger(), queue.dead_letters, clock)
    assert not janitor.purge()
    assert len(queue.dead_letters.select()) == 451
    clock.elapse(11 * DAY)
    with capture_logs() as lines:
        assert [janitor.purge() for _ in range(3)] == [True, True, False]
    assert lines == [
        {"event": "old dead letters dropped", "log_level": "info", "count": 450, "days": 90}
    ]
    assert len(queue.dead_letters.select()) == 1


def test_a_ledger_that_is_down_keeps_no_dead_letters_and_the_other_way_round():
    class Down:
        def purge(self, **_):
            raise QueueUnavailable("cut off")

    clock = Clock()
    queue = MemoryQueue(now=clock.now)
    buried(queue, 1)
    clock.elapse(91 * DAY)
    ledger = CountingLedger()
    ledger.error = LedgerUnavailable("cut off")
    a_janitor(ledger, queue.dead_letters, clock).purge()
    assert queue.dead_letters.select() == []
    mail, ledger.error = a_sent_mail(ledger, 100), None
    janitor = a_janitor(ledger, Down(), FastClock(1000))
    janitor.purge()
    assert ledger.find(mail.id, None) is None


def test_what_admins_did_is_forgotten_after_its_days():
    audit_log = MemoryAuditLog()
    kept, gone = (
        an_entry(id=mail_id(at), at=at) for at in (time.time() - days * DAY for days in (364, 366))
    )
    for entry in (kept, gone):
        audit_log.begin(entry)
    a_janitor(CountingLedger(), audit_log=audit_log).purge()
    assert audit_log.page(AuditQuery()) == [kept]


def test_an_audit_that_cannot_be_purged_ends_nothing():
    class Broken(MemoryAuditLog):
        def purge(self, *, before, limit):  # noqa: ARG002
            raise AuditUnavailable("disk full")

    with capture_logs() as logs:
        assert a_janitor(CountingLedger(), audit_log=Broken()).purge() is False
    assert [line["event"] for line in logs] == ["cannot purge the audit"]
