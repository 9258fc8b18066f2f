"""Tells the queue what became of each mail, again and again until the queue has heard it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from limbo.domain.errors import QueueUnavailable
from limbo.entrypoints.clock import Clock
from limbo.ports.queue import Death, Lease, MailQueue

_BACKOFF_SECONDS = 0.5
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Release:
    """Give the mail back for so many seconds."""

    lease: Lease
    delay: float


@dataclass(frozen=True, slots=True)
class Burial:
    """Move the mail to the dead letters."""

    lease: Lease
    death: Death


class Settler:
    """Acknowledges in batches, on a thread of its own; releases and burials at once if it can.

    What the queue does not take is kept and tried again, so that an outage of the queue between a
    send and its acknowledgement does not end in a second send.
    """

    def __init__(self, queue: MailQueue, *, clock: Clock, settled: Callable[[Lease], None]) -> None:
        self._queue = queue
        self._clock = clock
        self._settled = settled
        self._changed = threading.Condition()
        self._acks: list[Lease] = []
        self._others: list[Release | Burial] = []
        self._busy = False
        self._down = False

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="settler", daemon=True).start()

    def ack(self, lease: Lease) -> None:
        """Remove the mail from the queue, soon and together with others."""
        with self._changed:
            self._acks.append(lease)
            self._changed.notify_all()

    def settle(self, settlement: Release | Burial) -> None:
        """Carry the settlement out before returning, or later if the queue is down."""
        if not self._carry_out(settlement):
            with self._changed:
                self._others.append(settlement)
                self._changed.notify_all()

    def flush(self, deadline: float) -> bool:
        """Wait until all is settled, or the deadline (by the clock) is over; say which."""
        with self._changed:
            while self._acks or self._others or self._busy:
                left = deadline - self._clock.now()
                if left <= 0:
                    return False
                self._clock.wait(self._changed, left)
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._acks and not self._others:
                    self._changed.wait()
                acks, self._acks = self._acks, []
                others, self._others = self._others, []
                self._busy = True
            acks = self._acknowledge(acks)
            others = [other for other in others if not self._carry_out(other)]
            with self._changed:
                self._acks[:0] = acks
                self._others[:0] = others
                self._busy = False
                self._changed.notify_all()
                if acks or others:
                    self._clock.wait(self._changed, _BACKOFF_SECONDS)

    def _acknowledge(self, leases: Sequence[Lease]) -> list[Lease]:
        if not leases:
            return []
        try:
            lost = self._queue.ack(leases)
        except QueueUnavailable as error:
            self._tell(error)
            return list(leases)
        self._tell(None)
        for lease in lost:
            _log.warning("lease lost after sending", mail_id=lease.mail.id, possible_duplicate=True)
        for lease in leases:
            self._settled(lease)
        return []

    def _carry_out(self, settlement: Release | Burial) -> bool:
        try:
            match settlement:
                case Release(lease=lease, delay=delay):
                    self._queue.release(lease, delay)
                case Burial(lease=lease, death=death):
                    self._queue.bury(lease, death)
        except QueueUnavailable as error:
            self._tell(error)
            return False
        self._tell(None)
        self._settled(settlement.lease)
        return True

    def _tell(self, error: QueueUnavailable | None) -> None:
        if error is not None and not self._down:
            _log.error("queue unavailable", doing="settle", reason=str(error))
        elif error is None and self._down:
            _log.info("queue available again", doing="settle")
        self._down = error is not None
