"""Where each call of the queue has its price, a worker waits a little for more to go into one."""

import time

from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.providers.fake.sender import FakeScript, FakeSender
from limbo.domain.delivery.lifecycle import End, Status
from limbo.domain.delivery.settlement import Ack, Settlement
from limbo.domain.delivery.verdict import Accepted
from limbo.entrypoints.worker.settler import Settler
from tests.support.clock import FastClock
from tests.support.cut_off import CutLedger
from tests.support.mails import a_mail
from tests.support.working import until, working


class CountingQueue(MemoryQueue):
    def __init__(self):
        super().__init__()
        self.limits = []
        self.acks = []

    def receive(self, limit, wait):
        leases = super().receive(limit, wait)
        if leases:
            self.limits.append(limit)
        return leases

    def ack(self, leases):
        self.acks.append(len(leases))
        return super().ack(leases)


class OneAfterAnother:
    """Takes a millisecond more for each mail than for the one before, up to twenty."""

    name = "slow"

    def __init__(self):
        self.sent = 0

    def send(self, _):
        self.sent += 1
        time.sleep(0.001 * (self.sent % 20))
        return Accepted()

    def check(self):
        return None


def test_mails_are_received_and_acknowledged_in_batches_where_they_can_be():
    queue, sender = CountingQueue(), OneAfterAnother()
    queue.put([a_mail() for _ in range(400)])
    # On a slow clock they wait long enough for each other, however slow the machine is.
    with working(queue, [sender], concurrency=20, batch=10, clock=FastClock(0.02)):
        until(lambda: sum(queue.acks) == 400)
    assert len(queue.limits) + len(queue.acks) < 400 / 2
    # No call is made for what is left over of another while there are more to come.
    assert not [count for count in queue.limits + queue.acks if count > 10 and count % 10]


def test_a_single_mail_waits_for_no_others_for_long():
    queue = CountingQueue()
    with working(queue, [FakeSender("fake", FakeScript([]))], concurrency=20, batch=10):
        started = time.monotonic()
        queue.put([a_mail()])
        until(lambda: queue.acks == [1])
        assert time.monotonic() - started < 8
    assert queue.limits == [20]


def an_ack(end=None):
    return Settlement(action=Ack(), touches=0, possible_duplicate=False, end=end)


def test_what_the_ledger_does_not_take_holds_up_no_acknowledgement_behind_it():
    queue, ledger, clock, settled = CountingQueue(), CutLedger(), FastClock(20), []
    ledger.down = True
    queue.put([a_mail() for _ in range(13)])
    leases = queue.receive(13, 0)
    settler = Settler(queue, ledger, clock=clock, settled=settled.append, batch=10)
    for lease in leases[:10]:
        end = End(mail_id=lease.mail.id, at=0.0, attempts=(), status=Status.SENT)
        settler.settle(lease, an_ack(end))
    for lease in leases[10:]:
        settler.settle(lease, an_ack())
    settler.start()
    until(lambda: len(settled) == 3)
    assert settled == leases[10:]
    ledger.down = False
    assert settler.flush(clock.now() + 600)
    assert settled == leases[10:] + leases[:10]
