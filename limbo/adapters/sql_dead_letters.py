"""The dead letters of a SQL queue, as a table beside it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from limbo.adapters.codec import decode_attempts
from limbo.adapters.database import Database, Row
from limbo.adapters.sql_statements import BY_DIALECT, CAUSES, LETTER, insert, read_mail
from limbo.domain.verdict import Cause
from limbo.ports.queue import DeadLetter

_BATCH = 500
_LETTER_ID = re.compile(r"[0-9a-f-]{36}")


class SqlDeadLetters:
    """The DeadLetters beside a SqlQueue; their ids sort by the time of the burial."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = BY_DIALECT[database.dialect]

    def list(self, limit: int, after: str | None = None) -> Sequence[DeadLetter]:
        """Return up to ``limit`` dead letters, newest first, also when ``after`` is gone."""
        if after is not None and not _is_id(after):
            return []
        where = "" if after is None else "WHERE id < :after"
        query = f"{LETTER} {where} ORDER BY id DESC LIMIT :limit"
        rows = self._database.execute(query, {"limit": limit, "after": after})
        return [_letter(row) for row in rows]

    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or None."""
        rows = self._database.execute(f"{LETTER} WHERE id = :id", {"id": id}) if _is_id(id) else []
        return _letter(rows[0]) if rows else None

    def causes(self) -> Sequence[tuple[Cause, int]]:
        """Count by cause, the most frequent first."""
        return [
            (Cause(kind=kind, sender=sender, reason=reason), count)
            for kind, sender, reason, count in self._database.execute(CAUSES)
        ]

    def redrive(self, ids: Iterable[str]) -> int:
        """Put the mails back into the queue, some hundred in a transaction."""
        count = 0
        for batch in _batches(ids):
            with self._database.transaction() as transaction:
                mails = transaction.execute_each(self._sql.take_letters, {"id": batch})
                if mails:
                    insert(transaction, self._sql, mails)
            count += len(mails)
        return count

    def drop(self, ids: Iterable[str]) -> int:
        """Delete the dead letters, some hundred in a transaction."""
        return sum(
            len(self._database.execute_each(self._sql.take_letters, {"id": batch}))
            for batch in _batches(ids)
        )


def _letter(row: Row) -> DeadLetter:
    id_, mail_id_, body, kind, sender, reason, attempts, buried_at, possible_duplicate = row
    return DeadLetter(
        id=id_,
        mail=read_mail(body, mail_id_),
        cause=Cause(kind=kind, sender=sender, reason=reason),
        attempts=tuple(decode_attempts(attempts)),
        buried_at=buried_at,
        possible_duplicate=bool(possible_duplicate),
    )


def _is_id(text: str) -> bool:
    return _LETTER_ID.fullmatch(text) is not None


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    wanted = iter(id_ for id_ in ids if _is_id(id_))
    while batch := [*islice(wanted, _BATCH)]:
        yield batch
