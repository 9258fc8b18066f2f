"""An outbox whose queue and ledger lie in one database. A submission is one transaction."""

from collections.abc import Sequence

from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec
from limbo.adapters.outbox.once_per_key import once_per_key, reserved, submit_results
from limbo.adapters.sql.database import CommitInDoubt, Database, DatabaseUnavailable, Executor
from limbo.adapters.sql.entry import enter
from limbo.adapters.sql.idempotency import claim_keys
from limbo.ports.outbox import Submission, SubmitResult
from limbo.ports.queue import Kept, NotKept


class SqlOutbox:
    """Writes mails to queue and ledger together: all mails of a call, or none."""

    def __init__(self, database: Database, *, codec: MailCodec = PLAIN) -> None:
        self._database = database
        self._codec = codec

    def submit(self, submissions: Sequence[Submission]) -> list[SubmitResult]:
        """Keep the mails in one transaction. Without idempotency keys it is a single statement."""
        return once_per_key(submissions, self._submit)

    def _submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitResult]:
        try:
            if not any(submission.idempotency for submission in submissions):
                self._enter(self._database, submissions)
                return [Kept()] * len(submissions)
            with self._database.transaction() as transaction:
                reservations = claim_keys(transaction, self._database.dialect, submissions)
                if entered := reserved(submissions, reservations):
                    self._enter(transaction, entered)
        except DatabaseUnavailable as error:
            in_doubt = isinstance(error, CommitInDoubt)
            return [NotKept(reason=str(error), in_doubt=in_doubt)] * len(submissions)
        return submit_results(submissions, reservations, [Kept()] * len(entered))

    def _enter(self, executor: Executor, submissions: Sequence[Submission]) -> None:
        self._database.check_room()
        enter(executor, self._database.dialect, submissions, self._codec, queue=True)
