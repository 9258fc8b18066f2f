"""Tells ledger and queue what follows for the mails of a worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

import structlog

from limbo.domain.delivery.lifecycle import End
from limbo.domain.delivery.settlement import Ack, Action, Bury, Defer
from limbo.domain.errors import LedgerUnavailable, QueueUnavailable
from limbo.ports.ledger import Ledger
from limbo.ports.queue import Lease, MailQueue

_log = structlog.get_logger()


@dataclass(slots=True)
class Unsettled:
    """A leased mail, what its queue is to do, and what its ledger has yet to hear."""

    lease: Lease
    action: Action
    end: End | None


class Teller:
    """Tells many at once, the ledger first.

    A crash in between leaves a mail in the queue whose acceptance is on record.
    """

    def __init__(
        self, queue: MailQueue, ledger: Ledger, *, settled: Callable[[Lease], None]
    ) -> None:
        self._queue = queue
        self._ledger = ledger
        self._settled = settled
        self._down = False

    def tell(self, batch: Sequence[Unsettled]) -> list[Unsettled]:
        """Return what has to be told again, as ledger or queue did not answer.

        A mail that cannot be settled at all is given up: its lease runs out, and it comes again.
        """
        try:
            return self._tell(batch)
        except Exception:  # noqa: BLE001 - a defect met with one mail must not cost the others
            if len(batch) > 1:
                return [left for mail in batch for left in self.tell([mail])]
            _log.exception("cannot settle a mail", mail_id=batch[0].lease.mail.id)
            self._settled(batch[0].lease)
            return []

    def _tell(self, batch: Sequence[Unsettled]) -> list[Unsettled]:
        ready, left = self._record(batch)
        acks = [mail for mail in ready if isinstance(mail.action, Ack)]
        try:
            self._acknowledge(acks)
        except QueueUnavailable as error:
            self._note(error)
            left += acks
        for mail in ready:
            if isinstance(mail.action, Ack):
                continue
            try:
                self._give_back(mail)
            except QueueUnavailable as error:
                self._note(error)
                left.append(mail)
        if not left:
            self._note(None)
        return left

    def _record(self, batch: Sequence[Unsettled]) -> tuple[Sequence[Unsettled], list[Unsettled]]:
        """Tell the ledger; return what the queue may be told, and what has to wait."""
        ends = [mail.end for mail in batch if mail.end is not None]
        if not ends:
            return batch, []
        try:
            self._ledger.write(ends)
        except LedgerUnavailable as error:
            self._note(error)
            return [m for m in batch if m.end is None], [m for m in batch if m.end is not None]
        for mail in batch:
            mail.end = None
        return batch, []

    def _acknowledge(self, mails: Sequence[Unsettled]) -> None:
        if not mails:
            return
        for lease in self._queue.ack([mail.lease for mail in mails]):
            _log.warning("lease lost after sending", mail_id=lease.mail.id, possible_duplicate=True)
        for mail in mails:
            self._settled(mail.lease)

    def _give_back(self, mail: Unsettled) -> None:
        match mail.action:
            case Defer(delay=delay):
                self._queue.release(mail.lease, delay)
            case Bury(death=death):
                self._queue.bury(mail.lease, death)
            case Ack() | None:
                pass
            case _:
                assert_never(mail.action)
        self._settled(mail.lease)

    def _note(self, error: QueueUnavailable | LedgerUnavailable | None) -> None:
        """Log an outage once, and its end."""
        if error is not None and not self._down:
            _log.error("cannot settle mails", reason=str(error))
        elif error is None and self._down:
            _log.info("mails are settled again")
        self._down = error is not None
