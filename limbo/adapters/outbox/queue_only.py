"""An outbox that is only the queue. It keeps no record of what was submitted."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from uuid import UUID

from limbo.adapters.outbox.once_per_key import key_hash, once_per_key
from limbo.ports.outbox import Idempotency, KeptAs, Submission, SubmitResult
from limbo.ports.queue import Kept, MailQueue

_VERSION_8 = 0x8 << 76 | 0x2 << 62  # RFC 9562: version 8, for custom ids, and the variant
_RANDOM = ~(0xF << 76 | 0x3 << 62)


class QueueOutbox:
    """Submits with one ``put``.

    An idempotency key becomes the mail's id. A FIFO queue accepts an id once in five minutes. The
    id also depends on what is submitted, so that different mails under one key are not lost.
    """

    def __init__(self, queue: MailQueue) -> None:
        self._queue = queue

    def submit(self, submissions: Sequence[Submission]) -> list[SubmitResult]:
        """Put the mails into the queue."""
        return once_per_key(submissions, self._put)

    def _put(self, submissions: Sequence[Submission]) -> Sequence[SubmitResult]:
        mails = [
            submission.mail
            if submission.idempotency is None
            else replace(submission.mail, id=_mail_id(submission.client, submission.idempotency))
            for submission in submissions
        ]
        return [
            KeptAs(mail.id) if isinstance(result, Kept) and mail is not submission.mail else result
            for submission, mail, result in zip(
                submissions, mails, self._queue.put(mails), strict=True
            )
        ]


def _mail_id(client: str, idempotency: Idempotency) -> str:
    digest = sha256(key_hash(client, idempotency) + idempotency.fingerprint.encode()).digest()
    return str(UUID(int=int.from_bytes(digest[:16], "big") & _RANDOM | _VERSION_8))
