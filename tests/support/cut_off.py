"""A queue and a ledger in memory that a test can cut off, as a broken network would."""

from limbo.adapters.memory.ledger import MemoryLedger
from limbo.adapters.memory.queue import MemoryQueue
from limbo.domain.errors import LedgerUnavailable, QueueUnavailable


class CutQueue(MemoryQueue):
    """A real queue that does not answer while it is ``down``."""

    down = False

    def receive(self, limit, wait):
        self._answer()
        return super().receive(limit, wait)

    def ack(self, leases):
        self._answer()
        return super().ack(leases)

    def release(self, lease, delay):
        self._answer()
        super().release(lease, delay)

    def bury(self, lease, death):
        self._answer()
        super().bury(lease, death)

    def extend(self, leases):
        self._answer()
        return super().extend(leases)

    def _answer(self):
        if self.down:
            raise QueueUnavailable("cut off")


class CutLedger(MemoryLedger):
    """A real ledger that takes no events while it is ``down``."""

    down = False

    def write(self, events):
        if self.down:
            raise LedgerUnavailable("cut off")
        return super().write(events)
