"""Tells ledger and queue what became of each mail, again and again until both have heard it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import structlog

from limbo.domain.errors import LedgerUnavailable, QueueUnavailable
from limbo.entrypoints.clock import Clock
from limbo.ports.ledger import End, Ledger
from limbo.ports.queue import Death, Lease, MailQueue

LINGER_SECONDS = 0.05  # how long it may be waited until a call of the queue is worth its price
_BACKOFF_SECONDS = 0.5
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ack:
    """The mail is done with."""


@dataclass(frozen=True, slots=True)
class Release:
    """The mail is given back for so many seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Bury:
    """The mail goes to the dead letters."""

    death: Death


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a leased mail: ``end`` is for the ledger, and None once that has it."""

    lease: Lease
    action: Ack | Release | Bury
    end: End | None = None


class Settler:
    """Acknowledges in batches, on a thread of its own; releases and burials at once if it can.

    The ledger hears first: a crash in between leaves a mail in the queue whose acceptance is on
    record. What either does not take is kept and tried again, so that an outage between a send and
    its acknowledgement does not end in a second send.
    """

    def __init__(
        self,
        queue: MailQueue,
        ledger: Ledger,
        *,
        clock: Clock,
        settled: Callable[[Lease], None],
        batch: int = 1,
    ) -> None:
        self._queue = queue
        self._ledger = ledger
        self._clock = clock
        self._settled = settled
        self._batch = batch
        self._changed = threading.Condition()
        self._waiting: list[Settlement] = []
        self._busy = False
        self._down = False

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="settler", daemon=True).start()

    def settle(self, settlement: Settlement) -> None:
        """Carry the settlement out, now or later."""
        left = [settlement]
        if not isinstance(settlement.action, Ack):
            left = self._carry_out(left)
        if left:
            with self._changed:
                self._waiting += left
                self._changed.notify_all()

    def flush(self, deadline: float) -> bool:
        """Wait until all is settled, or the deadline (by the clock) is over; say which."""
        with self._changed:
            while self._waiting or self._busy:
                left = deadline - self._clock.now()
                if left <= 0:
                    return False
                self._clock.wait(self._changed, left)
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                self._linger()
                batch, self._waiting = self._waiting, []
                self._busy = True
            left = self._carry_out(batch)
            with self._changed:
                self._waiting[:0] = left
                self._busy = False
                self._changed.notify_all()
                if left:
                    self._clock.wait(self._changed, _BACKOFF_SECONDS)

    def _linger(self) -> None:
        until = self._clock.now() + LINGER_SECONDS
        while len(self._waiting) < self._batch and (left := until - self._clock.now()) > 0:
            self._clock.wait(self._changed, left)

    def _carry_out(self, batch: Sequence[Settlement]) -> list[Settlement]:
        """Return what has to be tried again."""
        try:
            batch = self._record(batch)
        except LedgerUnavailable as error:
            self._tell(error)
            return list(batch)
        left: list[Settlement] = []
        try:
            self._acknowledge([s for s in batch if isinstance(s.action, Ack)])
        except QueueUnavailable as error:
            self._tell(error)
            left += [s for s in batch if isinstance(s.action, Ack)]
        for settlement in batch:
            try:
                self._give_back(settlement)
            except QueueUnavailable as error:
                self._tell(error)
                left.append(settlement)
        if not left:
            self._tell(None)
        return left

    def _record(self, batch: Sequence[Settlement]) -> Sequence[Settlement]:
        ends = [settlement.end for settlement in batch if settlement.end is not None]
        if not ends:
            return batch
        self._ledger.write(ends)
        return [replace(settlement, end=None) for settlement in batch]

    def _acknowledge(self, settlements: Sequence[Settlement]) -> None:
        if not settlements:
            return
        for lease in self._queue.ack([settlement.lease for settlement in settlements]):
            _log.warning("lease lost after sending", mail_id=lease.mail.id, possible_duplicate=True)
        for settlement in settlements:
            self._settled(settlement.lease)

    def _give_back(self, settlement: Settlement) -> None:
        match settlement.action:
            case Ack():
                return
            case Release(delay=delay):
                self._queue.release(settlement.lease, delay)
            case Bury(death=death):
                self._queue.bury(settlement.lease, death)
            case _:
                assert_never(settlement.action)
        self._settled(settlement.lease)

    def _tell(self, error: QueueUnavailable | LedgerUnavailable | None) -> None:
        if error is not None and not self._down:
            _log.error("cannot settle mails", reason=str(error))
        elif error is None and self._down:
            _log.info("mails are settled again")
        self._down = error is not None
