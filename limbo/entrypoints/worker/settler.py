"""Settles mails: it tells ledger and queue the outcome, again and again until both know it."""

import threading
import time
from collections.abc import Callable

from limbo.domain.delivery.settlement import Ack, Settlement
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.worker.teller import Teller, Unsettled
from limbo.ports.ledger import Ledger
from limbo.ports.queue import Lease, MailQueue

LINGER_SECONDS = 0.05  # how long mails may wait until they fill a call of the queue
_REST_SECONDS = 0.02  # between two rounds: mails sent in the meantime share the next round
_BACKOFF_SECONDS = (0.5, 5.0)


def whole_calls(count: int, batch: int) -> int:
    """Return how many of ``count`` mails fill whole calls of ``batch``; all if they fill none."""
    return count - count % batch if count > batch else count


class Settler:
    """Acknowledges mails in batches, on a thread of its own; defers and buries them at once.

    If ledger or queue is not available, it keeps the mail and tells them again later. So an outage
    between a send and its acknowledgement does not lead to a second send.
    """

    def __init__(
        self,
        queue: MailQueue,
        ledger: Ledger,
        *,
        clock: Clock,
        settled: Callable[[Lease], None],
        removed: Callable[[Lease], None] = lambda _: None,
        batch: int = 1,
    ) -> None:
        """``settled`` and ``removed`` are the Teller's; ``batch`` mails fill a call."""
        self._teller = Teller(queue, ledger, settled=settled, removed=removed)
        self._clock = clock
        self._batch = batch
        self._changed = threading.Condition()
        self._waiting: list[Unsettled] = []
        self._busy = False

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="settler", daemon=True).start()

    def settle(self, lease: Lease, settlement: Settlement) -> None:
        """Carry the settlement out, now or later."""
        left = [Unsettled(lease, settlement.action, settlement.end)]
        if not isinstance(settlement.action, Ack):
            left = self._teller.tell(left)
        if left:
            with self._changed:
                self._waiting += left
                self._changed.notify_all()

    def flush(self, deadline: float) -> bool:
        """Wait until all mails are settled or the deadline has passed; return whether they are."""
        with self._changed:
            while self._waiting or self._busy:
                left = deadline - self._clock.now()
                if left <= 0:
                    return False
                self._clock.wait(self._changed, left)
        return True

    def _run(self) -> None:
        backoff = _BACKOFF_SECONDS[0]
        left: list[Unsettled] = []
        while True:
            left = self._teller.tell(self._next(all_of_them=bool(left)))  # keeps no mail that waits
            with self._changed:
                self._waiting[:0] = left
                self._busy = False
                self._changed.notify_all()
                if left:
                    self._clock.wait(self._changed, backoff)
            time.sleep(_REST_SECONDS)
            backoff = min(2 * backoff, _BACKOFF_SECONDS[1]) if left else _BACKOFF_SECONDS[0]

    def _next(self, *, all_of_them: bool) -> list[Unsettled]:
        """Wait for mails; return as many as fill whole calls, or all of them (after a failure)."""
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            self._linger()
            count = len(self._waiting)
            if not all_of_them:
                count = whole_calls(count, self._batch)
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            self._busy = True
        return batch

    def _linger(self) -> None:
        until = self._clock.now() + LINGER_SECONDS
        while len(self._waiting) < self._batch and (left := until - self._clock.now()) > 0:
            self._clock.wait(self._changed, left)
