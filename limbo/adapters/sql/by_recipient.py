"""How the mails of one client to one recipient are found, newest first.

No question reads more than a few rows for each that it returns, however many mails the recipient
got, and however many have the status.
"""

from collections.abc import Sequence

from limbo.adapters.sql.database import Dialect
from limbo.domain.delivery.lifecycle import Status

_PASSING = frozenset({Status.SUBMITTING, Status.QUEUED, Status.SENDING})
"""Statuses by which the recipients are not indexed: every mail passes through them."""
_IDS = """
    SELECT id FROM {table} WHERE address = :to AND client = :client{conditions}
    ORDER BY id DESC LIMIT :limit
"""
# Two indexes in the order of the ids: the client's mails to the recipient, and those with the
# status. Each step jumps in one of them (by turns) to where the other one is. Ids in both are hits.
_LEAPS = """
    WITH RECURSIVE leap (id, before, turn) AS (
        SELECT max(id), max(id), 1 FROM limbo_recipients
        WHERE address = :to AND client = :client{conditions}
        UNION ALL
        SELECT CASE turn
            WHEN 1 THEN (
                SELECT max({id}) FROM limbo_mails AS mail
                WHERE client = :client AND status = :status AND {id} <= leap.id
            )
            ELSE (
                SELECT max(id) FROM limbo_recipients AS recipient
                WHERE address = :to AND client = :client
                    AND recipient.id <= leap.id AND recipient.id < leap.before
            )
        END, leap.id, 3 - turn
        FROM leap WHERE leap.id IS NOT NULL{lowest}
    )
    SELECT id FROM leap WHERE turn = 2 AND id = before LIMIT :limit
"""
_ID_OF_STATUS = {Dialect.SQLITE: "mail.id", Dialect.POSTGRESQL: "(mail.id || '')"}


def ids_to(dialect: Dialect, status: Status | None, conditions: Sequence[str]) -> str:
    """Return the query for the ids of mails to ``:to``. The conditions limit the ids."""
    also = "".join(f" AND {condition}" for condition in conditions)
    if status is None:
        return _IDS.format(table="limbo_recipients", conditions=also)
    if status not in _PASSING:
        return _IDS.format(
            table="limbo_recipients_by_status", conditions=f" AND status = :status{also}"
        )
    lowest = " AND leap.id >= :since" if "id >= :since" in conditions else ""
    return _LEAPS.format(id=_ID_OF_STATUS[dialect], conditions=also, lowest=lowest)
