"""How a SQL ledger forgets the mails of an address."""

from collections.abc import Sequence

from limbo.adapters.sql.database import Database, Dialect, database_errors_as
from limbo.adapters.sql.purge import FORGET_FINAL_RECIPIENTS, FORGET_RECIPIENTS, recipient_columns
from limbo.adapters.sql.statements import among, in_each, literals
from limbo.domain.delivery.lifecycle import Status, read_status
from limbo.domain.errors import LedgerUnavailable
from limbo.ports.erasure import AddressedMail, Erased

_STEP = 10_000  # mails in one statement of a search that no index helps
_TO = """
    SELECT id, status FROM limbo_mails
    WHERE id IN (SELECT id FROM limbo_recipients WHERE address = :address)
"""
_UPTO = """
    SELECT max(id) FROM
    (SELECT id FROM limbo_mails WHERE id > :after ORDER BY id LIMIT :limit) AS step
"""
_FROM = """
    SELECT id, status FROM limbo_mails
    WHERE id > :after AND id <= :upto AND lower(sender) = :address
"""
_FINAL = literals(*(status for status in Status if status.is_final))
_LOCK = in_each(
    lambda dialect: (
        f"""
        SELECT id, client, recipients FROM limbo_mails
        WHERE {among(dialect, "id")} AND status IN ({_FINAL}) ORDER BY id
        {"" if dialect is Dialect.SQLITE else "FOR UPDATE"}
    """
    )
)
_ERASE_BODIES = in_each(
    lambda dialect: f"DELETE FROM limbo_contents WHERE {among(dialect, 'id')} RETURNING id"
)
_ERASE_KEYS = in_each(
    lambda dialect: (
        f"DELETE FROM limbo_idempotency WHERE {among(dialect, 'mail_id')} RETURNING name"
    )
)
_ERASE = in_each(
    lambda dialect: (
        f"""
        UPDATE limbo_mails SET sender = '', recipients = '[]', subject = '', shown = ''
        WHERE {among(dialect, "id")}
    """
    )
)
_TRUNCATE = "PRAGMA wal_checkpoint(TRUNCATE)"


class SqlErasure:
    """The Erasure of a SqlLedger. A mail's addresses go last, so that it is found until it is done.

    Each step is one transaction: killed at any moment, it can be repeated.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = database.dialect

    @database_errors_as(LedgerUnavailable)
    def find(self, address: str) -> Sequence[AddressedMail]:
        """Look up the recipients in their index, and read all mails for the sender, in steps."""
        values: dict[str, object] = {"address": address.lower(), "after": "", "limit": _STEP}
        found: dict[str, str] = dict(self._database.execute(_TO, values))
        while (upto := self._database.execute(_UPTO, values)[0][0]) is not None:
            found |= self._database.execute(_FROM, {**values, "upto": upto})
            values["after"] = upto
        return [AddressedMail(id_, read_status(found[id_])) for id_ in sorted(found)]

    @database_errors_as(LedgerUnavailable)
    def erase(self, ids: Sequence[str]) -> Erased:
        """Erase those that are final, in one transaction."""
        with self._database.transaction() as transaction:
            rows = transaction.execute_many(_LOCK[self._dialect], {"id": sorted(ids)})
            if not rows:
                return Erased()
            final = [id_ for id_, *_ in rows]
            bodies = transaction.execute_many(_ERASE_BODIES[self._dialect], {"id": final})
            keys = transaction.execute_many(_ERASE_KEYS[self._dialect], {"mail_id": final})
            recipients = recipient_columns(rows)
            for forget in (FORGET_RECIPIENTS, FORGET_FINAL_RECIPIENTS):
                transaction.execute_many(forget[self._dialect], recipients)
            transaction.execute_many(_ERASE[self._dialect], {"id": final})
            return Erased(mails=len(final), bodies=len(bodies), idempotency_keys=len(keys))

    @database_errors_as(LedgerUnavailable)
    def overwrite(self) -> str | None:
        """Empty SQLite's write-ahead log; what is deleted in the file is overwritten at once."""
        if self._dialect is Dialect.POSTGRESQL:
            return "dead rows stay on the disk until a vacuum, and longer in its write-ahead log"
        [[is_busy, *_]] = self._database.execute(_TRUNCATE)
        return "the write-ahead log is in use, and is overwritten later" if is_busy else None
