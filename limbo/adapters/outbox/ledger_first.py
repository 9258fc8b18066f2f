"""An outbox whose ledger and queue lie in different places. It writes to the ledger first."""

from collections.abc import Sequence
from contextlib import suppress

from limbo.adapters.outbox.once_per_key import once_per_key, reserved, submit_results
from limbo.domain.errors import LedgerUnavailable
from limbo.ports.outbox import Reservations, Submission, SubmitResult
from limbo.ports.queue import Kept, MailQueue, NotKept


class LedgerFirstOutbox:
    """Enters mails into the ledger, puts them into the queue, and records the queue's results.

    If the process is killed in between, the entry stays SUBMITTING, and a retry takes over its
    idempotency key. The same happens if a put ends in doubt.
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
        results = self._queue.put([submission.mail for submission in entered]) if entered else []
        kept = [s for s, result in zip(entered, results, strict=True) if isinstance(result, Kept)]
        refused = [
            s
            for s, result in zip(entered, results, strict=True)
            if isinstance(result, NotKept) and not result.in_doubt
        ]
        # The queue's answer counts. If the ledger misses it, the worker's first event repairs the
        # entry.
        with suppress(LedgerUnavailable):
            self._ledger.conclude(kept=kept, refused=refused)
        return submit_results(submissions, reservations, results)
