"""Counts the mails in a database by the key that encrypts them."""

from collections import Counter
from collections.abc import Mapping

from limbo.adapters.encoding.mail_codec import HEAD_BYTES, key_name
from limbo.adapters.sql.database import Database, database_errors_as
from limbo.domain.errors import QueueUnavailable
from limbo.ports.stored_bodies import KeyCounts

_PLACES = {
    "queue": "limbo_queue",
    "ledger": "limbo_contents",
    "dead_letters": "limbo_dead_letters",
}
_STEP = 10_000
_HEADS = f"""
    SELECT id, substr(body, 1, {HEAD_BYTES}) FROM {{table}}
    WHERE id > :after ORDER BY id LIMIT {_STEP}
"""


class SqlStoredBodies:
    """The StoredBodies of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @database_errors_as(QueueUnavailable)
    def count(self) -> Mapping[str, KeyCounts]:
        """Read the heads of all bodies, in steps."""
        return {place: self._count(table) for place, table in _PLACES.items()}

    def _count(self, table: str) -> KeyCounts:
        counts: Counter[str | None] = Counter()
        query, after = _HEADS.format(table=table), ""
        while rows := self._database.execute(query, {"after": after}):
            counts.update(key_name(head) for _, head in rows)
            after = rows[-1][0]
        return counts
