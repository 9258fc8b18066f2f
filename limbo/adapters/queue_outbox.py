"""An outbox that is just the queue: no ledger is kept of what was submitted."""

from collections.abc import Sequence

from limbo.domain.mail import Mail
from limbo.ports.queue import Kept, MailQueue, NotKept


class QueueOutbox:
    """Submits by one ``put``."""

    def __init__(self, queue: MailQueue) -> None:
        self._queue = queue

    def submit(self, mails: Sequence[Mail]) -> list[Kept | NotKept]:
        """Put the mails into the queue."""
        return self._queue.put(mails)
