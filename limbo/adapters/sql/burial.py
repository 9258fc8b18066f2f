"""How a mail moves from a SQL queue to the dead letters."""

from limbo.adapters.encoding.codec import encode_attempts
from limbo.adapters.sql.database import Executor
from limbo.domain.delivery.verdict import Death
from limbo.domain.mail.ids import mail_id
from limbo.ports.queue import Lease

_TAKE = """
    DELETE FROM limbo_queue WHERE id = :id AND receipt = :receipt
    RETURNING body, submitted_at, :now
"""
_BURY = """
    INSERT INTO limbo_dead_letters (
        id, mail_id, body, submitted_at, kind, sender, reason, cause_id, attempts,
        buried_at, possible_duplicate
    )
    VALUES (
        :id, :mail_id, :body, :submitted_at, :kind, :sender, :reason, :cause_id, :attempts,
        :buried_at, :possible_duplicate
    )
"""


def bury(transaction: Executor, lease: Lease, death: Death) -> None:
    """Move the body unchanged, byte for byte, unless the lease was lost."""
    taken = transaction.execute(_TAKE, {"id": lease.mail.id, "receipt": lease.receipt})
    for body, submitted_at, now in taken:
        letter = {
            "id": mail_id(now),
            "mail_id": lease.mail.id,
            "body": body,
            "submitted_at": submitted_at,
            "kind": str(death.cause.kind),
            "sender": death.cause.sender,
            "reason": death.cause.reason,
            "cause_id": death.cause.id,
            "attempts": encode_attempts(death.attempts),
            "buried_at": now,
            "possible_duplicate": lease.possible_duplicate,
        }
        transaction.execute(_BURY, letter)
