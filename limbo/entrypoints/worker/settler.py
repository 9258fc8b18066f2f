"""Tells ledger and queue what became of each mail, again and again until both have heard it."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import structlog

from limbo.domain.delivery.lifecycle import End
from limbo.domain.errors import LedgerUnavailable, QueueUnavailable
from limbo.entrypoints.process.clock import Clock
from limbo.ports.ledger import Ledger
from limbo.ports.queue import Death, Lease, MailQueue

LINGER_SECONDS = 0.05  # how long it may be waited until a call of the queue is worth its price
_REST_SECONDS = 0.02  # between two rounds: what is sent meanwhile goes into the next one, as one
_BACKOFF_SECONDS = (0.5, 5.0)
_log = structlog.get_logger()


def whole_calls(count: int, batch: int) -> int:
    """Return how many of so many mails fill calls of ``batch`` mails; all if they fill none."""
    return count - count % batch if count > batch else count


@dataclass(frozen=True, slots=True)
class Ack:
    """The mail is done with."""


@dataclass(frozen=True, slots=True)
class Defer:
    """The mail is given back for so many seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Bury:
    """The mail goes to the dead letters."""

    death: Death


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a leased mail.

    ``action`` is for the queue, None if it is to be left alone; ``end`` is for the ledger, None
    once that has it.
    """

    lease: Lease
    action: Ack | Defer | Bury | None
    end: End | None = None


class Settler:
    """Acknowledges in batches, on a thread of its own; releases and burials at once if it can.

    The ledger hears first: a crash in between leaves a mail in the queue whose acceptance is on
    record. What either does not take is kept and tried again, so that an outage between a send and
    its acknowledgement does not end in a second send. What cannot be settled at all holds up no
    other: its lease runs out, and the mail comes again.
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
        backoff = _BACKOFF_SECONDS[0]
        left: list[Settlement] = []
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                self._linger()
                count = len(self._waiting)
                if not left:  # else all are tried: those behind what fails might succeed
                    count = whole_calls(count, self._batch)
                batch, self._waiting = self._waiting[:count], self._waiting[count:]
                self._busy = True
            left = self._carry_out(batch)
            with self._changed:
                self._waiting[:0] = left
                self._busy = False
                self._changed.notify_all()
                if left:
                    self._clock.wait(self._changed, backoff)
            time.sleep(_REST_SECONDS)
            backoff = min(2 * backoff, _BACKOFF_SECONDS[1]) if left else _BACKOFF_SECONDS[0]

    def _linger(self) -> None:
        until = self._clock.now() + LINGER_SECONDS
        while len(self._waiting) < self._batch and (left := until - self._clock.now()) > 0:
            self._clock.wait(self._changed, left)

    def _carry_out(self, batch: Sequence[Settlement]) -> list[Settlement]:
        """Return what has to be tried again."""
        try:
            return self._try(batch)
        except Exception:  # noqa: BLE001 - a defect met with one mail must not cost the others
            if len(batch) > 1:
                return [left for settlement in batch for left in self._carry_out([settlement])]
            _log.exception("cannot settle a mail", mail_id=batch[0].lease.mail.id)
            self._settled(batch[0].lease)
            return []

    def _try(self, batch: Sequence[Settlement]) -> list[Settlement]:
        ready, left = self._record(batch)
        acks = [settlement for settlement in ready if isinstance(settlement.action, Ack)]
        try:
            self._acknowledge(acks)
        except QueueUnavailable as error:
            self._tell(error)
            left += acks
        for settlement in ready:
            try:
                self._give_back(settlement)
            except QueueUnavailable as error:
                self._tell(error)
                left.append(settlement)
        if not left:
            self._tell(None)
        return left

    def _record(self, batch: Sequence[Settlement]) -> tuple[list[Settlement], list[Settlement]]:
        """Tell the ledger; return what the queue may be told, and what has to wait."""
        ends = [settlement.end for settlement in batch if settlement.end is not None]
        try:
            if ends:
                self._ledger.write(ends)
        except LedgerUnavailable as error:
            self._tell(error)
            return [s for s in batch if s.end is None], [s for s in batch if s.end is not None]
        return [replace(settlement, end=None) for settlement in batch], []

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
            case Defer(delay=delay):
                self._queue.release(settlement.lease, delay)
            case Bury(death=death):
                self._queue.bury(settlement.lease, death)
            case None:
                pass
            case _:
                assert_never(settlement.action)
        self._settled(settlement.lease)

    def _tell(self, error: QueueUnavailable | LedgerUnavailable | None) -> None:
        if error is not None and not self._down:
            _log.error("cannot settle mails", reason=str(error))
        elif error is None and self._down:
            _log.info("mails are settled again")
        self._down = error is not None
