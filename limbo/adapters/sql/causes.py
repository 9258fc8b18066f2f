"""The causes of a SQL queue's dead letters. Each row names its cause by the cause's id."""

from collections.abc import Sequence

from limbo.adapters.sql.cells import text
from limbo.adapters.sql.database import Database, Dialect
from limbo.adapters.sql.statements import in_each, update
from limbo.domain.delivery.verdict import Cause

_BATCH = 1000


def entries(dialect: Dialect) -> str:
    """Return what makes SQLite read the entries of dead letters without the mails in between."""
    return "INDEXED BY limbo_dead_letters_entry" if dialect is Dialect.SQLITE else ""


_UNNAMED = in_each(
    lambda dialect: (
        f"""
        SELECT id, kind, sender, reason FROM limbo_dead_letters
        WHERE cause_id IS NULL ORDER BY id LIMIT :limit
        {"" if dialect is Dialect.SQLITE else "FOR UPDATE"}
    """
    )
)
_NAME = in_each(
    lambda dialect: update(dialect, "limbo_dead_letters", {"id": "text"}, {"cause_id": "text"})
)
# The newest letter of a cause shows it.
_COUNT = in_each(
    lambda dialect: (
        f"""
    SELECT letter.kind, letter.sender, letter.reason, cause.letters
    FROM (
        SELECT cause_id, max(id) AS id, count(*) AS letters FROM limbo_dead_letters
        GROUP BY cause_id ORDER BY count(*) DESC, cause_id LIMIT :limit
    ) AS cause
    JOIN limbo_dead_letters AS letter {entries(dialect)} ON letter.id = cause.id
    ORDER BY cause.letters DESC, cause.cause_id
"""
    )
)


def name_causes(database: Database) -> None:
    """Give each row the id of its cause, if an older limbo wrote it without one."""
    while database.execute("SELECT 1 FROM limbo_dead_letters WHERE cause_id IS NULL LIMIT 1"):
        with database.transaction() as transaction:
            rows = transaction.execute(_UNNAMED[database.dialect], {"limit": _BATCH})
            causes = [_cause(*cells) for _, *cells in rows]
            columns = {"id": [row[0] for row in rows], "cause_id": [cause.id for cause in causes]}
            transaction.execute_many(_NAME[database.dialect], columns)


def count_causes(database: Database, limit: int) -> Sequence[tuple[Cause, int]]:
    """Count the dead letters by cause. Return the ``limit`` most frequent ones."""
    name_causes(database)
    return [
        (_cause(*cells), letters)
        for *cells, letters in database.execute(_COUNT[database.dialect], {"limit": limit})
    ]


def _cause(kind: object, sender: object, reason: object) -> Cause:
    return Cause(kind=text(kind), sender=text(sender), reason=text(reason))
