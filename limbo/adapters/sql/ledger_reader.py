"""Reads a SQL ledger for clients."""

from collections.abc import Collection, Mapping, Sequence

from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec
from limbo.adapters.sql.by_recipient import ids_to
from limbo.adapters.sql.cancellation import cancel
from limbo.adapters.sql.cells import text
from limbo.adapters.sql.database import Database, Dialect, Executor, Row, database_errors_as
from limbo.adapters.sql.leases import read_mail
from limbo.adapters.sql.records import ATTEMPT_COLUMNS, COLUMNS, read_attempt, read_record
from limbo.adapters.sql.statements import among, in_each
from limbo.domain.delivery.lifecycle import Status, read_status
from limbo.domain.errors import LedgerUnavailable
from limbo.domain.mail.ids import is_mail_id, lowest_id
from limbo.ports.ledger_reader import Cancelled, Query, Record

_PAGE = f"SELECT {COLUMNS} FROM limbo_mails"
_FIND = f"{_PAGE} WHERE id = :id"
_STATUSES = in_each(
    lambda dialect: f"SELECT id, status FROM limbo_mails WHERE {among(dialect, 'id')}"
)
_CONTENT = "SELECT body FROM limbo_contents WHERE id = :id"
_ATTEMPTS = f"""
    SELECT {ATTEMPT_COLUMNS} FROM limbo_attempts
    WHERE mail_id = :id ORDER BY started_at, sender
"""
# Jump from one value to the next in the index. The cost grows with the values, not the mails.
_VALUES = """
    SELECT {column} FROM (
        WITH RECURSIVE found ({column}) AS (
            SELECT min({column}) FROM {table} WHERE {where}
            UNION ALL
            SELECT (SELECT min({column}) FROM {table} WHERE {where} AND {column} > found.{column})
            FROM found WHERE found.{column} IS NOT NULL
        )
        SELECT {column} FROM found WHERE {column} IS NOT NULL
    ) AS each_once
"""
# Only the indexes on clients contain this form of the id. With the plain id, PostgreSQL might scan
# all mails by id, in the hope of soon finding enough of the client's.
_ID_OF_CLIENT = {Dialect.SQLITE: "id", Dialect.POSTGRESQL: "(id || '')"}
_CLIENTS_OF_ALL = _VALUES.format(column="client", table="limbo_mails", where="TRUE")
_CLIENTS_OF_ADDRESS = _VALUES.format(
    column="client", table="limbo_recipients", where="address = :to"
)
_CLIENTS_OF_KEY = _VALUES.format(column="client", table="limbo_mails", where="key = :key")
_STATUSES_OF_KEY = _VALUES.format(
    column="status", table="limbo_mails", where="key = :key AND client = :client"
)
# What a key has sent to somebody: looked up mail by mail, as few people get many mails.
_KEY = "key = :key"
_IDS_OF_KEY = "SELECT r.id FROM limbo_recipients AS r"
_TO_CLIENT = ("r.address = :to", "r.client = :client")
_OF_MAIL = {
    f"{name} = :{name}": f"(SELECT {name} FROM limbo_mails AS m WHERE m.id = r.id) = :{name}"
    for name in ("status", "key")
}


class SqlLedgerReader:
    """The LedgerReader for the tables of a SqlLedger."""

    def __init__(self, database: Database, codec: MailCodec = PLAIN) -> None:
        self._database = database
        self._codec = codec
        self._id_of_client = _ID_OF_CLIENT[database.dialect]

    @database_errors_as(LedgerUnavailable)
    def find(self, id: str, client: str | None) -> Record | None:  # noqa: A002
        """Return the entry with its attempts and its mail."""
        if not is_mail_id(id):
            return None
        values = {"id": id}
        rows = self._database.execute(_FIND, values)
        if not rows or not _is_of(client, rows[0]):
            return None
        attempts = [read_attempt(row) for row in self._database.execute(_ATTEMPTS, values)]
        bodies = self._database.execute(_CONTENT, values)
        mail = read_mail(self._codec, bodies[0][0], id) if bodies else None
        return read_record(rows[0], mail, attempts)

    @database_errors_as(LedgerUnavailable)
    def statuses(self, ids: Collection[str]) -> Mapping[str, Status]:
        """Return the statuses of these mails, by id."""
        wanted = sorted(filter(is_mail_id, ids))
        rows = self._database.execute_many(_STATUSES[self._database.dialect], {"id": wanted})
        return {id_: read_status(text(status)) for id_, status in rows}

    @database_errors_as(LedgerUnavailable)
    def page(self, query: Query) -> Sequence[Record]:
        """Return entries, newest first. The cost does not grow with the number of mails."""
        return [read_record(row) for row in self._page(self._database, query)]

    @database_errors_as(LedgerUnavailable)
    def cancel_page(self, query: Query) -> Cancelled:
        """Cancel the mails. Remove them from this database's queue, unless they are leased."""
        with self._database.transaction() as transaction:
            rows = self._page(transaction, query)
            ids = [id_ for id_, *_ in rows if isinstance(id_, str)]  # no mail has another
            cancelled = cancel(transaction, self._database.dialect, ids)
        last = text(rows[-1][0]) if len(rows) == query.limit else None
        return Cancelled(count=len(cancelled), last=last)

    @database_errors_as(LedgerUnavailable)
    def cancel(self, id: str, client: str | None) -> Status | None:  # noqa: A002
        """Cancel the mail. Remove it from this database's queue, if it is there and not leased."""
        if not is_mail_id(id):
            return None
        values = {"id": id}
        with self._database.transaction() as transaction:
            rows = transaction.execute(_FIND, values)
            if not rows or not _is_of(client, rows[0]):
                return None
            if cancel(transaction, self._database.dialect, [id]):
                return Status.CANCELLED
            [row] = transaction.execute(_FIND, values)
            return read_status(text(row[2]))

    def _page(self, executor: Executor, query: Query) -> Sequence[Row]:
        to = None if query.to is None else query.to.lower()
        if not is_mail_id(query.after or "-") or "\0" in f"{to}{query.key}{query.client}":
            return []
        values: dict[str, object] = {"limit": query.limit}
        conditions = []
        for name, value, condition in (
            ("after", query.after, "{id} < :after"),
            ("since", None if query.since is None else lowest_id(query.since), "{id} >= :since"),
            ("status", query.status, "status = :status"),
        ):
            if value is not None:
                values[name] = value
                conditions.append(condition)
        if to is not None:
            values["to"] = to
        if query.key is not None:
            return self._of_key(executor, query, conditions, {**values, "key": query.key})
        return self._rows(executor, query, conditions, values)

    def _of_key(
        self,
        executor: Executor,
        query: Query,
        conditions: Sequence[str],
        values: Mapping[str, object],
    ) -> Sequence[Row]:
        if query.to is not None:
            return self._rows(executor, query, conditions, values)
        execute = executor.execute
        clients = [query.client]
        if query.client is None:
            clients = [client for (client,) in execute(_CLIENTS_OF_KEY, values)]
        if query.status is None:
            conditions = [*conditions, "status = :status"]
        own = ["client = :client", _KEY]
        select = _PAGE + _where([*conditions, *own], self._id_of_client)
        rows: list[Row] = []
        for client in clients:
            given = {**values, "client": client}
            statuses = [query.status]
            if query.status is None:
                statuses = [status for (status,) in execute(_STATUSES_OF_KEY, given)]
            for status in statuses:
                rows += execute(select, {**given, "status": status})
        return _newest(rows)[: query.limit]

    def _rows(
        self,
        executor: Executor,
        query: Query,
        conditions: Sequence[str],
        values: Mapping[str, object],
    ) -> Sequence[Row]:
        execute = executor.execute
        if query.client is None and query.status is None and query.to is None:
            return execute(_PAGE + _where(conditions, "id"), values)
        if query.client is not None:
            clients = [query.client]
        else:
            found = execute(_CLIENTS_OF_ADDRESS if "to" in values else _CLIENTS_OF_ALL, values)
            clients = [client for (client,) in found]
        select = self._select(query, conditions)
        rows = [row for client in clients for row in execute(select, {**values, "client": client})]
        return _newest(rows)[: query.limit]

    def _select(self, query: Query, conditions: Sequence[str]) -> str:
        """Return the query for one client's entries."""
        if query.to is None:
            return _PAGE + _where([*conditions, "client = :client"], self._id_of_client)
        if query.key is not None:
            of_mail = [_OF_MAIL.get(each, each) for each in [*conditions, _KEY]]
            ids = _IDS_OF_KEY + _where([*_TO_CLIENT, *of_mail], "r.id")
            return f"{_PAGE} WHERE id IN ({ids}) ORDER BY id DESC"
        bounds = [each.format(id="id") for each in conditions if "{id}" in each]
        ids = ids_to(self._database.dialect, query.status, bounds)
        return f"{_PAGE} WHERE id IN ({ids}) ORDER BY id DESC"


def _newest(rows: Sequence[Row]) -> Sequence[Row]:
    return sorted(rows, key=lambda row: text(row[0]), reverse=True)


def _where(conditions: Sequence[str], id_: str) -> str:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"{where} ORDER BY {{id}} DESC LIMIT :limit".replace("{id}", id_)


def _is_of(client: str | None, row: Row) -> bool:
    return client is None or row[1] == client
