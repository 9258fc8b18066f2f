"""What a worker knows of the leases it holds."""

import pytest

from limbo.entrypoints.worker.leases import HeldLeases
from limbo.ports.queue import Lease
from tests.support.working import a_mail


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
    now = 0.0
    first, second = leases = [Lease(mail=a_mail(), receipt="one receive") for _ in range(2)]
    held = HeldLeases(queue, lease_seconds=60, now=lambda: now)
    for lease in leases:
        held.add(lease, now)
    now = 30.0
    held.extend()
    assert queue.extended == leases
    held.drop(first)
    assert not held.holds(first)
    assert held.holds(second)
    now, queue.lost = 60.0, [second]
    held.extend()
    assert not held.holds(second)


def test_a_lease_is_extended_for_a_quarter_of_an_hour_and_then_given_up(queue):
    now = 0.0
    lease = Lease(mail=a_mail(), receipt="r")
    held = HeldLeases(queue, lease_seconds=60, now=lambda: now)
    held.add(lease, now)
    while now < 900 - 20:
        now += 20
        held.extend()
        assert held.holds(lease)
    now, queue.extended = 900.0, []
    held.extend()
    assert queue.extended == []
    now = 960.0
    assert not held.holds(lease)
