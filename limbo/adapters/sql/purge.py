"""How a SQL ledger deletes old data, oldest first."""

from collections.abc import Sequence

from limbo.adapters.outbox.once_per_key import KEY_SECONDS
from limbo.adapters.sql.database import Dialect, Executor, Row
from limbo.adapters.sql.records import read_addresses
from limbo.adapters.sql.statements import Statement, among, as_columns, in_each, literals, values
from limbo.domain.delivery.lifecycle import PURGEABLE, Status
from limbo.domain.mail.ids import lowest_id

_RECIPIENT = {"address": "text", "client": "text", "id": "text"}
_FORGET_EXPIRED_KEYS = f"""
    DELETE FROM limbo_idempotency WHERE name IN (
        SELECT name FROM limbo_idempotency WHERE at < :now - {KEY_SECONDS}
        ORDER BY at LIMIT :limit
    ) RETURNING name
"""
# Look up the status row by row, in the order of the ids, whatever plan the planner prefers.
_OLD_CONTENTS = f"""
    SELECT c.id FROM limbo_contents AS c
    WHERE c.id < :before
        AND (SELECT m.status FROM limbo_mails AS m WHERE m.id = c.id) IN ({literals(*PURGEABLE)})
    ORDER BY c.id LIMIT :limit
"""
_OLD_MAILS = f"""
    SELECT id, client, recipients FROM limbo_mails
    WHERE id < :before AND status IN ({literals(*PURGEABLE)}) ORDER BY id LIMIT :limit
"""
_LOCK_OLD_MAILS = {Dialect.SQLITE: _OLD_MAILS, Dialect.POSTGRESQL: f"{_OLD_MAILS}FOR UPDATE"}
_FORGET_CONTENTS = in_each(
    lambda dialect: f"DELETE FROM limbo_contents WHERE {among(dialect, 'id')}"
)
_FORGET_ATTEMPTS = in_each(
    lambda dialect: f"DELETE FROM limbo_attempts WHERE {among(dialect, 'mail_id')}"
)
_FORGET_MAILS = in_each(lambda dialect: f"DELETE FROM limbo_mails WHERE {among(dialect, 'id')}")


def _forget_recipients(table: str, where: str = "") -> Statement:
    return {
        Dialect.SQLITE: f"""
            DELETE FROM {table}
            WHERE address = :address AND client = :client AND id = :id{where}
        """,
        Dialect.POSTGRESQL: f"""
            DELETE FROM {table} AS r USING unnest({values(Dialect.POSTGRESQL, _RECIPIENT)})
                AS given (address, client, id)
            WHERE r.address = given.address AND r.client = given.client AND r.id = given.id{where}
        """,
    }


FORGET_RECIPIENTS = _forget_recipients("limbo_recipients")
_FINAL = literals(*(status for status in Status if status.is_final))
# A trigger keeps this table, but only knows the recipients for as long as the record has them.
FORGET_FINAL_RECIPIENTS = _forget_recipients(
    "limbo_recipients_by_status", f" AND status IN ({_FINAL})"
)


def forget_expired_keys(transaction: Executor, limit: int) -> int:
    """Delete expired idempotency keys. Return how many."""
    return len(transaction.execute(_FORGET_EXPIRED_KEYS, {"limit": limit}))


def forget_contents(transaction: Executor, dialect: Dialect, *, before: float, limit: int) -> int:
    """Delete the bodies of mails submitted before that time. Return how many."""
    given = {"before": lowest_id(before), "limit": limit}
    ids = [id_ for (id_,) in transaction.execute(_OLD_CONTENTS, given)]
    transaction.execute_many(_FORGET_CONTENTS[dialect], {"id": ids})
    return len(ids)


def forget_records(transaction: Executor, dialect: Dialect, *, before: float, limit: int) -> int:
    """Delete all records of mails submitted before that time. Return how many."""
    given = {"before": lowest_id(before), "limit": limit}
    rows = transaction.execute(_LOCK_OLD_MAILS[dialect], given)
    if rows:
        ids = [id_ for id_, *_ in rows]
        transaction.execute_many(FORGET_RECIPIENTS[dialect], recipient_columns(rows))
        transaction.execute_many(_FORGET_ATTEMPTS[dialect], {"mail_id": ids})
        transaction.execute_many(_FORGET_CONTENTS[dialect], {"id": ids})
        transaction.execute_many(_FORGET_MAILS[dialect], {"id": ids})
    return len(rows)


def recipient_columns(mails: Sequence[Row]) -> dict[str, Sequence[object]]:
    """Return the columns of FORGET_RECIPIENTS for mails: rows of id, client and recipients."""
    rows = [
        (address.lower(), client, id_)
        for id_, client, addresses in mails
        for address in read_addresses(addresses)
    ]
    return as_columns([*_RECIPIENT], rows) if rows else {name: [] for name in _RECIPIENT}
