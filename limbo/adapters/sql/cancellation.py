"""How mails of a SQL ledger are cancelled, and taken out of a queue beside it."""

from collections.abc import Sequence

from limbo.adapters.sql.database import Dialect, Executor
from limbo.adapters.sql.statements import among, change_status, in_each
from limbo.domain.delivery.lifecycle import CANCEL


def _cancelling(dialect: Dialect) -> str:
    ids = among(dialect, "id")
    if dialect is Dialect.POSTGRESQL:
        # Lock the mails in one order, so that this and a worker's events cannot deadlock.
        ids = f"id = ANY (ARRAY(SELECT id FROM limbo_mails WHERE {ids} ORDER BY id FOR UPDATE))"
    return change_status(CANCEL, ids, also="next_at = NULL, ") + "RETURNING id"


_CANCEL = in_each(_cancelling)
# If a worker holds a lease, the ledger tells it of the cancellation.
_UNQUEUE = in_each(
    lambda dialect: (
        f"""
        DELETE FROM limbo_queue
        WHERE {among(dialect, "id")} AND (receipt IS NULL OR due <= :now)
    """
    )
)


def cancel(transaction: Executor, dialect: Dialect, ids: Sequence[str]) -> Sequence[str]:
    """Cancel those of the mails that are queued or deferred. Return their ids."""
    done = transaction.execute_many(_CANCEL[dialect], {"id": sorted(ids)})
    cancelled = sorted(id_ for (id_,) in done)
    transaction.execute_many(_UNQUEUE[dialect], {"id": cancelled})
    return cancelled
