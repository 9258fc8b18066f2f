"""Half an hour without any provider, on a clock that runs faster."""

import threading
import time
from contextlib import closing

import pytest

from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.verdict import Accepted, Failed, Fault
from tests.support.clock import FastClock
from tests.support.mails import a_mail
from tests.support.working import until, working

OUTAGE_SECONDS = 1800.0
LEASE_SECONDS = 1200.0  # of that clock: seconds in all, as long as a machine may stand still


class SwitchedSender:
    """A provider that is down until it is switched on."""

    def __init__(self, name, switch):
        self.name = name
        self.refused = 0
        self.sent = []
        self._switch = switch

    def send(self, mail):
        if not self._switch.is_set():
            self.refused += 1
            return Failed(Fault.OUTAGE, "connection refused")
        self.sent.append(mail.id)
        return Accepted("1")

    def check(self):
        return None


@pytest.mark.timeout(300)
def test_half_an_hour_without_a_provider_buries_nobody(tmp_path, full, figures):
    mails, speed, slow = (1000, 60, 5) if full else (100, 300, 10)
    clock, switch = FastClock(speed), threading.Event()
    senders = [SwitchedSender(name, switch) for name in ("a", "b")]
    database = SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db", now=clock.now)
    with closing(database):
        queue = SqlQueue(database, lease_seconds=LEASE_SECONDS)
        submitted = [a_mail() for _ in range(mails)]
        queue.put(submitted[: mails // 2])
        options = {"clock": clock, "lease_seconds": LEASE_SECONDS}
        with working(queue, senders, **options), working(queue, senders, **options):
            down = clock.now()
            for mail in submitted[mails // 2 :]:
                queue.put([mail])
                time.sleep(OUTAGE_SECONDS / 2 / speed / mails)
            until(lambda: clock.now() - down >= OUTAGE_SECONDS, 60)
            waiting = queue.depth()
            clock.run_at(slow)
            switch.set()
            up = clock.now()
            until(lambda: _left(queue) == 0, 120)
            seconds = clock.now() - up
        dead = len(queue.dead_letters.list(mails))
    sent = [mail_id for sender in senders for mail_id in sender.sent]
    figures(
        "all providers down for 30 min",
        submitted=mails,
        lost=len({mail.id for mail in submitted} - {*sent}),
        dead=dead,
        doubles=len(sent) - len({*sent}),
        calls_refused=sum(sender.refused for sender in senders),
        waiting_at_its_end=waiting.ready + waiting.in_flight + waiting.deferred,
        seconds_to_drain_on_that_clock=seconds,
    )
    assert dead == 0
    assert sorted(sent) == sorted(mail.id for mail in submitted)
    assert seconds <= 120


def _left(queue):
    depth = queue.depth()
    return depth.ready + depth.in_flight + depth.deferred
