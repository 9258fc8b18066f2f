"""What the ledger knows of a worker's touches, and what a worker makes of what it knows."""

import time

import pytest

from limbo.adapters.memory.ledger import MemoryLedger
from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.providers.fake.sender import FakeScript, FakeSender, parse_script
from limbo.domain.delivery.lifecycle import End, Start, Status
from limbo.domain.delivery.retry import RetryPolicy
from limbo.domain.errors import LedgerUnavailable
from limbo.ports.outbox import Submission
from tests.support.clock import Clock
from tests.support.cut_off import CutLedger
from tests.support.leases import touched
from tests.support.mails import a_mail
from tests.support.working import until, working


@pytest.fixture
def ledger():
    return CutLedger()


@pytest.fixture
def queue():
    return MemoryQueue()


@pytest.fixture
def submit(queue, ledger):
    def submit(to: str = "you@example.com"):
        mail = a_mail(to=to)
        ledger.reserve([Submission(mail=mail)])
        ledger.conclude(kept=[Submission(mail=mail)], refused=[])
        queue.put([mail])
        return mail

    return submit


def fakes():
    script = FakeScript(parse_script(""))
    return [FakeSender("fake.a", script), FakeSender("fake.b", script)]


def test_a_mail_that_was_sent_has_every_attempt_on_record(queue, ledger, submit):
    mail = submit("outage+ok@limbo.test")
    with working(queue, fakes(), ledger=ledger):
        until(lambda: ledger.find(mail.id, None).status is Status.SENT)
    first, second = ledger.find(mail.id, None).attempts
    assert first.attempt.verdict.fault == "outage"
    assert second.attempt.verdict.provider_id
    assert first.sender != second.sender
    assert not ledger.find(mail.id, None).possible_duplicate


@pytest.mark.parametrize(
    ("to", "status"), [("reject@limbo.test", Status.DEAD), ("outage@limbo.test", Status.DEFERRED)]
)
def test_what_follows_is_on_record(queue, ledger, submit, to, status):
    mail = submit(to)
    with working(queue, fakes(), ledger=ledger):
        until(lambda: ledger.find(mail.id, None).status is status)
    record = ledger.find(mail.id, None)
    assert (record.cause is not None) is (status is Status.DEAD)
    assert (record.next_at is not None) is (status is Status.DEFERRED)


def test_a_mail_whose_acceptance_is_on_record_is_not_sent_again(ledger, submit):
    mail = submit()
    senders = fakes()

    class Forgetful(MemoryQueue):
        """Ends the lease instead of the mail, as if the worker was killed before it said so."""

        def ack(self, leases):
            for lease in leases:
                self.release(lease, 0)
            return []

    forgetful = Forgetful()
    forgetful.put([mail])
    with working(forgetful, senders, ledger=ledger) as worker:
        until(lambda: worker.count("limbo_mails_settled_total", outcome="already_sent") >= 1)
    assert sum(len(sender.accepted) for sender in senders) == 1


def test_an_attempt_without_an_outcome_marks_the_mail_and_no_other(queue, ledger, submit):
    mail, other = submit(), submit("outage+ok@limbo.test")
    ledger.write([Start(mail_id=mail.id, sender="fake.a", started_at=time.time() - 60)])
    with working(queue, fakes(), ledger=ledger):
        until(lambda: ledger.find(mail.id, None).status is Status.SENT)
        until(lambda: ledger.find(other.id, None).status is Status.SENT)
    assert ledger.find(mail.id, None).possible_duplicate
    assert not ledger.find(other.id, None).possible_duplicate


def test_the_ledger_knows_better_than_a_queue_that_only_counts(queue, ledger, submit):
    mail = submit("outage@limbo.test")
    [lease] = queue.receive(1, 0)
    queue.release(touched(lease, possible_duplicate=True), 0)
    with working(queue, fakes(), ledger=ledger):
        until(lambda: ledger.find(mail.id, None).status is Status.DEFERRED)
    assert not ledger.find(mail.id, None).possible_duplicate


def test_a_cancelled_mail_is_taken_from_the_queue_and_not_sent(queue, ledger, submit):
    mail = submit()
    assert ledger.cancel(mail.id, None) is Status.CANCELLED
    senders = fakes()
    with working(queue, senders, ledger=ledger) as worker:
        until(lambda: worker.count("limbo_mails_settled_total", outcome="cancelled") == 1)
        until(lambda: queue.depth().in_flight == 0)
    assert not any(sender.accepted for sender in senders)
    assert ledger.find(mail.id, None).status is Status.CANCELLED


def test_without_the_ledger_no_provider_is_called_and_no_touch_is_counted(queue, ledger, submit):
    mail = submit()
    ledger.down = True
    senders = fakes()
    with working(queue, senders, ledger=ledger) as worker:
        until(lambda: worker.count("limbo_mails_settled_total", outcome="no_ledger") == 1)
        until(lambda: queue.depth().deferred == 1)
    assert not any(sender.accepted for sender in senders)
    assert ledger.find(mail.id, None).status is Status.QUEUED


def test_an_outage_of_the_ledger_does_not_make_a_worker_hoard_the_queue(queue):
    class HalfDeaf(CutLedger):
        """Hears of every start, and while it is down of no end."""

        def write(self, events):
            if self.down and any(isinstance(event, End) for event in events):
                raise LedgerUnavailable("cut off")
            return MemoryLedger.write(self, events)

    ledger, sender, clock = HalfDeaf(), FakeSender("fake"), Clock()
    ledger.down = True
    queue.put([a_mail() for _ in range(100)])
    with working(queue, [sender], ledger=ledger, concurrency=4, clock=clock):
        until(lambda: len(sender.accepted) == 8)
        for _ in range(3):
            until(lambda: clock.is_waited_for(1))  # for room
            clock.elapse(1)
        until(lambda: clock.is_waited_for(1))
        assert (queue.depth().in_flight, len(sender.accepted)) == (8, 8)
        ledger.down = False
        clock.elapse(5)
        until(lambda: len(sender.accepted) == 100)


def test_an_outcome_that_the_ledger_did_not_hear_is_told_again_before_the_queue(ledger, submit):
    mail, clock = submit(), Clock()
    queue = MemoryQueue(lease_seconds=60, now=clock.now)
    queue.put([mail])

    class Cutting(FakeSender):
        def send(self, mail):
            ledger.down = True
            return super().send(mail)

    sender = Cutting("fake.a")
    with working(queue, [sender], ledger=ledger, clock=clock):
        until(lambda: len(sender.accepted) == 1)
        until(lambda: clock.is_waited_for(0.5))  # until it is told again
        for _ in range(4):
            until(lambda: clock.is_waited_for(20))
            clock.elapse(20)
        until(lambda: clock.is_waited_for(20))
        assert queue.depth().in_flight == 1, "extended, and not acknowledged before it is recorded"
        ledger.down = False
        clock.elapse(5)
        until(lambda: ledger.find(mail.id, None).status is Status.SENT)
        until(lambda: queue.depth().in_flight == 0)
    assert len(sender.accepted) == 1


def test_a_mail_is_tried_again_after_its_delay_with_the_ledger(queue, ledger, submit):
    mail = submit("outage+outage+ok@limbo.test")
    with working(queue, fakes(), ledger=ledger, retry=RetryPolicy(delays=(0.05,))):
        until(lambda: ledger.find(mail.id, None).status is Status.SENT)
    assert len(ledger.find(mail.id, None).attempts) == 3
