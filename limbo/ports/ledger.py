"""The ports to the ledger: what became of each mail."""

from collections.abc import Sequence
from typing import Protocol

from limbo.domain.delivery.lifecycle import End, Start, StartReply


class Ledger(Protocol):
    """Writes down what a worker does. Methods raise LedgerUnavailable, and come from any thread."""

    def write(self, events: Sequence[Start | End]) -> list[StartReply | None]:
        """Record the events in one step; answer each Start, in order, with what is known.

        A Start that may not go leaves no trace.
        """
        ...

    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:
        """Forget up to ``limit`` bodies and records of mails submitted before; return how many.

        Only settled mails lose anything, and those that were never put into the queue. Attempts
        go with their record, idempotency keys after 24 hours.
        """
        ...
