"""How a mail moves from a SQL queue to the dead letters."""

from limbo.adapters.encoding.codec import encode_attempts
from limbo.adapters.sql.database import Dialect, Executor
from limbo.domain.delivery.verdict import Death
from limbo.domain.mail.ids import mail_id
from limbo.ports.queue import Lease

_HELD = "FROM limbo_queue WHERE id = :mail_id AND receipt = :receipt"
_FIND = {
    Dialect.SQLITE: f"SELECT :now {_HELD}",
    Dialect.POSTGRESQL: f"SELECT :now {_HELD} FOR UPDATE",
}
# The body is copied within the database: SQLite may hold what no Python type keeps as it is.
_BURY = f"""
    INSERT INTO limbo_dead_letters (
        id, mail_id, body, submitted_at, kind, sender, reason, cause_id, attempts,
        buried_at, possible_duplicate
    )
    SELECT :id, id, body, submitted_at, :kind, :sender, :reason, :cause_id, :attempts,
        :buried_at, :possible_duplicate
    {_HELD}
"""
_REMOVE = f"DELETE {_HELD}"


def bury(transaction: Executor, dialect: Dialect, lease: Lease, death: Death) -> None:
    """Move the body unchanged, byte for byte, unless the lease was lost."""
    held = {"mail_id": lease.mail.id, "receipt": lease.receipt}
    for (now,) in transaction.execute(_FIND[dialect], held):
        letter = {
            **held,
            "id": mail_id(now),
            "kind": str(death.cause.kind),
            "sender": death.cause.sender,
            "reason": death.cause.reason,
            "cause_id": death.cause.id,
            "attempts": encode_attempts(death.attempts),
            "buried_at": now,
            "possible_duplicate": lease.possible_duplicate,
        }
        transaction.execute(_BURY, letter)
        transaction.execute(_REMOVE, held)
