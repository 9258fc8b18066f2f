"""The audit in a table of a database, SQLite or PostgreSQL."""

from collections.abc import Sequence

from limbo.adapters.sql.database import Database, Row, database_errors_as
from limbo.domain.access.audit import Actor, AuditEntry, Result
from limbo.domain.errors import AuditUnavailable
from limbo.domain.mail.ids import lowest_id
from limbo.ports.audit_log import AuditQuery

_BEGIN = """
    INSERT INTO limbo_audit (id, at, who, origin, action, selection, result, count)
    VALUES (:id, :at, :who, :origin, :action, :selection, :result, :count)
"""
_END = "UPDATE limbo_audit SET result = :result, count = :count WHERE id = :id"
_SELECT = "SELECT id, at, who, origin, action, selection, result, count FROM limbo_audit"
_PURGE = """
    DELETE FROM limbo_audit
    WHERE id IN (SELECT id FROM limbo_audit WHERE id < :before ORDER BY id LIMIT :limit)
    RETURNING id
"""
_CONDITIONS = {
    "who": "who = :who",
    "action": "action = :action",
    "since": "id >= :since",
    "after": "id < :after",
}


class SqlAuditLog:
    """An AuditLog in a table; ids sort by time, so that they are its order too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, entry: AuditEntry) -> None:
        """Insert a row."""
        values = {
            "id": entry.id,
            "at": entry.at,
            "who": entry.actor.who,
            "origin": entry.actor.origin,
            "action": str(entry.action),
            "selection": entry.selection,
            "result": entry.result.value,
            "count": entry.count,
        }
        with database_errors_as(AuditUnavailable):
            self._database.execute(_BEGIN, values)

    def end(self, id: str, result: Result, count: int | None) -> None:  # noqa: A002
        """Complete the row."""
        with database_errors_as(AuditUnavailable):
            self._database.execute(_END, {"id": id, "result": result.value, "count": count})

    def page(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """Read rows by the primary key, or by the index of who did it."""
        values: dict[str, object] = {
            "who": query.who,
            "action": query.action,
            "since": None if query.since is None else lowest_id(query.since),
            "after": query.after,
        }
        given = {name: value for name, value in values.items() if value is not None}
        where = " AND ".join(["TRUE", *(_CONDITIONS[name] for name in given)])
        sql = f"{_SELECT} WHERE {where} ORDER BY id DESC LIMIT :limit"
        with database_errors_as(AuditUnavailable):
            rows = self._database.execute(sql, {**given, "limit": query.limit})
        return [_entry(row) for row in rows]

    def purge(self, *, before: float, limit: int) -> int:
        """Delete the oldest first."""
        values = {"before": lowest_id(before), "limit": limit}
        with database_errors_as(AuditUnavailable):
            return len(self._database.execute(_PURGE, values))


def _entry(row: Row) -> AuditEntry:
    id_, at, who, origin, action, selection, result, count = row
    return AuditEntry(
        id=id_,
        at=at,
        actor=Actor(who=who, origin=origin),
        action=action,
        selection=selection,
        result=Result(result),
        count=count,
    )
