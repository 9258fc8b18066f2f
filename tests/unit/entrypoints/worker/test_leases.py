"""What a worker knows of the leases it holds."""

import pytest

from limbo.entrypoints.worker.leases import HeldLeases
from limbo.ports.queue import Lease
from tests.support.clock import Clock
from tests.support.mails import a_mail


class ExtendingQueue:
    """Extends whatever is not ``lost``."""

    def __init__(self) -> None:
        self.lost: list[Lease] = []
        self.extended: list[Lease] = []

    def extend(self, leases):
        self.extended = [*leases]
        return self.lost


@pytest.fixture
def queue():
    return ExtendingQueue()


def test_mails_that_share_a_receipt_are_held_each_for_itself(queue):
    clock = Clock()
    first, second = leases = [Lease(mail=a_mail(), receipt="one receive") for _ in range(2)]
    held = HeldLeases(queue, lease_seconds=60, clock=clock)
    for lease in leases:
        held.add(lease, clock.now())
    clock.elapse(30)
    held.extend()
    assert queue.extended == leases
    held.drop(first)
    assert not held.holds(first)
    assert held.holds(second)
    clock.elapse(30)
    queue.lost = [second]
    held.extend()
    assert not held.holds(second)


def test_a_lease_is_extended_for_a_quarter_of_an_hour_and_then_given_up(queue):
    clock = Clock()
    lease = Lease(mail=a_mail(), receipt="r")
    held = HeldLeases(queue, lease_seconds=60, clock=clock)
    held.add(lease, clock.now())
    for _ in range(20, 900, 20):
        clock.elapse(20)
        held.extend()
        assert held.holds(lease)
    clock.elapse(20)
    queue.extended = []
    held.extend()
    assert queue.extended == []
    clock.elapse(60)
    assert not held.holds(lease)
