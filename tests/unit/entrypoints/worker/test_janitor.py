"""What is forgotten, when, and that nothing ends the forgetting."""

import threading
import time
from contextlib import contextmanager

from limbo.adapters.memory.ledger import MemoryLedger
from limbo.domain.delivery.lifecycle import End, Status
from limbo.domain.errors import LedgerUnavailable
from limbo.entrypoints.worker.janitor import Janitor
from limbo.ports.outbox import Submission
from tests.support.clock import FastClock
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
    janitor = Janitor(ledger, clock=FastClock(1000), body_days=7, record_days=90)
    with running(janitor):
        until(lambda: ledger.find(gone.id, None) is None)
        until(lambda: ledger.find(stripped.id, None).mail is None)
    assert ledger.find(kept.id, None).mail == kept


def test_more_than_a_step_is_forgotten_step_by_step():
    ledger = CountingLedger()
    mails = [a_sent_mail(ledger, 100) for _ in range(450)]
    janitor = Janitor(ledger, clock=FastClock(1000), body_days=7, record_days=90)
    steps = 1
    while janitor.purge():
        steps += 1
    assert steps == 5, "450 bodies and 450 records, 200 at a time"
    assert not any(ledger.find(mail.id, None) for mail in mails)


def test_neither_an_outage_nor_a_defect_ends_it():
    ledger = CountingLedger()
    mail = a_sent_mail(ledger, 100)
    janitor = Janitor(ledger, clock=FastClock(1000), body_days=7, record_days=90)
    with running(janitor):
        for error in (LedgerUnavailable("cut off"), KeyError("x")):
            ledger.error = error
            seen = ledger.purges
            until(lambda seen=seen: ledger.purges > seen + 2)
        ledger.error = None
        until(lambda: ledger.find(mail.id, None) is None)
