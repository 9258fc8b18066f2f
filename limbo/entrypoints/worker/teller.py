"""Tells ledger and queue how the mails of a worker are settled."""

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
    """A leased mail, the action for its queue, and the event that its ledger does not know yet."""

    lease: Lease
    action: Action
    end: End | None


class Teller:
    """Tells ledger and queue about many mails at once, the ledger first.

    After a crash in between, the mail is still in the queue, and the ledger knows that it was sent.
    """

    def __init__(
        self,
        queue: MailQueue,
        ledger: Ledger,
        *,
        settled: Callable[[Lease], None],
        removed: Callable[[Lease], None] = lambda _: None,
    ) -> None:
        """``settled`` is called with each settled lease, ``removed`` if its mail is gone for good.

        It is not where the lease was lost: somebody else may have the mail.
        """
        self._queue = queue
        self._ledger = ledger
        self._settled = settled
        self._removed = removed
        self._down = False

    def tell(self, batch: Sequence[Unsettled]) -> list[Unsettled]:
        """Return the mails that must be told again, because ledger or queue was not available.

        A mail that cannot be settled at all is given up: its lease ends, and it is received again.
        """
        try:
            return self._tell(batch)
        except Exception:  # noqa: BLE001 - a defect with one mail must not affect the others
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
            self._remember_outage(error)
            left += acks
        for mail in ready:
            if isinstance(mail.action, Ack):
                continue
            try:
                self._give_back(mail)
            except QueueUnavailable as error:
                self._remember_outage(error)
                left.append(mail)
        if not left:
            self._remember_outage(None)
        return left

    def _record(self, batch: Sequence[Unsettled]) -> tuple[Sequence[Unsettled], list[Unsettled]]:
        """Tell the ledger; return the mails for the queue, and those that must wait."""
        ends = [mail.end for mail in batch if mail.end is not None]
        if not ends:
            return batch, []
        try:
            self._ledger.write(ends)
        except LedgerUnavailable as error:
            self._remember_outage(error)
            return [m for m in batch if m.end is None], [m for m in batch if m.end is not None]
        for mail in batch:
            mail.end = None
        return batch, []

    def _acknowledge(self, mails: Sequence[Unsettled]) -> None:
        if not mails:
            return
        lost = self._queue.ack([mail.lease for mail in mails])
        for lease in lost:
            _log.warning("lease lost after sending", mail_id=lease.mail.id, possible_duplicate=True)
        for mail in mails:
            if mail.lease not in lost:
                self._removed(mail.lease)
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

    def _remember_outage(self, error: QueueUnavailable | LedgerUnavailable | None) -> None:
        """Remember whether there is an outage; log its beginning once, and its end once."""
        if error is not None and not self._down:
            _log.error("cannot settle mails", reason=str(error))
        elif error is None and self._down:
            _log.info("mails are settled again")
        self._down = error is not None
