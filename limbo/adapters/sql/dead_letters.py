"""The dead letters of a SQL queue, as a table beside it."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from limbo.adapters.encoding.codec import decode_attempts
from limbo.adapters.sql import ledger_statements
from limbo.adapters.sql.database import Database, Row, database_errors_as
from limbo.adapters.sql.queue_statements import (
    BY_DIALECT,
    CAUSES,
    LETTER,
    LETTER_IDS,
    LETTER_IDS_BY_CAUSE,
    read_mail,
)
from limbo.domain.delivery.verdict import Attempt, Cause
from limbo.domain.errors import QueueUnavailable
from limbo.ports.dead_letters import DeadLetter, OnProgress

_BATCH = 500
_PAGE = 10_000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a letter or of a mail; no other is asked for


class SqlDeadLetters:
    """The DeadLetters beside a SqlQueue; their ids sort by the time of the burial."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = BY_DIALECT[database.dialect]
        self._revive = ledger_statements.BY_DIALECT[database.dialect].revive

    @database_errors_as(QueueUnavailable)
    def list(self, limit: int, after: str | None = None) -> Sequence[DeadLetter]:
        """Return up to ``limit`` dead letters, newest first, also when ``after`` is gone."""
        if after is not None and not _is_name(after):
            return []
        where = "" if after is None else "WHERE id < :after"
        query = f"{LETTER} {where} ORDER BY id DESC LIMIT :limit"
        rows = self._database.execute(query, {"limit": limit, "after": after})
        return [_letter(row) for row in rows]

    @database_errors_as(QueueUnavailable)
    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or None."""
        if not _is_name(id):
            return None
        rows = self._database.execute(f"{LETTER} WHERE id = :id OR mail_id = :id", {"id": id})
        return _letter(max(rows)) if rows else None

    @database_errors_as(QueueUnavailable)
    def causes(self) -> Sequence[tuple[Cause, int]]:
        """Count by cause, the most frequent first."""
        return [
            (Cause(kind=kind, sender=sender, reason=reason), count)
            for kind, sender, reason, count in self._database.execute(CAUSES)
        ]

    @database_errors_as(QueueUnavailable)
    def select(self, causes: Collection[Cause] | None = None) -> Sequence[str]:
        """Return the ids of all, or of those of the causes, oldest first."""
        if causes is None:
            return [*self._ids(LETTER_IDS, {})]
        return [
            id_
            for cause in causes
            for id_ in self._ids(
                LETTER_IDS_BY_CAUSE,
                {"kind": str(cause.kind), "sender": cause.sender, "reason": cause.reason},
            )
        ]

    @database_errors_as(QueueUnavailable)
    def redrive(self, ids: Iterable[str], done: OnProgress | None = None) -> int:
        """Put the mails back into the queue, some hundred in a transaction."""
        return self._settle(ids, done, put_back=True)

    @database_errors_as(QueueUnavailable)
    def drop(self, ids: Iterable[str], done: OnProgress | None = None) -> int:
        """Delete the dead letters, some hundred in a transaction."""
        return self._settle(ids, done, put_back=False)

    def _settle(self, ids: Iterable[str], done: OnProgress | None, *, put_back: bool) -> int:
        count = 0
        for batch in _batches(ids):
            with self._database.transaction() as transaction:
                found = {*transaction.execute_many(self._sql.find_letters, {"id": batch})}
                letters = {"id": sorted(id_ for id_, _ in found)}
                if put_back and found:
                    transaction.execute_many(self._sql.redrive, letters, notify=True)
                    mails = {"id": sorted(mail_id for _, mail_id in found)}
                    transaction.execute_many(self._revive, mails)
                transaction.execute_many(self._sql.drop, letters)
            count += len(found)
            if done is not None:
                known = {name for names in found for name in names}
                done([name for name in batch if name in known])
        return count

    def _ids(self, query: str, values: dict[str, object]) -> Iterator[str]:
        after = ""
        while rows := self._database.execute(query, {**values, "after": after, "limit": _PAGE}):
            yield from (id_ for (id_,) in rows)
            [after] = rows[-1]


def _letter(row: Row) -> DeadLetter:
    id_, mail_id_, body, kind, sender, reason, attempts, buried_at, possible_duplicate = row
    return DeadLetter(
        id=id_,
        mail=read_mail(body, mail_id_),
        cause=Cause(kind=kind, sender=sender, reason=reason),
        attempts=_attempts(attempts),
        buried_at=buried_at,
        possible_duplicate=bool(possible_duplicate),
    )


def _attempts(body: bytes) -> Sequence[Attempt]:
    """Read the attempts; of those that a newer limbo wrote in another way, none is known."""
    try:
        return tuple(decode_attempts(body))
    except ValueError:
        return ()


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    wanted = iter(id_ for id_ in dict.fromkeys(ids) if _is_name(id_))
    while batch := [*islice(wanted, _BATCH)]:
        yield batch
