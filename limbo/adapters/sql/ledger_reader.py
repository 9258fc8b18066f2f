"""What a SQL ledger holds, for those who ask for it."""
# ruff: noqa: S608 - these are put together from constants alone

import re
from collections.abc import Mapping, Sequence

from limbo.adapters.sql.database import Database, Dialect, Row, database_errors_as
from limbo.adapters.sql.records import ATTEMPT_COLUMNS, COLUMNS, read_attempt, read_record
from limbo.adapters.sql.statements import change_status
from limbo.domain.delivery.lifecycle import CANCEL, Status, read_status
from limbo.domain.errors import LedgerUnavailable
from limbo.domain.mail.ids import lowest_id
from limbo.ports.ledger_reader import Query, Record

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a mail; no other is asked for
_PAGE = f"SELECT {COLUMNS} FROM limbo_mails"
_FIND = f"{_PAGE} WHERE id = :id"
_CONTENT = "SELECT body FROM limbo_contents WHERE id = :id"
_ATTEMPTS = f"""
    SELECT {ATTEMPT_COLUMNS} FROM limbo_attempts
    WHERE mail_id = :id ORDER BY started_at, sender
"""
_CANCEL = change_status(CANCEL, "id = :id", also="next_at = NULL, ") + "RETURNING id"
# A worker that holds a lease is told by the ledger.
_UNQUEUE = "DELETE FROM limbo_queue WHERE id = :id AND (receipt IS NULL OR due <= :now)"
# The next client in the index, again and again: what it costs is in the clients, not in the mails.
_CLIENTS = """
    SELECT client FROM (
        WITH RECURSIVE found (client) AS (
            SELECT min(client) FROM {table} WHERE {where}
            UNION ALL
            SELECT (SELECT min(client) FROM {table} WHERE {where} AND client > found.client)
            FROM found WHERE found.client IS NOT NULL
        )
        SELECT client FROM found WHERE client IS NOT NULL
    ) AS clients
"""
# The id as only the indexes on clients know it: PostgreSQL might else go through all mails in the
# order of their ids, in the hope of soon meeting enough of the client's.
_ID_OF_CLIENT = {Dialect.SQLITE: "id", Dialect.POSTGRESQL: "(id || '')"}
_CLIENTS_OF_ALL = _CLIENTS.format(table="limbo_mails", where="TRUE")
_CLIENTS_OF_ADDRESS = _CLIENTS.format(table="limbo_recipients", where="address = :to")


class SqlLedgerReader:
    """The LedgerReader in the tables of a SqlLedger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id_of_client = _ID_OF_CLIENT[database.dialect]

    @database_errors_as(LedgerUnavailable)
    def find(self, id: str, client: str | None) -> Record | None:  # noqa: A002
        """Return the entry with its attempts and its mail."""
        if not _NAME.fullmatch(id):
            return None
        values = {"id": id}
        rows = self._database.execute(_FIND, values)
        if not rows or not _is_of(client, rows[0]):
            return None
        attempts = [read_attempt(row) for row in self._database.execute(_ATTEMPTS, values)]
        bodies = self._database.execute(_CONTENT, values)
        return read_record(rows[0], bodies[0][0] if bodies else None, attempts)

    @database_errors_as(LedgerUnavailable)
    def page(self, query: Query) -> Sequence[Record]:
        """Return entries, newest first, as cheaply from many as from few."""
        to = None if query.to is None else query.to.lower()
        if not _NAME.fullmatch(query.after or "-") or "\0" in (to or ""):
            return []
        values: dict[str, object] = {"limit": query.limit}
        conditions = []
        for name, value, condition in (
            ("after", query.after, "{id} < :after"),
            ("since", None if query.since is None else lowest_id(query.since), "{id} >= :since"),
            ("status", query.status, "status = :status"),
            ("to", to, "address = :to"),
        ):
            if value is not None:
                values[name] = value
                conditions.append(condition)
        return [read_record(row) for row in self._rows(query, conditions, values)]

    @database_errors_as(LedgerUnavailable)
    def cancel(self, id: str, client: str | None) -> Status | None:  # noqa: A002
        """Cancel the mail, and take it out of the queue if that is here and nobody has it."""
        if not _NAME.fullmatch(id):
            return None
        values = {"id": id}
        with self._database.transaction() as transaction:
            rows = transaction.execute(_FIND, values)
            if not rows or not _is_of(client, rows[0]):
                return None
            if transaction.execute(_CANCEL, values):
                transaction.execute(_UNQUEUE, values)
                return Status.CANCELLED
            [row] = transaction.execute(_FIND, values)
            return read_status(row[2])

    def _rows(
        self, query: Query, conditions: Sequence[str], values: Mapping[str, object]
    ) -> Sequence[Row]:
        execute = self._database.execute
        if query.client is None and query.status is None and query.to is None:
            return execute(_select(conditions, "id"), values)
        if query.client is not None:
            clients = [query.client]
        else:
            found = execute(_CLIENTS_OF_ADDRESS if "to" in values else _CLIENTS_OF_ALL, values)
            clients = [client for (client,) in found]
        select = _select([*conditions, "client = :client"], self._id_of_client)
        rows = [row for client in clients for row in execute(select, {**values, "client": client})]
        return sorted(rows, reverse=True)[: query.limit]


def _select(conditions: Sequence[str], id_: str) -> str:
    if "address = :to" not in conditions:
        return _PAGE + _where(conditions, id_)
    # The status is looked up mail by mail, in the order of the ids.
    having = [
        "(SELECT status FROM limbo_mails AS m WHERE m.id = r.id) = :status"
        if condition == "status = :status"
        else condition
        for condition in conditions
    ]
    ids = f"SELECT id FROM limbo_recipients AS r{_where(having, 'id')}"
    return f"{_PAGE} WHERE id IN ({ids}) ORDER BY id DESC"


def _where(conditions: Sequence[str], id_: str) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"{where} ORDER BY {{id}} DESC LIMIT :limit".replace("{id}", id_)


def _is_of(client: str | None, row: Row) -> bool:
    return client is None or row[1] == client
