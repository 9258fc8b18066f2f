"""The port to the ledger, which records what happens to each mail."""

from collections.abc import Sequence
from typing import Protocol

from limbo.domain.delivery.lifecycle import End, Start, StartReply


class Ledger(Protocol):
    """Records what a worker does. Any thread may call it. Its methods raise LedgerUnavailable."""

    def write(self, events: Sequence[Start | End]) -> list[StartReply | None]:
        """Record the events in one step. Return a reply for each Start, and None for each End.

        A Start whose reply has a ``stop`` is not recorded.
        """
        ...

    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:
        """Delete up to ``limit`` bodies and records of mails submitted before. Return how many.

        It deletes only from mails that are final or that never reached the queue. Attempts go with
        their record. Idempotency keys go after 24 hours.
        """
        ...
