import gc
import itertools
import time
from collections.abc import Callable

import pytest

from limbo.adapters.encoding.codec import decode_mail
from limbo.adapters.memory.queue import MemoryQueue
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Kept
from tests.contracts.queue import QueueContract, Rig, take
from tests.support.clock import Clock
from tests.support.mails import a_mail


class TestMemoryQueue(QueueContract):
    @pytest.fixture
    def new_rig(self) -> Callable[[], Rig]:
        names = itertools.count()

        def new() -> Rig:
            clock = Clock()
            queue = MemoryQueue(lease_seconds=self.lease_seconds, now=clock.now)
            return Rig(
                queue=queue,
                dead_letters=queue.dead_letters,
                elapse=clock.elapse,
                plant=lambda body: queue.put([decode_mail(body, str(next(names)))]),
                now=clock.now,
            )

        return new


def test_a_deferred_mail_wakes_a_waiting_receive_when_due():
    queue = MemoryQueue()
    queue.put([a_mail()])
    [lease] = take(queue, 1)
    started = time.monotonic()
    queue.release(lease, 0.1)
    assert len(queue.receive(1, 30)) == 1
    assert 0.09 <= time.monotonic() - started < 15


def test_many_waiting_mails_cost_each_what_few_cost():
    def seconds_each(waiting: int) -> float:
        queue = MemoryQueue()
        assert queue.put([mail] * waiting)[-1] == Kept()
        return min(seconds(queue) for _ in range(3)) / 500

    def seconds(queue: MemoryQueue) -> float:
        started = time.thread_time()  # others may have the processor meanwhile
        for _ in range(500):
            queue.put([mail])
            queue.ack(queue.receive(1, 0))
            queue.depth()
        return time.thread_time() - started

    mail = a_mail()
    assert seconds_each(200_000) < 3 * seconds_each(1000) + 20e-6


def test_settled_mails_leave_nothing_behind():
    def mails() -> int:
        return sum(isinstance(kept, Mail) for kept in gc.get_objects())

    before = mails()
    now = 1_700_000_000.0
    queue = MemoryQueue(now=lambda: now)
    queue.put([a_mail()])
    queue.receive(1, 0)  # stays the first in every order
    for _ in range(5000):
        queue.put([a_mail()])
        leases = queue.receive(1, 0)
        queue.extend(leases)
        queue.ack(leases)
    assert mails() - before < 3000
