"""An outbox whose ledger lies elsewhere than its queue: the ledger comes first."""

from collections.abc import Sequence
from contextlib import suppress

from limbo.adapters.outbox.once_per_key import answered, once_per_key, reserved
from limbo.domain.errors import LedgerUnavailable
from limbo.ports.outbox import Reservations, Submission, SubmitResult
from limbo.ports.queue import Kept, MailQueue, NotKept


class LedgerFirstOutbox:
    """Enters mails into the ledger, puts them into the queue, and enters what it said.

    A kill in between leaves an entry that says so, and a key that a retry takes over; a put that
    ends in doubt does the same.
    """

    def __init__(self, queue: MailQueue, ledger: Reservations) -> None:
        self._queue = queue
        self._ledger = ledger

    def submit(self, submissions: Sequence[Submission]) -> list[SubmitResult]:
        """Keep the mails in both, or answer that they are not kept."""
        return once_per_key(submissions, self._submit)

    def _submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitResult]:
        try:
            reservations = self._ledger.reserve(submissions)
        except LedgerUnavailable as error:
            return [NotKept(reason=str(error))] * len(submissions)
        entered = reserved(submissions, reservations)
        said = self._queue.put([submission.mail for submission in entered]) if entered else []
        kept = [s for s, answer in zip(entered, said, strict=True) if isinstance(answer, Kept)]
        refused = [
            s
            for s, answer in zip(entered, said, strict=True)
            if isinstance(answer, NotKept) and not answer.in_doubt
        ]
        # The queue's word counts: what is kept but not concluded, the worker's first entry mends.
        with suppress(LedgerUnavailable):
            self._ledger.conclude(kept=kept, refused=refused)
        return answered(submissions, reservations, said)
