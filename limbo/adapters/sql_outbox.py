"""An outbox whose queue and ledger lie in one database: a submission is one transaction."""

from collections.abc import Sequence

from limbo.adapters import ledger_statements, sql_statements
from limbo.adapters.codec import encode_mail
from limbo.adapters.database import Database, InDoubt
from limbo.adapters.idempotency import answered, once_per_key, reserved
from limbo.adapters.sql_entries import claim, enter
from limbo.domain.errors import QueueUnavailable
from limbo.ports.ledger import Status
from limbo.ports.outbox import Answer, Submission
from limbo.ports.queue import Kept, NotKept


class SqlOutbox:
    """Writes mails into queue and ledger at once: all that are submitted together, or none."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ledger = ledger_statements.BY_DIALECT[database.dialect]
        self._queue = sql_statements.BY_DIALECT[database.dialect]

    def submit(self, submissions: Sequence[Submission]) -> list[Answer]:
        """Keep the mails in one transaction."""
        return once_per_key(submissions, self._submit)

    def _submit(self, submissions: Sequence[Submission]) -> Sequence[Answer]:
        try:
            with self._database.transaction() as transaction:
                reservations = claim(transaction, self._ledger, submissions)
                entered = reserved(submissions, reservations)
                if entered:
                    self._database.check_room()
                    mails = [submission.mail for submission in entered]
                    bodies = [encode_mail(mail) for mail in mails]
                    enter(transaction, self._ledger, entered, bodies, Status.QUEUED)
                    sql_statements.insert(transaction, self._queue, mails, bodies)
        except QueueUnavailable as error:
            in_doubt = isinstance(error, InDoubt)
            return [NotKept(reason=str(error), in_doubt=in_doubt)] * len(submissions)
        return answered(submissions, reservations, [Kept()] * len(entered))
