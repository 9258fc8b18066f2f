"""The dead letters of a SQL queue, in a table of the same database."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from limbo.adapters.encoding.codec import decode_attempts
from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec, concerns
from limbo.adapters.sql.causes import count_causes, entries, name_causes
from limbo.adapters.sql.cells import moment, text
from limbo.adapters.sql.database import Database, Dialect, Row, database_errors_as
from limbo.adapters.sql.leases import READY, read_mail
from limbo.adapters.sql.statements import among, change_status, in_each
from limbo.domain.delivery.lifecycle import REDRIVE
from limbo.domain.delivery.verdict import UNDECODABLE, Attempt, Cause
from limbo.domain.errors import QueueUnavailable
from limbo.domain.mail.ids import is_mail_id, lowest_id
from limbo.ports.dead_letters import (
    AddressedLetters,
    DeadLetter,
    DeadLetterEntry,
    OnProgress,
)
from limbo.ports.queue import Undecodable

_BATCH = 500
_PAGE = 10_000
_COLUMNS = """
    id, mail_id, submitted_at, kind, sender, reason, attempts, buried_at, possible_duplicate
"""
_FROM = "FROM limbo_dead_letters"
_OLDEST = f"SELECT id {_FROM} WHERE {{where}}id > :after ORDER BY id LIMIT :limit"
_NEWEST = f"SELECT id {_FROM} WHERE {{where}}id < :after ORDER BY id DESC LIMIT :limit"
# Each half is the beginning of an index.
_OF_CAUSE = """
    SELECT id FROM ({by_id}) AS by_id UNION ALL SELECT id FROM ({by_kind}) AS by_kind
"""
_AFTER_ALL = "~"  # sorts behind every id
_SHOW = f"""
    SELECT {_COLUMNS}, body {_FROM} WHERE id IN (
        SELECT id {_FROM} WHERE id = :id UNION ALL SELECT id {_FROM} WHERE mail_id = :id
    )
    ORDER BY id DESC LIMIT 1
"""
_FIND = {
    Dialect.SQLITE: """
        SELECT id, mail_id FROM limbo_dead_letters WHERE id = :id OR mail_id = :id
    """,
    # Lock rows in one order, so that two redrives of the same letters cannot deadlock.
    Dialect.POSTGRESQL: """
        SELECT id, mail_id FROM limbo_dead_letters
        WHERE id = ANY (:id::text[]) OR mail_id = ANY (:id::text[]) ORDER BY id FOR UPDATE
    """,
}
_WITH_IDS = {Dialect.SQLITE: "id = :id", Dialect.POSTGRESQL: "id = ANY (:id::text[])"}
_PUT_BACK = in_each(
    lambda dialect: (
        f"""
        INSERT INTO limbo_queue (id, body, submitted_at, due, redriven_at, possible_duplicate)
        SELECT mail_id, body, submitted_at, {READY}, :now, possible_duplicate
        FROM limbo_dead_letters WHERE {_WITH_IDS[dialect]} ON CONFLICT (id) DO NOTHING
    """
    )
)
_REVIVE = in_each(
    lambda dialect: change_status(REDRIVE, among(dialect, "id"), also="cause = NULL, ")
)
_DROP = in_each(lambda dialect: f"DELETE FROM limbo_dead_letters WHERE {_WITH_IDS[dialect]}")
_READ = 200  # letters in one statement, each with its mail
_BODIES = """
    SELECT id, mail_id, body FROM limbo_dead_letters
    WHERE id > :after ORDER BY id LIMIT :limit
"""
_DROP_OLD = """
    DELETE FROM limbo_dead_letters WHERE id IN (
        SELECT id FROM limbo_dead_letters WHERE id < :before ORDER BY id LIMIT :limit
    ) RETURNING id
"""


class SqlDeadLetters:
    """The DeadLetters of a SqlQueue. Their ids sort by the time of burial."""

    def __init__(self, database: Database, codec: MailCodec = PLAIN) -> None:
        self._database = database
        self._codec = codec
        self._dialect = database.dialect

    @database_errors_as(QueueUnavailable)
    def list(
        self, limit: int, after: str | None = None, cause: str | None = None
    ) -> Sequence[DeadLetterEntry]:
        """Return up to ``limit`` dead letters, newest first. The letter ``after`` may be gone."""
        if after is not None and not is_mail_id(after):
            return []
        ids = self._of_cause(_NEWEST, cause)
        query = f"""
            SELECT {_COLUMNS} {_FROM} {entries(self._dialect)}
            WHERE id IN ({ids}) ORDER BY id DESC LIMIT :limit
        """
        values = {"limit": limit, "after": after or _AFTER_ALL, "cause": cause}
        return [DeadLetterEntry(**_facts(row)) for row in self._database.execute(query, values)]

    @database_errors_as(QueueUnavailable)
    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or None."""
        if not is_mail_id(id):
            return None
        rows = self._database.execute(_SHOW, {"id": id})
        return self._letter(rows[0]) if rows else None

    @database_errors_as(QueueUnavailable)
    def causes(self, limit: int) -> Sequence[tuple[Cause, int]]:
        """Count by cause, the most frequent first."""
        return count_causes(self._database, limit)

    @database_errors_as(QueueUnavailable)
    def select(self, cause: str | None = None) -> Sequence[str]:
        """Return the ids of all dead letters, or of those with this cause, oldest first."""
        ids = self._of_cause(_OLDEST, cause)
        return [
            *self._ids(
                f"{ids} ORDER BY id LIMIT :limit" if cause is not None else ids, {"cause": cause}
            )
        ]

    @database_errors_as(QueueUnavailable)
    def redrive(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Put the mails back into the queue, in batches of one transaction each."""
        return self._take_out(ids, on_progress, put_back=True)

    @database_errors_as(QueueUnavailable)
    def drop(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Delete the dead letters, in batches of one transaction each."""
        return self._take_out(ids, on_progress, put_back=False)

    @database_errors_as(QueueUnavailable)
    def of_address(self, address: str) -> AddressedLetters:
        """Read all letters, in steps."""
        ids, unreadable, values = [], 0, {"after": "", "limit": _READ}
        while rows := self._database.execute(_BODIES, values):
            for id_, mail_id, body in rows:
                mail = read_mail(self._codec, body, mail_id)
                if concerns(mail, body, address):
                    ids.append(id_)
                unreadable += isinstance(mail, Undecodable) and mail.is_sealed
            values["after"] = rows[-1][0]
        return AddressedLetters(ids=ids, unreadable=unreadable)

    @database_errors_as(QueueUnavailable)
    def purge(self, *, before: float, limit: int) -> int:
        """Delete the oldest letters in one statement: their ids sort by the time of burial."""
        values = {"before": lowest_id(before), "limit": limit}
        return len(self._database.execute(_DROP_OLD, values))

    def _take_out(
        self, ids: Iterable[str], on_progress: OnProgress | None, *, put_back: bool
    ) -> int:
        count = 0
        for batch in _batches(ids):
            with self._database.transaction() as transaction:
                found = {*transaction.execute_many(_FIND[self._dialect], {"id": batch})}
                letters = {"id": sorted(id_ for id_, _ in found)}
                if put_back and found:
                    transaction.execute_many(_PUT_BACK[self._dialect], letters, notify=True)
                    mails = {"id": sorted(mail_id for _, mail_id in found)}
                    transaction.execute_many(_REVIVE[self._dialect], mails)
                transaction.execute_many(_DROP[self._dialect], letters)
            count += len(found)
            if on_progress is not None:
                known = {name for names in found for name in names}
                on_progress([name for name in batch if name in known])
        return count

    def _of_cause(self, ids: str, cause: str | None) -> str:
        """Return the query for the ids, if need be only for those with this cause."""
        if cause is None:
            return ids.format(where="")
        name_causes(self._database)
        by_id, by_kind = (
            ids.format(where=f"{column} = :cause AND ") for column in ("cause_id", "kind")
        )
        return _OF_CAUSE.format(by_id=by_id, by_kind=by_kind)

    def _ids(self, query: str, values: dict[str, object]) -> Iterator[str]:
        after = ""
        while rows := self._database.execute(query, {**values, "after": after, "limit": _PAGE}):
            yield from (id_ for (id_,) in rows)
            [after] = rows[-1]

    def _letter(self, row: Row) -> DeadLetter:
        *facts, body = row
        return DeadLetter(**_facts(facts), mail=read_mail(self._codec, body, text(facts[1])))


def _facts(row: Sequence[Any]) -> dict[str, Any]:
    """Read a row of _COLUMNS."""
    id_, mail_id_, submitted_at, kind, sender, reason, attempts, buried_at, may_be_double = row
    return {
        "id": text(id_),
        "mail_id": text(mail_id_),
        "submitted_at": None if kind == UNDECODABLE else moment(submitted_at),
        "cause": Cause(kind=text(kind), sender=text(sender), reason=text(reason)),
        "attempts": _attempts(attempts),
        "buried_at": moment(buried_at),
        "possible_duplicate": bool(may_be_double),
    }


def _attempts(body: bytes) -> Sequence[Attempt]:
    """Read the attempts. If a newer limbo wrote them in another format, return none."""
    try:
        return tuple(decode_attempts(body))
    except ValueError:
        return ()


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    wanted = iter(id_ for id_ in dict.fromkeys(ids) if is_mail_id(id_))
    while batch := [*islice(wanted, _BATCH)]:
        yield batch
