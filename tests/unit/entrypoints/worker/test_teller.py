"""Whom a worker tells what, in which order, and what is told again."""

import pytest

from limbo.domain.delivery.lifecycle import End, Status
from limbo.domain.delivery.settlement import Ack, Bury, Defer
from limbo.domain.delivery.verdict import Cause, Death
from limbo.entrypoints.worker.teller import Teller, Unsettled
from tests.support.cut_off import CutLedger, CutQueue
from tests.support.mails import a_mail

BURY = Bury(Death(cause=Cause(kind="mail", reason="refused")))
ACTIONS = [Ack(), Defer(30.0), BURY, None]


class DefectiveQueue(CutQueue):
    """A real queue that can be cut off, or has a defect with some mails."""

    defect_with: frozenset[str] = frozenset()

    def ack(self, leases):
        if self.defect_with & {lease.mail.id for lease in leases}:
            raise KeyError("QueueUrl")
        return super().ack(leases)


class ListeningLedger(CutLedger):
    """A real ledger that can be cut off, and remembers the events that it was told."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def write(self, events):
        replies = super().write(events)
        self.heard += events
        return replies


@pytest.fixture
def queue():
    return DefectiveQueue()


@pytest.fixture
def ledger():
    return ListeningLedger()


@pytest.fixture
def settled():
    return []


@pytest.fixture
def teller(queue, ledger, settled):
    return Teller(queue, ledger, settled=settled.append)


def unsettled(queue, *actions, end=True):
    queue.put([a_mail() for _ in actions])
    leases = queue.receive(len(actions), 0)
    return [
        Unsettled(lease, action, an_end(lease) if end else None)
        for lease, action in zip(leases, actions, strict=True)
    ]


def an_end(lease):
    return End(mail_id=lease.mail.id, status=Status.SENDING, at=0.0)


def left_in(queue):
    depth = queue.depth()
    return depth.ready, depth.in_flight, depth.deferred, sum(depth.dead.values())


@pytest.mark.parametrize(
    ("action", "left"),
    [
        (Ack(), (0, 0, 0, 0)),
        (Defer(0.0), (1, 0, 0, 0)),
        (Defer(30.0), (0, 0, 1, 0)),
        (BURY, (0, 0, 0, 1)),
        (None, (0, 1, 0, 0)),
    ],
)
def test_the_queue_does_what_follows(teller, queue, settled, action, left):
    [mail] = unsettled(queue, action)
    assert teller.tell([mail]) == []
    assert left_in(queue) == left
    assert settled == [mail.lease]


def test_many_are_told_at_once(teller, queue, ledger, settled):
    mails = unsettled(queue, *ACTIONS)
    assert teller.tell(mails) == []
    assert left_in(queue) == (0, 1, 1, 1)
    assert ledger.heard == [an_end(mail.lease) for mail in mails]
    assert settled == [mail.lease for mail in mails]


def test_the_queue_is_not_told_what_the_ledger_has_not_heard(teller, queue, ledger, settled):
    ledger.down = True
    mails = unsettled(queue, *ACTIONS)
    assert teller.tell(mails) == mails
    assert left_in(queue) == (0, 4, 0, 0)
    assert settled == []
    ledger.down = False
    assert teller.tell(mails) == []
    assert left_in(queue) == (0, 1, 1, 1)


def test_what_is_no_news_for_the_ledger_needs_none(teller, queue, ledger, settled):
    ledger.down = True
    mails = unsettled(queue, *ACTIONS, end=False)
    assert teller.tell(mails) == []
    assert settled == [mail.lease for mail in mails]


def test_the_ledger_does_not_hear_twice_what_the_queue_did_not_take(teller, queue, ledger, settled):
    mails = unsettled(queue, *ACTIONS)
    queue.down = True
    assert teller.tell(mails) == mails[:3]
    queue.down = False
    assert teller.tell(mails[:3]) == []
    assert len(ledger.heard) == 4
    assert {mail.lease.receipt for mail in mails} == {lease.receipt for lease in settled}


def test_a_defect_with_one_mail_costs_no_other(teller, queue, settled):
    mails = unsettled(queue, *[Ack()] * 5)
    queue.defect_with = frozenset({mails[2].lease.mail.id})
    assert teller.tell(mails) == []
    assert left_in(queue) == (0, 1, 0, 0)
    assert settled == [mail.lease for mail in mails]


def test_an_outage_is_logged_once_and_so_is_its_end(teller, queue, capsys):
    mails = unsettled(queue, Ack(), Ack())
    queue.down = True
    for _ in range(3):
        assert teller.tell(mails) == mails
    queue.down = False
    for _ in range(2):
        teller.tell(mails)
    said = capsys.readouterr().out
    assert said.count("cannot settle mails") == 1
    assert said.count("mails are settled again") == 1


def test_a_lease_that_was_lost_after_a_send_is_logged_as_a_possible_duplicate(
    teller, queue, capsys
):
    [mail] = unsettled(queue, Ack())
    queue.ack([mail.lease])
    assert teller.tell([mail]) == []
    assert "lease lost after sending" in capsys.readouterr().out
